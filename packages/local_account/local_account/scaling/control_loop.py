"""Lets Application Auto Scaling act: at every beat, for every scalable target, `capacity.engine` decides and the endpoint follows.

In: moto's targets, policies and scheduled actions; CloudWatch's metrics and alarms. Out: calls of SageMaker,
DescribeScalingActivities and the record of `activities.py`.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from capacity.api import configuration_from_api
from capacity.bounds import Decision
from capacity.engine import AGGREGATIONS, ScalingEngine
from capacity.model import MetricSpecification
from local_account.context import Context
from local_account.monitoring import alarm_loop, heartbeat, store
from local_account.monitoring.store import MetricStat
from local_account.scaling.activities import Activities
from local_account.scaling.dimensions import Scaled, ask_for, capacity, find, words
from local_account.scaling.operations import NAMESPACE, backend

_log = logging.getLogger(__name__)
_MINUTE = 60


@dataclass
class _Watched:
    """A scalable target and its engine, as long as its configuration stays the same."""

    engine: ScalingEngine
    fingerprint: str
    bounds: tuple[int, int]
    stepped: int = -1
    observed: int = -1


def begin(context: Context) -> None:
    """Act on every scalable target of this account and region until they stop."""
    heartbeat.on_beat(context, ControlLoop(context).step)


class ControlLoop:
    """Acts for one account. `step` is called at every beat."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watched: dict[str, _Watched] = {}

    def step(self, now: float) -> None:
        """Decide for every target whose next evaluation is due at `now`, in Unix seconds."""
        targets = {name: target for of_dimension in backend(self._context).targets.values() for name, target in of_dimension.items()}
        for gone in set(self._watched) - set(targets):
            del self._watched[gone]
        for resource_id, target in targets.items():
            scaled = find(self._context, resource_id, target.scalable_dimension)
            if scaled is not None and scaled.endpoint.fleet is not None and not scaled.endpoint.deleted.is_set():
                watched = self._engine_of(resource_id, target, now)
                self._step_target(watched, target, scaled, now)

    def _engine_of(self, resource_id: str, target: Any, now: float) -> _Watched:
        """The target's engine; a new one when the target, a policy or a scheduled action has changed."""
        from moto.applicationautoscaling.responses import _build_policy, _build_scheduled_action, _build_target

        policies = [policy for policy in list(backend(self._context).policies.values()) if policy.resource_id == resource_id]
        actions = [action for action in list(backend(self._context).scheduled_actions) if action.resource_id == resource_id]
        described = (
            [{**_build_policy(policy), "Alarms": []} for policy in policies],
            [_build_scheduled_action(action) for action in actions],
        )
        fingerprint = json.dumps([described, target.suspended_state], sort_keys=True, default=str)
        bounds = target.min_capacity, target.max_capacity
        watched = self._watched.get(resource_id)
        if watched is None or watched.fingerprint != fingerprint or watched.bounds != bounds:
            configuration = configuration_from_api({**_build_target(target), "SuspendedState": target.suspended_state or {}}, *described)
            engine = ScalingEngine(configuration.target, configuration.policies, configuration.scheduled_actions, start=now)
            watched = self._watched[resource_id] = _Watched(engine, fingerprint, bounds)
        return watched

    def _step_target(self, watched: _Watched, target: Any, scaled: Scaled, now: float) -> None:
        engine = watched.engine
        interval = min([metric.period_seconds for metric in engine.metrics] + [_MINUTE])
        if watched.stepped >= int(now // interval):
            return
        watched.stepped = int(now // interval)
        now_has = capacity(target.scalable_dimension, scaled.endpoint.variant_record(scaled.variant))
        desired, running = now_has.desired, now_has.running
        decisions = engine.step(
            now,
            desired=desired,
            running=running,
            updating=scaled.endpoint.status != "InService",
            datapoints={metric: self._values(metric, count, scaled, now) for metric, count in engine.datapoints_needed.items()},
            breaches=self._breaches(target.resource_id),
        )
        watched.bounds = target.min_capacity, target.max_capacity = engine.min_capacity, engine.max_capacity
        self._observe(watched, target.resource_id, scaled, now, running, desired)
        for decision in decisions:
            self._perform(decision, target, scaled, now, running)

    def _values(self, metric: MetricSpecification, count: int, scaled: Scaled, now: float) -> list[float | None]:
        read = scaled.metric(metric)
        return store.series(MetricStat(read.namespace, read.name, dict(read.dimensions), read.statistic, read.period_seconds), now, count)

    def _breaches(self, resource_id: str) -> dict[str, tuple[float, float]]:
        """Step policy name -> (metric value, threshold), for alarms in ALARM whose actions name the policy."""
        from ministack.services import cloudwatch

        loop = alarm_loop.AlarmLoop.at(self._context)
        found = {}
        for policy in list(backend(self._context).policies.values()):
            if policy.resource_id != resource_id or policy.policy_type != "StepScaling":
                continue
            alarms = [alarm for alarm in list(cloudwatch._alarms.values()) if policy.policy_arn in alarm.get("AlarmActions", [])]
            policy.alarms = [SimpleNamespace(name=alarm["AlarmName"], alarm_arn=alarm["AlarmArn"]) for alarm in alarms]
            for alarm in alarms:
                if alarm["StateValue"] == "ALARM" and alarm.get("ActionsEnabled", True):
                    evaluation = loop.evaluations.get(alarm["AlarmName"])
                    newest = (evaluation.values if evaluation else ())[-int(alarm["EvaluationPeriods"]) :]
                    present = [value for value in newest if value is not None]
                    # An alarm that was set by hand may have no value: it is just at its threshold then.
                    aggregation = AGGREGATIONS[policy.step_scaling_policy_configuration.get("MetricAggregationType", "Average")]
                    found[policy.policy_name] = aggregation(present) if present else alarm["Threshold"], alarm["Threshold"]
        return found

    def _observe(self, watched: _Watched, resource_id: str, scaled: Scaled, now: float, running: int, desired: int) -> None:
        if watched.observed < int(now // _MINUTE):
            watched.observed = int(now // _MINUTE)
            Activities.at(self._context).observe(scaled, now, load=self._load(scaled, now), running=running, desired=desired)

    def _load(self, scaled: Scaled, now: float) -> float:
        """Invocations in the last minute that is over."""
        dimensions = scaled.endpoint.dimensions(scaled.variant)
        return store.series(MetricStat("AWS/SageMaker", "Invocations", dimensions, "Sum", _MINUTE), now, 1)[0] or 0.0

    def _perform(self, decision: Decision, target: Any, scaled: Scaled, now: float, running: int) -> None:
        history, resource_id, dimension = Activities.at(self._context), target.resource_id, target.scalable_dimension
        history.observe(scaled, now, load=self._load(scaled, now), running=running, desired=decision.new, decision=decision)
        activity = history.begin({"ServiceNamespace": NAMESPACE, "ResourceId": resource_id, "ScalableDimension": dimension}, decision)
        if not decision.changes_capacity:
            activity.update(Description=f"Setting {decision.cause}.", StatusCode="Successful", EndTime=now)
            return
        try:
            ask_for(self._context.client("sagemaker"), dimension, scaled, decision.new)
            activity.update(
                StatusCode="Successful", EndTime=now, StatusMessage=f"Successfully set desired {words(dimension)} to {decision.new}."
            )
        except ClientError as error:
            _log.warning("scaling %s to %s was refused: %s", resource_id, decision.new, error)
            activity.update(StatusCode="Failed", EndTime=now, StatusMessage=str(error))
