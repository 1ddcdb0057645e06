"""EventBridge and its Scheduler: rules that have something to match, windows and times that go together, targets that can be called, and
nothing of a rule that is not there.

Sources: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html, API_DeleteRule.html, API_PutTargets.html and
API_PutEvents.html; https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html and API_FlexibleTimeWindow.html; a
function's input must be JSON (Scheduler user guide, "Using templated targets"). What is wrong with one entry of PutEvents is in
`local_account/events.py`: the others of the request are put. The expression of a schedule is read in `local_account/scheduler.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.utils import parse_to_aware_datetime

from local_account import targets
from local_account.api.rules.rule import is_there, json_of, require_json, rule
from local_account.context import Context
from local_account.errors import NotEmulatedError, ServiceError


@rule("events", "PutRule")
def _rule(context: Context, request: Mapping[str, Any]) -> None:
    pattern, schedule = request.get("EventPattern"), request.get("ScheduleExpression")
    if not pattern and not schedule:
        raise ServiceError("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if pattern:
        invalid = ServiceError("InvalidEventPatternException", "Event pattern is not valid. Reason: it is not a JSON object")
        if not json_of(pattern, invalid):
            raise ServiceError("InvalidEventPatternException", "Event pattern is not valid. Reason: Empty patterns are not allowed")
    if schedule and not _has_a_day(schedule):
        raise ServiceError("ValidationException", "Parameter ScheduleExpression is not valid.")
    if schedule and _bus(request) != "default":
        raise ServiceError("ValidationException", "ScheduleExpression is supported only on the default event bus.")


def _has_a_day(expression: str) -> bool:
    """Of the fields day-of-month and day-of-week of a cron expression, one is `?` (user guide, "Cron expressions reference")."""
    fields = expression.strip().removeprefix("cron(").removesuffix(")").split()
    return not expression.strip().startswith("cron(") or len(fields) != 6 or "?" in (fields[2], fields[4])


@rule("events", "EnableRule", "DisableRule", "ListTargetsByRule", "RemoveTargets", "PutTargets")
def _existing(context: Context, request: Mapping[str, Any]) -> None:
    name = request.get("Rule") or request.get("Name")
    if not is_there(context.client("events").describe_rule, Name=name, EventBusName=_bus(request)):
        raise ServiceError("ResourceNotFoundException", f"Rule {name} does not exist on EventBus {_bus(request)}.")


@rule("events", "DeleteRule")
def _unused(context: Context, request: Mapping[str, Any]) -> None:
    place = {"Name": request["Name"], "EventBusName": _bus(request)}
    client = context.client("events")
    if is_there(client.describe_rule, **place) and client.list_targets_by_rule(Rule=request["Name"], EventBusName=_bus(request))["Targets"]:
        raise ServiceError("ValidationException", "Rule can't be deleted since it has targets.")


@rule("events", "PutTargets")
def _targets(context: Context, request: Mapping[str, Any]) -> None:
    for target in request.get("Targets") or []:
        arn = str(target.get("Arn", ""))
        if arn.count(":") < 5 or not arn.startswith("arn:"):
            raise ServiceError("ValidationException", f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
        if not targets.is_emulated(arn) or arn.startswith("arn:aws:scheduler:"):
            raise NotEmulatedError("events", f"PutTargets with a target of {arn.split(':')[2]}")
        if target.get("Input"):
            require_json(
                target["Input"], ServiceError("ValidationException", f"Invalid input for target {target.get('Id')}: it is not JSON")
            )
        given = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name)]
        if len(given) > 1:
            raise ServiceError(
                "ValidationException", f"Only one of Input, InputPath, or InputTransformer must be provided for target {target.get('Id')}."
            )


def _bus(request: Mapping[str, Any]) -> str:
    return str(request.get("EventBusName") or "default").rpartition("/")[2]


@rule("scheduler", "CreateSchedule", "UpdateSchedule")
def _schedule(context: Context, request: Mapping[str, Any]) -> None:
    window = request.get("FlexibleTimeWindow") or {}
    if (window.get("Mode") == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
        raise _invalid_schedule("Invalid FlexibleTimeWindow: MaximumWindowInMinutes is given with mode FLEXIBLE, and with no other.")
    if not _has_a_day(str(request.get("ScheduleExpression", ""))):
        raise _invalid_schedule(f"Invalid Schedule Expression {request['ScheduleExpression']}.")
    start, end = (parse_to_aware_datetime(request[name]) if request.get(name) else None for name in ("StartDate", "EndDate"))
    if start and end and end <= start:
        raise _invalid_schedule("The EndDate you specify must come after the StartDate.")


@rule("scheduler", "CreateSchedule", "UpdateSchedule")
def _target_of_schedule(context: Context, request: Mapping[str, Any]) -> None:
    target = request.get("Target") or {}
    arn, given = str(target.get("Arn", "")), target.get("Input")
    if arn.count(":") < 5 or not arn.startswith("arn:"):
        raise _invalid_schedule(f"Provided Arn {arn} is not in correct format.")
    if not targets.is_emulated(arn):
        raise NotEmulatedError("scheduler", f"a schedule with target {arn}")
    if given and (arn.startswith(("arn:aws:lambda:", "arn:aws:scheduler:::aws-sdk:")) or ":event-bus/" in arn):
        require_json(given, _invalid_schedule("Invalid RequestJson provided. Reason: the target's Input is not JSON."))


def _invalid_schedule(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
