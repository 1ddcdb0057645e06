"""Evaluates every alarm of the account when one of its periods is over, and acts on what changed.

In: MiniStack's alarms and metrics. Out: states in DescribeAlarms and the history, notifications, composite alarms, events.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from local_account.context import Context, Part
from local_account.monitoring import alarms, store
from local_account.monitoring.alarms import Evaluation

_log = logging.getLogger(__name__)

#: CloudWatch evaluates once a minute, and every ten seconds where the period is shorter than a minute.
_STANDARD_SECONDS, _HIGH_RESOLUTION_SECONDS = 60, 10


class AlarmLoop(Part):
    """Remembers when each alarm was last evaluated, and what was seen."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._evaluated: dict[str, int] = {}
        self.evaluations: dict[str, Evaluation] = {}

    def evaluate(self, now: float) -> None:
        """Evaluate the alarms for which a new evaluation is due at `now`, in Unix seconds."""
        from ministack.services import cloudwatch

        names = set(cloudwatch._alarms.keys())
        for gone in set(self._evaluated) - names:
            del self._evaluated[gone]
            self.evaluations.pop(gone, None)
        for name in names:
            alarm = cloudwatch._alarms.get(name)
            if alarm is not None:
                self._evaluate_if_due(name, alarm, now)

    def hold(self, name: str, now: float) -> None:
        """Leave a state that was set by hand until the next evaluation that is a whole period away."""
        self._evaluated[name] = int(now // _STANDARD_SECONDS) + 1

    def _evaluate_if_due(self, name: str, alarm: dict[str, Any], now: float) -> None:
        try:
            interval = _STANDARD_SECONDS if int(alarm["Period"]) >= _STANDARD_SECONDS else _HIGH_RESOLUTION_SECONDS
            due = int(now // interval)
            if name in self._evaluated and self._evaluated[name] >= due:
                return
            self._evaluated[name] = due
            evaluation = alarms.evaluate(alarm, store.series, now)
        except Exception as error:  # an alarm that cannot be evaluated says so in its own state, and the others are evaluated
            evaluation = Evaluation("INSUFFICIENT_DATA", f"The local account cannot evaluate this alarm: {error}", (), now)
            alarm["StateReason"] = evaluation.reason
        self.evaluations[name] = evaluation
        if evaluation.state != alarm["StateValue"]:
            _log.info("alarm %s: %s -> %s: %s", name, alarm["StateValue"], evaluation.state, evaluation.reason)
            _change(alarm, evaluation, now)  # an unchanged state keeps the reason that it was entered for


def _change(alarm: dict[str, Any], evaluation: Evaluation, now: float) -> None:
    """Do what MiniStack's SetAlarmState does, with the account's time."""
    from ministack.services import cloudwatch

    old = alarm["StateValue"]
    reason = {"StateReason": evaluation.reason, "StateReasonData": _reason_data(alarm, evaluation, now)}
    at = {"StateUpdatedTimestamp": int(now), "StateTransitionedTimestamp": int(now)}
    alarm |= {"StateValue": evaluation.state, **reason, **at}  # at once: who looks now sees no state with another one's reason
    cloudwatch._record_history(alarm["AlarmName"], old, evaluation.state, evaluation.reason)
    cloudwatch._dispatch_alarm_actions(alarm, old, evaluation.state, evaluation.reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def _reason_data(alarm: dict[str, Any], evaluation: Evaluation, now: float) -> str:
    data = {
        "version": "1.0",
        "queryDate": f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%S}.000+0000",
        "statistic": alarm.get("ExtendedStatistic") or alarm.get("Statistic"),
        "period": int(alarm["Period"]),
        "recentDatapoints": [value for value in evaluation.values if value is not None],
        "threshold": alarm["Threshold"],
    }
    return json.dumps(data)
