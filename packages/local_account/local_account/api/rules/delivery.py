"""EventBridge Scheduler: windows, times and targets of a schedule.

Source: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html and API_FlexibleTimeWindow.html; a function's
input must be JSON (user guide, "Using templated targets"). The expression itself is read in `local_account/scheduler.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.utils import parse_to_aware_datetime

from local_account import targets
from local_account.api.rules.events import has_a_day
from local_account.api.rules.rule import require_json, rule
from local_account.context import Context
from local_account.errors import NotEmulatedError, ServiceError


@rule("scheduler", "CreateSchedule", "UpdateSchedule")
def _schedule(context: Context, request: Mapping[str, Any]) -> None:
    window = request.get("FlexibleTimeWindow") or {}
    if (window.get("Mode") == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
        raise _invalid("Invalid FlexibleTimeWindow: MaximumWindowInMinutes is given with mode FLEXIBLE, and with no other.")
    if not has_a_day(str(request.get("ScheduleExpression", ""))):
        raise _invalid(f"Invalid Schedule Expression {request['ScheduleExpression']}.")
    start, end = (parse_to_aware_datetime(request[name]) if request.get(name) else None for name in ("StartDate", "EndDate"))
    if start and end and end <= start:
        raise _invalid("The EndDate you specify must come after the StartDate.")


@rule("scheduler", "CreateSchedule", "UpdateSchedule")
def _target(context: Context, request: Mapping[str, Any]) -> None:
    target = request.get("Target") or {}
    arn, given = str(target.get("Arn", "")), target.get("Input")
    if arn.count(":") < 5 or not arn.startswith("arn:"):
        raise _invalid(f"Provided Arn {arn} is not in correct format.")
    if not targets.is_emulated(arn):
        raise NotEmulatedError("scheduler", f"a schedule with target {arn}")
    if given and (arn.startswith(("arn:aws:lambda:", "arn:aws:scheduler:::aws-sdk:")) or ":event-bus/" in arn):
        require_json(given, _invalid("Invalid RequestJson provided. Reason: the target's Input is not JSON."))


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
