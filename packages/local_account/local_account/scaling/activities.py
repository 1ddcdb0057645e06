"""What scaling did and why: DescribeScalingActivities, and a record that a page can plot.

In: decisions and one observation per simulated minute. Out: activities in memory, and `<state>/scaling.jsonl`, one JSON object per
line: `time` (ISO 8601, UTC), `endpoint`, `variant`, `load` (invocations in the minute before), `instances` (running),
`desired`, and for a decision also `decision` ("2 -> 3"), `rule`, `kind` and `cause`; both null for a plain observation.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from capacity.bounds import Decision
from local_account.context import Context, Part
from local_account.scaling.dimensions import Scaled, words

RECORD_FILE = "scaling.jsonl"


class Activities(Part):
    """The scaling history of one account, newest last."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._path = context.settings.state_directory / RECORD_FILE
        self._lock = threading.Lock()
        self.records: list[dict[str, Any]] = []
        self.activities: list[dict[str, Any]] = []

    def observe(self, scaled: Scaled, now: float, *, load: float, running: int, desired: int, decision: Decision | None = None) -> None:
        """Add one line to the record."""
        record = {
            "time": datetime.fromtimestamp(now, UTC).isoformat(),
            "endpoint": scaled.endpoint.name,
            "variant": scaled.variant,
            "load": load,
            "instances": running,
            "desired": desired,
            "decision": f"{decision.old} -> {decision.new}" if decision else None,
            "rule": decision.rule if decision else None,
            "kind": decision.kind if decision else None,
            "cause": decision.cause if decision else None,
        }
        with self._lock:
            self.records.append(record)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

    def begin(self, target: Mapping[str, str], decision: Decision) -> dict[str, Any]:
        """Add an activity; it is InProgress until `status` is changed."""
        activity = {
            "ActivityId": str(uuid.uuid4()),
            **target,
            "Description": f"Setting desired {words(target['ScalableDimension'])} to {decision.new}.",
            "Cause": cause(decision),
            "StartTime": decision.time,
            "StatusCode": "InProgress",
        }
        with self._lock:
            self.activities.append(activity)
        return activity


def cause(decision: Decision) -> str:
    """Why, in the words of Application Auto Scaling, followed by the numbers."""
    kinds = {
        "target tracking": f"monitor alarm of policy {decision.rule} triggered policy {decision.rule}",
        "step scaling": f"monitor alarm of policy {decision.rule} triggered policy {decision.rule}",
        "scheduled": f"scheduled action name {decision.rule} was triggered",
    }
    return f"{kinds.get(decision.kind, f'{decision.rule} set new bounds')}: {decision.cause}"
