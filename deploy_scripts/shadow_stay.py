"""A version's stay in production's shadow: it is put in, seen for the set time, and taken out again, whatever happens in between.

The function that may change production does both (infra/model/change_production/); here it is asked, and waited for. A return to an
earlier version ends the stay, which does not hold it up. Used by shadow.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from botocore.config import Config

from build_scripts.command_line import ProblemError
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.live_endpoint import describe_endpoint
from deploy_scripts.shadow_metrics import minutes_seen
from deploy_scripts.stack_states import describe_stack
from deploy_scripts.wait_for_endpoint import wait_until_updatable
from settings_schema import ServingNames, Shadow

POLL_SECONDS = 3
#: CloudWatch has a minute's values some minutes later; without any, the stay ends as long after its time.
PATIENCE_SECONDS = 15 * 60
_ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=70)


@dataclass(frozen=True)
class Stay:
    """`began`: the first whole minute in service; None if it never was. `ended`: why not, or why it ended early; else empty.

    `instances`: of the shadow, which does not scale (decision 168); `production`: that production had at the least and at the most.
    """

    began: datetime | None = None
    minutes: int = 0
    instances: int = 0
    ended: str = ""
    production: tuple[int, int] = (0, 0)


class ShadowFunction:
    """The function that puts a version in and takes it out, by its answer."""

    def __init__(self, project: ProjectEnvironment, name: str) -> None:
        self._client, self._name = project.client("lambda", _ONCE), name

    def change(self, package: str) -> tuple[bool, str]:
        """Whether it changed the stack, and why or why not. Raises ProblemError for a function that failed."""
        answer = self._client.invoke(FunctionName=self._name, Payload=json.dumps({"package": package}).encode())
        said = json.loads(answer["Payload"].read() or b"{}")
        if answer.get("FunctionError") or "changed" not in said:
            raise ProblemError(f"{self._name} failed: {said.get('errorMessage', said)}; its log says more")
        return bool(said["changed"]), str(said["reason"])


def stay(
    function: ShadowFunction, place: EnvironmentPlace, names: ServingNames, package: str, shadow: Shadow, seen: Callable[[Stay], None]
) -> Stay:
    """`seen` is called with what is there to see, before it is taken out; not if nothing is."""
    wait_until_updatable(place, names, None)
    changed, reason = function.change(package)
    print(reason, flush=True)
    if not changed:
        return Stay(ended=reason)
    try:
        made = _watch(place, names, shadow)
        if made.began is not None:
            seen(made)
        return made
    finally:
        leave(function, place, names)


def leave(function: ShadowFunction, place: EnvironmentPlace, names: ServingNames) -> None:
    """Until nothing is in the shadow: what deploys meanwhile may be what takes it out."""
    while True:
        wait_until_updatable(place, names, None)
        if not in_shadow(place, names):
            return
        _, reason = function.change("")
        print(reason, flush=True)
        time.sleep(POLL_SECONDS)


def in_shadow(place: EnvironmentPlace, names: ServingNames) -> list[dict[str, Any]]:
    """What DescribeEndpoint says of the shadow variant."""
    endpoint = describe_endpoint(place.client("sagemaker"), names.endpoint) or {}
    return list(endpoint.get("ShadowProductionVariants") or [])


def _watch(place: EnvironmentPlace, names: ServingNames, shadow: Shadow) -> Stay:
    wait_until_updatable(place, names, None)
    endpoint, shadows = describe_endpoint(place.client("sagemaker"), names.endpoint), in_shadow(place, names)
    if endpoint is None or not shadows:
        return Stay(ended=_why_not_there(place, names, endpoint))
    began, instances = _next_minute(endpoint["LastModifiedTime"]), int(shadows[0]["CurrentInstanceCount"])
    cloudwatch = place.client("cloudwatch")
    deadline = time.monotonic() + shadow.minutes * 60 + PATIENCE_SECONDS
    said, counts = -1, [_running(endpoint)]
    while True:
        there = minutes_seen(cloudwatch, names.endpoint, began, shadow.minutes)
        now = describe_endpoint(place.client("sagemaker"), names.endpoint) or {}
        counts.append(_running(now) or counts[-1])
        so_far = Stay(began, there, instances, production=(min(counts), max(counts)))
        if there >= shadow.minutes:
            return so_far
        if not now.get("ShadowProductionVariants"):
            return replace(so_far, ended="it was taken out before its time, by a return or another deployment to production")
        if time.monotonic() > deadline:
            return replace(so_far, ended=f"CloudWatch has no more minutes of it, {PATIENCE_SECONDS // 60} min after its time")
        if there // 10 != said:
            said = there // 10
            print(f"{there} of {shadow.minutes} min", flush=True)
        time.sleep(POLL_SECONDS)


def _running(endpoint: Mapping[str, Any]) -> int:
    return sum(int(variant.get("CurrentInstanceCount", 0)) for variant in endpoint.get("ProductionVariants") or [])


def _next_minute(moment: datetime) -> datetime:
    """The first whole minute of which both have all requests."""
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _why_not_there(place: EnvironmentPlace, names: ServingNames, endpoint: dict[str, Any] | None) -> str:
    stack = describe_stack(place.client("cloudformation"), names.stack) or {}
    reason = (endpoint or {}).get("FailureReason") or stack.get("StackStatusReason") or "no reason given"
    return f"its instances did not come into service: {reason}"
