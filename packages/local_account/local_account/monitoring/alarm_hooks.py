"""What MiniStack's CloudWatch lacks for alarms: an event when their state changes, states that were set by hand and last, and the account's
time, which values have that come without one (PutMetricData, "Timestamp", of the CloudWatch API reference).

Its own evaluation, which ignores dimensions, periods and missing data, is switched off in favour of `alarm_loop.py`.
The hooks are put in place once per process and work for the accounts that were installed last.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from local_account.context import Context
from local_account.monitoring import alarm_loop

_active: list[Context] = []


def install(context: Context) -> None:
    """Hook MiniStack for this account."""
    from ministack.services import cloudwatch

    _active[:] = [context]
    if getattr(cloudwatch, "_alarms_are_ours", False):
        return
    cloudwatch._alarms_are_ours = True
    cloudwatch.time = SimpleNamespace(time=lambda: _active[0].here.clock.now().timestamp())  # all that it asks that module
    cloudwatch._evaluate_alarm = lambda alarm: None
    cloudwatch._dispatch_alarm_actions = _with_event(cloudwatch._dispatch_alarm_actions)
    cloudwatch._set_alarm_state = _held(cloudwatch._set_alarm_state)


def _held(original: Any) -> Any:
    """SetAlarmState, whose state lasts until a whole period later rather than until the next beat."""

    def set_state(params: Any, data: Mapping[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        if data.get("AlarmName"):
            here = _active[0].here
            alarm_loop.AlarmLoop.at(here).hold(data["AlarmName"], here.clock.now().timestamp())
        return original(params, data, is_cbor, is_json)

    return set_state


def _with_event(original: Any) -> Any:
    """Alarm actions, and the `CloudWatch Alarm State Change` event, which does not depend on them."""

    def dispatch(alarm: Mapping[str, Any], old_state: str, new_state: str, reason: str) -> None:
        original(alarm, old_state, new_state, reason)
        context = _active[0].here
        detail = event_detail(alarm, old_state, new_state, reason, context.clock.now())
        context.in_background(context.emit, "aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm["AlarmArn"]])

    return dispatch


def event_detail(alarm: Mapping[str, Any], old_state: str, new_state: str, reason: str, now: datetime) -> dict[str, Any]:
    """Detail of the event. Source: CloudWatch user guide, "Alarm events and EventBridge"."""
    state = {"value": new_state, "reason": reason, "timestamp": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000+0000"}
    if alarm.get("StateReasonData"):
        state["reasonData"] = alarm["StateReasonData"]
    configuration: dict[str, Any] = {"description": alarm.get("AlarmDescription") or ""}
    if "AlarmRule" in alarm:
        configuration["alarmRule"] = alarm["AlarmRule"]
    else:
        configuration["metrics"] = _event_metrics(alarm)
    return {"alarmName": alarm["AlarmName"], "state": state, "previousState": {"value": old_state}, "configuration": configuration}


def _event_metrics(alarm: Mapping[str, Any]) -> list[dict[str, Any]]:
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions") or []}
    metric = {"namespace": alarm.get("Namespace"), "name": alarm.get("MetricName"), "dimensions": dimensions}
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    return [{"id": "m1", "metricStat": {"metric": metric, "period": alarm.get("Period"), "stat": statistic}, "returnData": True}]
