"""How traffic moves to a new fleet: the steps of a deployment configuration, checked as SageMaker checks it. Pure.

In: the `DeploymentConfig` of UpdateEndpoint. Out: `Plan`, which `lifecycle.py` performs on the account's clock.
Source: SageMaker Developer Guide, "Blue/Green Deployments" and the API reference of BlueGreenUpdatePolicy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_account.errors import InvalidError


@dataclass(frozen=True)
class Plan:
    """`shares` are the new fleet's growing shares of traffic, the last one 1.0; alarms are watched for `bake_seconds` after each.

    A deployment that has not moved all traffic after `timeout_seconds` goes back.
    """

    shares: tuple[float, ...]
    bake_seconds: float
    termination_wait_seconds: float
    alarms: tuple[str, ...]
    timeout_seconds: float = math.inf


def plan(configuration: Mapping[str, Any] | None, new_instances: int) -> Plan:
    """Plan a deployment. Without configuration everything moves at once, with nothing watched, as SageMaker does.

    `new_instances` is the size of the new fleet, for sizes given in instances. Raises ServiceError for what SageMaker refuses.
    """
    configuration = configuration or {}
    policy = configuration.get("BlueGreenUpdatePolicy") or {}
    routing = policy.get("TrafficRoutingConfiguration") or {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    alarms = (configuration.get("AutoRollbackConfiguration") or {}).get("Alarms") or []
    planned = Plan(
        shares=_shares(routing, new_instances),
        bake_seconds=float(routing.get("WaitIntervalInSeconds") or 0),
        termination_wait_seconds=float(policy.get("TerminationWaitInSeconds") or 0),
        alarms=tuple(alarm["AlarmName"] for alarm in alarms),
        timeout_seconds=float(policy.get("MaximumExecutionTimeoutInSeconds") or math.inf),
    )
    waiting = planned.bake_seconds * len(planned.shares) + planned.termination_wait_seconds
    if planned.timeout_seconds <= waiting:
        raise InvalidError(
            f"MaximumExecutionTimeoutInSeconds is {planned.timeout_seconds:g}; allowed: more than the {waiting:g} seconds that "
            "WaitIntervalInSeconds and TerminationWaitInSeconds add up to"
        )
    return planned


def _shares(routing: Mapping[str, Any], new_instances: int) -> tuple[float, ...]:
    kind = routing.get("Type")
    if kind == "ALL_AT_ONCE":
        return (1.0,)
    if kind == "CANARY":
        return (_share("CanarySize", routing.get("CanarySize"), new_instances, lowest=0.0), 1.0)
    if kind == "LINEAR":
        step = _share("LinearStepSize", routing.get("LinearStepSize"), new_instances, lowest=0.1)
        steps: list[float] = []
        while not steps or steps[-1] < 1.0:
            steps.append(min(1.0, round(step * (len(steps) + 1), 6)))
        return tuple(steps)
    raise InvalidError(f"TrafficRoutingConfiguration.Type is {kind!r}; allowed: ALL_AT_ONCE, CANARY, LINEAR")


def _share(name: str, size: Mapping[str, Any] | None, new_instances: int, lowest: float) -> float:
    """A CapacitySize as a share of the fleet: at most half of it; a linear step at least a tenth."""
    if not size:
        raise InvalidError(f"{name} is required for this type of traffic routing")
    value = float(size["Value"])
    share = value / 100 if size["Type"] == "CAPACITY_PERCENT" else value / max(new_instances, 1)
    if not (lowest <= share <= 0.5 and share > 0):
        allowed = f"{'10' if lowest else 'more than 0'} to 50 % of the new fleet"
        raise InvalidError(f"{name} is {size['Value']} ({size['Type']}) of {new_instances} instances; allowed: {allowed}")
    return share


def tripped(plan_: Plan, states: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the plan's alarms that are in ALARM, out of DescribeAlarms' `MetricAlarms` and `CompositeAlarms`."""
    return sorted(alarm["AlarmName"] for alarm in states if alarm["AlarmName"] in plan_.alarms and alarm["StateValue"] == "ALARM")
