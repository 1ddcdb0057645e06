"""Fires schedules on the account's clock: those of EventBridge Scheduler, and rules with a schedule expression.

MiniStack keeps the records; its own loops know neither time zones nor a clock that runs faster, so they are not started.
`capacity/schedule.py` reads the expressions. Sources: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html and
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html (rules are in UTC).
"""

from __future__ import annotations

import functools
import json
import logging
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.utils import parse_to_aware_datetime

from capacity import schedule
from capacity.model import CapacityError
from local_account import hooks, running_functions
from local_account.context import Context
from local_account.events import Delivery, deliver
from local_account.places import scope

_log = logging.getLogger(__name__)

_TICK_SECONDS = 0.2  # real time
_LEAST_SECONDS = 5.0  # real time, between two invocations of a function by one schedule
_MAXIMUM_CATCH_UP = 60  # occurrences of one schedule per tick, if the clock was set forward


def install(context: Context) -> None:
    from ministack.services import eventbridge
    from ministack.services import scheduler as records

    records._create_schedule = hooks.around(records._create_schedule, functools.partial(_store, context))
    records._update_schedule = hooks.around(records._update_schedule, functools.partial(_store, context))
    eventbridge._validate_schedule_expression = _is_rule_expression
    context.in_background(_run, context)


def _run(context: Context) -> None:
    """Once a tick, fire what became due since the tick before."""
    since = context.clock.now()
    while not context.stopping.wait(_TICK_SECONDS):
        now = context.clock.now()
        if now <= since:
            continue
        for fire_due, records in ((_fire_schedule, _schedules()), (_fire_rule, _rules())):
            for key, record in records:
                try:
                    fire_due(context, key, record, since, now)
                except Exception:  # one broken record must not stop the clock for all others
                    _log.exception("schedule %s could not be fired", record.get("Arn"))
        since = now


def _schedules() -> list[tuple[Any, dict[str, Any]]]:
    from ministack.services import scheduler as records

    return [(key, record) for key, record in list(records._schedules._data.items()) if record.get("State") == "ENABLED"]


def _rules() -> list[tuple[Any, dict[str, Any]]]:
    from ministack.services import eventbridge

    rules = list(eventbridge._rules._data.items())
    return [(key, rule) for key, rule in rules if rule.get("State") == "ENABLED" and rule.get("ScheduleExpression")]


def _fire_schedule(context: Context, key: tuple[str, str, str], record: dict[str, Any], since: datetime, now: datetime) -> None:
    from ministack.services import scheduler as records

    place = context.places.at(*key[:2])
    created = _moment(record.get("_local_created")) or since
    parsed = _parse_schedule(record, created)
    for due in paced(record, _occurrences(parsed, max(since, created), now, record["Arn"], context.clock.left_out), time.monotonic()):
        target = record["Target"]
        payload = _in_context(target.get("Input"), due) or json.dumps(_event(place, record["Arn"], due))
        place.in_background(deliver, place, Delivery(record["Arn"], target, payload, target.get("Input")))
    if record.get("ActionAfterCompletion") == "DELETE" and parsed.next_after(now) is None:
        records._schedules._data.pop(key, None)


def _in_context(text: str | None, due: datetime) -> str | None:
    """The time, where the input asks for it: "Adding context attributes" of the EventBridge Scheduler user guide."""
    return text.replace("<aws.scheduler.scheduled-time>", f"{due.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}") if text else text


def _fire_rule(context: Context, key: tuple[str, str, str], rule: dict[str, Any], since: datetime, now: datetime) -> None:
    from ministack.services import eventbridge

    account_id, region, _ = key
    created = _moment(rule.setdefault("_LocalCreated", since.timestamp())) or since
    parsed = schedule.parse(rule["ScheduleExpression"], created=created)
    for due in _occurrences(parsed, max(since, created), now, rule["Arn"], context.clock.left_out):
        said = {"Source": "aws.events", "DetailType": "Scheduled Event", "Detail": "{}", "Resources": [rule["Arn"]]}
        event = {**said, "EventId": str(uuid.uuid4()), "Time": int(due.timestamp()), "Account": account_id, "Region": region}
        with scope(account_id, region):
            for target in eventbridge._targets._data.get(key, []):
                eventbridge._invoke_target(target, event, rule)


def _occurrences(
    parsed: schedule.Schedule, since: datetime, now: datetime, arn: str, left_out: tuple[datetime, datetime] | None = None
) -> list[datetime]:
    """Times in [since, now) at which a schedule fires; of those that a jump of the clock left out the last, and of many the latest.

    A morning that was skipped did not happen: what runs each hour runs once after it, and not for each of its hours at the same moment.
    """
    found = list(parsed.between(since, now))
    if left_out is not None:
        skipped = [due for due in found if left_out[0] <= due < left_out[1]]
        found = [due for due in found if due not in skipped[:-1]]
    if len(found) > _MAXIMUM_CATCH_UP:
        _log.warning("%s was due %d times at once; firing the last %d", arn, len(found), _MAXIMUM_CATCH_UP)
    return found[-_MAXIMUM_CATCH_UP:]


def paced(record: dict[str, Any], due: list[datetime], at: float) -> list[datetime]:
    """Those to fire now. A function runs in real time: on a clock that runs faster it would be woken again before it has ended.

    So of what comes due while it runs, or within _LEAST_SECONDS of its last invocation, the latest waits. `at`: real seconds.
    """
    arn = record["Target"]["Arn"]
    if ":lambda:" not in arn:
        return due
    waiting = [*record.pop("_local_waiting", []), *due][-1:]
    if waiting and (at - record.get("_local_woken", -_LEAST_SECONDS) < _LEAST_SECONDS or running_functions.is_running(arn)):
        record["_local_waiting"] = waiting
        return []
    if waiting:
        record["_local_woken"] = at
    return waiting


def _parse_schedule(record: dict[str, Any], created: datetime) -> schedule.Schedule:
    return schedule.parse(
        record["ScheduleExpression"],
        record.get("ScheduleExpressionTimezone") or "UTC",
        created=created,
        start=_moment(record.get("StartDate")),
        end=_moment(record.get("EndDate")),
    )


def _moment(value: Any) -> datetime | None:
    """The API's times: seconds since 1970, or ISO 8601 text."""
    return None if value is None else parse_to_aware_datetime(value)


def _event(context: Context, arn: str, due: datetime) -> dict[str, Any]:
    """What a target without an input of its own gets from a schedule."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": context.settings.account_id,
        "time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": context.settings.region,
        "resources": [arn],
        "detail": "{}",
    }


# ---------------------------------------------------------------------------------------- validation


def _store(context: Context, original: Callable[..., Any], name: str, body: dict[str, Any]) -> Any:
    """Refuse an expression or time zone that would never fire, which MiniStack stores silently."""
    from ministack.services import scheduler as records

    try:
        _parse_schedule(body, context.clock.now())
    except (CapacityError, KeyError, ValueError) as error:
        return records._error(400, "ValidationException", str(error))
    answer = original(name, body)
    record = records._schedules.get(f"{body.get('GroupName', 'default')}/{name}")
    if record is not None:
        record["_local_created"] = context.clock.now().timestamp()  # a rate counts from here
    return answer


def _is_rule_expression(expression: str) -> bool:
    """Whether a rule may have this schedule: cron or rate, not at."""
    try:
        schedule.parse(expression)
    except CapacityError:
        return False
    return not expression.strip().startswith("at")
