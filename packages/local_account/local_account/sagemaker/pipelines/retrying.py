"""Retry policies: which failures they match and how long to wait. Pure.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html. AWS retries service faults and throttling by
itself without saying how often; here: `_BY_DEFAULT`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SERVICE_FAULT, THROTTLING = "Step.SERVICE_FAULT", "Step.THROTTLING"
INTERNAL_ERROR, CAPACITY_ERROR, RESOURCE_LIMIT = "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT"

_BY_DEFAULT: Mapping[str, Any] = {"ExceptionType": [SERVICE_FAULT, THROTTLING], "IntervalSeconds": 1, "BackoffRate": 2.0, "MaxAttempts": 2}


def kind_of_error(code: str, status: int = 400) -> str | None:
    """Exception type of an error that creating a job answered; None if retrying cannot help."""
    if "Throttling" in code or code == "TooManyRequestsException":
        return THROTTLING
    if code == "ResourceLimitExceeded":
        return RESOURCE_LIMIT
    if code == "CapacityError":
        return CAPACITY_ERROR
    return SERVICE_FAULT if status >= 500 and code != "NotImplemented" else None


def kind_of_failure(failure_reason: str, step_type: str) -> str | None:
    """Exception type of a job's FailureReason; None for what is the script's own fault."""
    code = failure_reason.partition(":")[0].strip()
    if code in ("InternalServerError", "InternalServerException"):
        return None if step_type == "Tuning" else INTERNAL_ERROR  # a tuning job retries its trials itself
    return {"CapacityError": CAPACITY_ERROR, "InsufficientCapacityError": CAPACITY_ERROR, "ResourceLimitExceeded": RESOURCE_LIMIT}.get(code)


def wait_seconds(policies: Sequence[Mapping[str, Any]], kind: str | None, retries: int, elapsed_seconds: float) -> float | None:
    """Seconds to wait before the next attempt, after `retries` of them; None to give up."""
    for policy in [*policies, _BY_DEFAULT]:
        if kind not in policy.get("ExceptionType", []):
            continue
        if retries >= int(policy.get("MaxAttempts") or 20):
            return None
        wait = float(policy.get("IntervalSeconds", 1)) * float(policy.get("BackoffRate", 2.0)) ** retries
        deadline_minutes = policy.get("ExpireAfterMin")
        return None if deadline_minutes and elapsed_seconds + wait > float(deadline_minutes) * 60 else wait
    return None
