"""What a version's evaluation left beside its contract, read for the approver's page.

Input: a registered version. Output: `Evidence`, in which what is not there, or cannot be read, is empty: an older version has no
review.json (written by pipelines/tabular/steps/evaluate.py), and whoever asks may not read everything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError
from build_scripts.objects import content
from build_scripts.registry import Version
from build_scripts.version_contract import URL

#: Ends the names of the metrics in evaluation.json: SageMaker's schema for each kind of problem.
_METRICS = "_metrics"


@dataclass(frozen=True)
class Evidence:
    """`version`: None where there is none, or it was deleted. The rest: the files of its evaluation."""

    version: Version | None = None
    contract: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    review: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> Mapping[str, str]:
        return self.version.facts if self.version else {}

    @property
    def gate(self) -> Mapping[str, Any]:
        return self.evaluation.get("gate") or {}

    @property
    def champion(self) -> Mapping[str, Any]:
        """What it was compared with when it was evaluated, and how that came out."""
        return self.evaluation.get("champion") or {}

    @property
    def metrics(self) -> dict[str, Mapping[str, float | None]]:
        """By name: value, lower, upper. Without the curves and matrices that the schema has beside them."""
        measured: Mapping[str, Any] = next((value for name, value in self.evaluation.items() if name.endswith(_METRICS)), {})
        return {name: value for name, value in measured.items() if isinstance(value, dict) and "value" in value}


def read(s3: Any, version: Version | None) -> Evidence:
    if version is None:
        return Evidence()
    folder = version.facts.get(URL, "").rpartition("/")[0]
    contract, review = (_document(s3, f"{folder}/{name}" if folder else "") for name in ("contract.json", "review.json"))
    return Evidence(version, contract, _document(s3, version.evaluation_uri or ""), review)


def _document(s3: Any, url: str) -> dict[str, Any]:
    try:
        return dict(json.loads(content(s3, url) or "{}")) if url else {}
    except (ProblemError, ClientError, ValueError, TypeError):
        return {}
