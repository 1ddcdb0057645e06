"""What the story found out on its way: everything that `timings.py` and `page.py` show, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from build_scripts.golden import Golden
from build_scripts.version_contract import Contract
from demo.narrator import Stage
from demo.scaling_watch import Activity, Sample
from demo.subject import Subject


@dataclass(frozen=True)
class Exchange:
    """One request to the production endpoint and what came back. `milliseconds` as the person measured it."""

    title: str
    content_type: str
    request: str
    status: int
    answer: str
    milliseconds: float


@dataclass(frozen=True)
class Scored:
    """A folder that production scored. Each row as it was uploaded, with its answer and what was true; `seconds` from `_SUCCESS` on."""

    folder: str
    predictions: str
    started_by: str
    seconds: float
    rows: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class ScalingRecord:
    """Traffic and instances over simulated time. `requests` counts answered ones by minute since `start`."""

    start: datetime
    time_zone: str
    speed: float
    requests: Mapping[int, int]
    failed: int
    samples: Sequence[Sample]
    activities: Sequence[Activity]

    @property
    def fewest(self) -> int:
        return min(sample.instances for sample in self.samples)

    @property
    def most(self) -> int:
        return max(sample.instances for sample in self.samples)


@dataclass
class Watched:
    """What the watch found of the hour in which traffic changed, the last time that it judged it, and the version that came of it.

    The reports are pages: the watch's of the hour, and the approver's of the version that waits. Times in seconds since the demo began:
    `judged_at` when the watch was started with the labels, `pending_at` when that version waited.
    """

    judged_at: float = 0.0
    pending_at: float = 0.0
    findings: Mapping[str, Any] = field(default_factory=dict)
    report_html: str = ""
    labels: int = 0
    next_version: int = 0
    next_report_html: str = ""


@dataclass
class ModelFacts:
    """Of one model. Times are seconds since the demo began; `golden` rows are cells in the order of `contract`."""

    subject: Subject
    pending_at: float = 0.0
    approved_at: float = 0.0
    staging_at: float = 0.0
    production_at: float = 0.0
    version_arn: str = ""
    version: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    report_html: str = ""
    contract: Contract | None = None
    golden: Golden | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    scaling: ScalingRecord | None = None
    scored: Scored | None = None
    watched: Watched | None = None

    @property
    def report_file(self) -> str:
        """Of the page with the report, beside the page of the story."""
        return f"report-{self.subject.name}.html"

    @property
    def watch_file(self) -> str:
        """Of the page with what the watch found."""
        return f"watch-{self.subject.name}.html"

    @property
    def next_report_file(self) -> str:
        """Of the page with the report of the version that production taught."""
        return f"report-{self.subject.name}-next.html"


@dataclass
class Facts:
    """Filled chapter by chapter. `pushed_at`, and `worked_at` when production had shown its work, in seconds since the demo began."""

    stages: Sequence[Stage]
    models: Sequence[ModelFacts]
    account: Mapping[str, Any] = field(default_factory=dict)
    commit: str = ""
    pushed_at: float = 0.0
    worked_at: float = 0.0
    permissions: Mapping[str, Any] = field(default_factory=dict)
