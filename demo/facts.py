"""What the story found out on its way: everything that `timings.py` and `page.py` show, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from build_scripts.version_contract import Contract
from demo.narrator import Stage
from demo.scaling_watch import Activity, Sample


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
class Facts:
    """Filled chapter by chapter. Times are seconds since the demo began; `golden_rows` are cells in the order of `contract`."""

    stages: Sequence[Stage]
    account: Mapping[str, Any] = field(default_factory=dict)
    commit: str = ""
    pushed_at: float = 0.0
    pending_at: float = 0.0
    approved_at: float = 0.0
    staging_in_service_at: float = 0.0
    production_in_service_at: float = 0.0
    version_arn: str = ""
    version: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    report_html: str = ""
    contract: Contract | None = None
    golden_rows: Sequence[Sequence[str]] = ()
    exchanges: list[Exchange] = field(default_factory=list)
    scaling: ScalingRecord | None = None
    permissions: Mapping[str, Any] = field(default_factory=dict)
