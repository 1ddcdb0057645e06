"""Step caching: what makes two runs of a step the same, and for how long. Pure apart from the memory it keeps.

Attributes compared, by step type: https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html. As there, neither
the content behind an input's S3 URI nor where outputs go is compared: publish code and data under names that change with them.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

_COMPARED: Mapping[str, tuple[str, ...]] = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification", "CheckpointConfig", "DebugHookConfig", "DebugRuleConfigurations", "Environment",
        "HyperParameters", "InputDataConfig",
    ),
    "Tuning": ("HyperParameterTuningJobConfig", "TrainingJobDefinition", "TrainingJobDefinitions"),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
}  # fmt: skip
_COMPARED_OF_TRAINING_DEFINITION = (
    "AlgorithmSpecification", "HyperParameterRanges", "InputDataConfig", "StaticHyperParameters", "TuningObjective",
)  # fmt: skip
_UNITS = {"Y": 365 * 86400, "MO": 30 * 86400, "W": 7 * 86400, "D": 86400, "H": 3600, "M": 60, "S": 1}
_AMOUNT = re.compile(r"(\d+)([A-Z])")
_DURATION = re.compile(r"P?((?:\d+[ymwd])*)(?:T((?:\d+[hms])*))?", re.IGNORECASE)


def signature(step_type: str, arguments: Mapping[str, Any], function_arn: str | None = None) -> str | None:
    """Digest of the evaluated arguments that matter; None for types that SageMaker does not cache.

    The page above has no Lambda steps, but the schema and the SDK give them a CacheConfig: the function and all it is given count.
    """
    if step_type == "Lambda":
        compared: dict[str, Any] = {"FunctionArn": function_arn, "Arguments": dict(arguments)}
    elif step_type in _COMPARED:
        compared = {name: arguments.get(name) for name in _COMPARED[step_type]}
    else:
        return None
    training = compared.get("TrainingJobDefinition")
    if isinstance(training, dict):
        compared["TrainingJobDefinition"] = {name: training.get(name) for name in _COMPARED_OF_TRAINING_DEFINITION}
    return hashlib.sha256(json.dumps([step_type, compared], sort_keys=True, default=str).encode()).hexdigest()


def lifetime(expire_after: str | None) -> timedelta | None:
    """`30d`, `P1Y`, `T16m`, `30dT5h` as a duration; None (never expires) if not given. Raises ValueError."""
    if not expire_after:
        return None
    match = _DURATION.fullmatch(expire_after)
    if match is None or not any(match.groups()):
        raise ValueError(f"CacheConfig.ExpireAfter is {expire_after!r}; allowed: an ISO 8601 duration such as 30d, T12h or P30DT5H")
    date_part, time_part = ((group or "").upper() for group in match.groups())
    units = [(number, "MO" if unit == "M" else unit) for number, unit in _AMOUNT.findall(date_part)] + _AMOUNT.findall(time_part)
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in units))


@dataclass(frozen=True)
class CachedStep:
    """A successful run of a step that later executions may reuse."""

    execution_arn: str
    ended: datetime
    properties: Mapping[str, Any]
    metadata: Mapping[str, Any]


class StepCache:
    """Latest successful run for each pipeline, step and signature. Safe to use from several threads."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str], CachedStep] = {}
        self._lock = threading.Lock()

    def find(self, pipeline: str, step: str, key: str, now: datetime, longest: timedelta | None) -> CachedStep | None:
        with self._lock:
            entry = self._entries.get((pipeline, step, key))
        return entry if entry and (longest is None or now - entry.ended <= longest) else None

    def keep(self, pipeline: str, step: str, key: str, entry: CachedStep) -> None:
        with self._lock:
            self._entries[pipeline, step, key] = entry

    def forget(self, pipeline: str) -> None:
        with self._lock:
            self._entries = {key: entry for key, entry in self._entries.items() if key[0] != pipeline}
