"""How traffic moves to a new fleet: the steps of a deployment configuration, checked as SageMaker checks it. Pure.

In: the `DeploymentConfig` of UpdateEndpoint. Out: `Plan`, which `lifecycle.py` performs on the account's clock.
Sources: SageMaker Developer Guide, "Blue/Green Deployments", "Use rolling deployments" and "Exclusions"; the API reference of
BlueGreenUpdatePolicy, RollingUpdatePolicy and CapacitySize.
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

    A deployment that has not moved all traffic after `timeout_seconds` goes back. `rolls`: instances come and go with the traffic, and come
    back by `rollback_share` of the old fleet.
    """

    shares: tuple[float, ...]
    bake_seconds: float
    termination_wait_seconds: float
    alarms: tuple[str, ...]
    timeout_seconds: float = math.inf
    rolls: bool = False
    rollback_share: float = 1.0


def plan(configuration: Mapping[str, Any] | None, counts: Mapping[str, int]) -> Plan:
    """Plan a deployment. Without configuration everything moves at once, with nothing watched, as SageMaker does.

    `counts` are the new fleet's instances by variant. Raises ServiceError for what SageMaker refuses.
    """
    configuration = configuration or {}
    alarms = tuple(alarm["AlarmName"] for alarm in (configuration.get("AutoRollbackConfiguration") or {}).get("Alarms") or [])
    rolling = configuration.get("RollingUpdatePolicy")
    if rolling is None:
        return _blue_green(configuration.get("BlueGreenUpdatePolicy") or {}, alarms, sum(counts.values()))
    if configuration.get("BlueGreenUpdatePolicy") is not None:
        raise InvalidError("DeploymentConfig has BlueGreenUpdatePolicy and RollingUpdatePolicy; only one of them may be used")
    if len(counts) > 1:
        raise InvalidError(f"RollingUpdatePolicy cannot be used with {len(counts)} variants ({', '.join(counts)}); allowed: one")
    return _rolling(rolling, alarms, sum(counts.values()))


def _rolling(policy: Mapping[str, Any], alarms: tuple[str, ...], instances: int) -> Plan:
    """Each batch is of whole instances. On the way back all of the old fleet comes at once, where nothing else is said."""
    share = _share("MaximumBatchSize", policy.get("MaximumBatchSize"), instances, lowest=0.05)
    batch = max(1, math.floor(share * instances))
    back = policy.get("RollbackMaximumBatchSize")
    return Plan(
        shares=tuple(min(number, instances) / instances for number in range(batch, instances + batch, batch)),
        bake_seconds=float(policy["WaitIntervalInSeconds"]),
        termination_wait_seconds=0.0,
        alarms=alarms,
        timeout_seconds=float(policy.get("MaximumExecutionTimeoutInSeconds") or math.inf),
        rolls=True,
        rollback_share=_share("RollbackMaximumBatchSize", back, instances, lowest=0.05, highest=1.0) if back else 1.0,
    )


def _blue_green(policy: Mapping[str, Any], alarms: tuple[str, ...], instances: int) -> Plan:
    routing = policy.get("TrafficRoutingConfiguration") or {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    planned = Plan(
        shares=_shares(routing, instances),
        bake_seconds=float(routing.get("WaitIntervalInSeconds") or 0),
        termination_wait_seconds=float(policy.get("TerminationWaitInSeconds") or 0),
        alarms=alarms,
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


def _share(name: str, size: Mapping[str, Any] | None, new_instances: int, lowest: float, highest: float = 0.5) -> float:
    """A CapacitySize as a share of the fleet: at most half of it; a linear step at least a tenth, a batch at least a twentieth."""
    if not size:
        raise InvalidError(f"{name} is required for this type of traffic routing")
    value = float(size["Value"])
    share = value / 100 if size["Type"] == "CAPACITY_PERCENT" else value / max(new_instances, 1)
    if not (lowest <= share <= highest and share > 0):
        allowed = f"{f'{lowest:.0%}'.rstrip('%') if lowest else 'more than 0'} to {highest * 100:g} % of the new fleet"
        raise InvalidError(f"{name} is {size['Value']} ({size['Type']}) of {new_instances} instances; allowed: {allowed}")
    return share


def tripped(plan_: Plan, states: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the plan's alarms that are in ALARM, out of DescribeAlarms' `MetricAlarms` and `CompositeAlarms`."""
    return sorted(alarm["AlarmName"] for alarm in states if alarm["AlarmName"] in plan_.alarms and alarm["StateValue"] == "ALARM")
