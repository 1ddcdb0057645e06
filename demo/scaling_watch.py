"""Watches a variant scale: its instance count over simulated time, and which rule made each change.

In: a `Terminal` and the names of a model in an environment. Out: `Sample`s and `Activity`s, for the story and for `plots.py`.
Source of the text formats: API reference of Application Auto Scaling, ScalingActivity.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from demo import loop
from demo.clock import AccountClock
from demo.terminal import Terminal
from settings_schema import ServingNames
from settings_schema.names import VARIANT

_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_POLL_SECONDS = 0.25
TARGET_TRACKING, STEP, SCHEDULE, OTHER = "target tracking", "step scaling", "schedule", "bounds"


@dataclass(frozen=True)
class Sample:
    """Instances in service at a simulated time."""

    time: datetime
    instances: int


@dataclass(frozen=True)
class Activity:
    """One scaling activity. `kind` is one of the constants above, `rule` the policy's or the scheduled action's name."""

    identifier: str
    time: datetime
    kind: str
    rule: str
    description: str
    cause: str


class ScalingWatch:
    """Samples on a thread of its own between `start` and `stop`."""

    def __init__(self, terminal: Terminal, names: ServingNames, clock: AccountClock) -> None:
        self._terminal, self._names, self._clock = terminal, names, clock
        self._resource = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{names.endpoint}/variant/{VARIANT}",
        }
        self._scaling = terminal.client("application-autoscaling")
        policies = self._scaling.describe_scaling_policies(**self._resource, ScalableDimension=_DIMENSION)["ScalingPolicies"]
        self._policy_types: dict[str, str] = {policy["PolicyName"]: policy["PolicyType"] for policy in policies}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="scaling-watch")
        self.samples: list[Sample] = []

    def start(self) -> None:
        self._sample()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    @property
    def instances(self) -> int:
        return self.samples[-1].instances

    def activities(self, since: datetime) -> list[Activity]:
        """Activities that started at `since` or later, oldest first."""
        found = self._scaling.describe_scaling_activities(**self._resource, ScalableDimension=_DIMENSION)["ScalingActivities"]
        listed = [self._read(activity) for activity in found]
        return sorted((activity for activity in listed if activity.time >= since), key=lambda activity: activity.time)

    def _run(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            self._sample()

    def _sample(self) -> None:
        self.samples.append(Sample(self._clock.now(), loop.instance_count(self._terminal, self._names)))

    def _read(self, activity: Mapping[str, Any]) -> Activity:
        kind, rule = who_acted(activity["Cause"], self._policy_types)
        time = activity["StartTime"].astimezone(UTC)
        return Activity(activity["ActivityId"], time, kind, rule, activity.get("Description", ""), activity["Cause"])


def who_acted(cause: str, policy_types: Mapping[str, str]) -> tuple[str, str]:
    """Kind and name of the rule that an activity's cause names."""
    triggered = re.search(r"triggered policy ([\w.-]+)", cause)
    if triggered and triggered[1] in policy_types:
        return (STEP if policy_types[triggered[1]] == "StepScaling" else TARGET_TRACKING), triggered[1]
    scheduled = re.search(r"scheduled action (?:name )?[\"']?([\w.-]+)", cause)
    return (SCHEDULE, scheduled[1]) if scheduled else (OTHER, "")
