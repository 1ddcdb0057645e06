"""Creates, updates, scales and deletes endpoints: the work behind an API call, on a thread of its own.

In: an `Endpoint` whose status `operations.py` has already changed. Out: processes, traffic moved step by step (`rollout.py`),
the final status with its reason, and `SageMaker Endpoint State Change` events.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from local_account.context import Context
from local_account.endpoints import data_capture, package, rollout
from local_account.endpoints.backlog import Backlog
from local_account.endpoints.endpoint_logs import EndpointLogs
from local_account.endpoints.fleet import HEALTH_CHECK_SECONDS, Fleet, Variant, instances_of, strategy_of
from local_account.endpoints.instance_memory import memory_bytes
from local_account.endpoints.models import Models, data_url, is_multi_model
from local_account.endpoints.multi_model import Archives, MultiModelVariant
from local_account.endpoints.registry import Endpoint, Endpoints, desired_counts, records, variants_of
from local_account.endpoints.serverless import ServerlessVariant
from local_account.roles import Role, sagemaker_role
from local_account.sagemaker.jobs.record import LONGEST_REASON

#: Alarms are looked at this often while a step bakes, in simulated seconds, but not more often than in real ones.
_BAKE_POLL_SIMULATED_SECONDS = 5.0
_POLL_REAL_SECONDS = 0.1

_EVENT_STATUS = {
    "Creating": "CREATING",
    "Updating": "UPDATING",
    "RollingBack": "ROLLING_BACK",
    "InService": "IN_SERVICE",
    "Failed": "FAILED",
    "Deleting": "DELETING",
}


class RollbackError(Exception):
    """A deployment was taken back; the message is the endpoint's FailureReason."""


def set_status(context: Context, endpoint: Endpoint, status: str, reason: str | None = None) -> None:
    """Change what DescribeEndpoint says, and tell the event bus. `reason` stays visible until the next change."""
    record = endpoint.record
    record["EndpointStatus"], record["FailureReason"] = status, reason[:LONGEST_REASON] if reason else None
    record["LastModifiedTime"] = context.clock.now()
    if not endpoint.is_listed:
        return
    detail = {
        "EndpointName": endpoint.name,
        "EndpointArn": record["EndpointArn"],
        "EndpointConfigName": record["EndpointConfigName"],
        "ProductionVariants": record["ProductionVariants"],
        "EndpointStatus": _EVENT_STATUS[status],
        **({"FailureReason": reason} if reason else {}),
    }
    context.emit("aws.sagemaker", "SageMaker Endpoint State Change", detail, [record["EndpointArn"]])


def broken_off(endpoints: Endpoints, endpoint: Endpoint) -> Callable[[Exception], None]:
    """How an endpoint's record ends when the work on it was broken off by a failure of its own: what serves, serves on."""

    def end(error: Exception) -> None:
        if not endpoint.deleted.is_set():
            set_status(endpoints.context, endpoint, "Failed" if endpoint.fleet is None else "InService", _reason(error))

    return end


def create(endpoints: Endpoints, endpoint: Endpoint, configuration: Mapping[str, Any]) -> None:
    """Bring up a new endpoint: InService, or Failed with the reason."""
    context = endpoints.context
    with endpoint.changing:
        try:
            endpoint.fleet = _build(endpoints, endpoint, configuration)
            endpoint.capture = data_capture.start(
                context, _role(context, configuration), endpoint.name, configuration.get("DataCaptureConfig")
            )
            _queue(context, endpoint, configuration)
        except Exception as error:  # whatever keeps it from serving is the endpoint's FailureReason
            set_status(context, endpoint, "Failed", _reason(error))
            return
        endpoint.refresh_record()
        if not endpoint.deleted.is_set():
            set_status(context, endpoint, "InService")


def update(
    endpoints: Endpoints,
    endpoint: Endpoint,
    configuration: Mapping[str, Any],
    plan: rollout.Plan,
    capture: tuple[str, Mapping[str, Any] | None],
) -> None:
    """Deploy a configuration. The old fleet serves until the new one has proven itself, and again if it does not.

    Blue/green has both fleets whole; a rolling update adds a batch to the new one, moves its share of the traffic, and takes as much away.
    `capture` is what data capture is to be afterwards, after the name of the configuration that says so.
    """
    context, old = endpoints.context, endpoint.fleet
    with endpoint.changing:
        left_seconds, started = plan.timeout_seconds, time.monotonic()
        before = old.sizes() if old is not None else {}
        whole = desired_counts(variants_of(configuration))
        try:
            candidate = endpoint.candidate = _build(endpoints, endpoint, configuration, plan.shares[0] if plan.rolls else 1.0)
            for share in plan.shares:
                if plan.rolls:
                    candidate.resize(whole, share)
                # Building takes real time, baking the account's: a fast clock must not make processes late.
                left_seconds -= time.monotonic() - started
                endpoint.candidate_share = share
                _bake(context, _role(context, configuration), endpoint, plan, context.clock.now().timestamp() + left_seconds)
                left_seconds, started = left_seconds - plan.bake_seconds, time.monotonic()
                if plan.rolls and old is not None:
                    old.resize(before, 1 - share)
        except Exception as error:  # any failure keeps the old fleet; the reason is shown
            _roll_back(context, endpoint, error, plan, before)
            return
        _take_over(context, endpoint, candidate, configuration, capture)
        _interrupted(context, endpoint, plan.termination_wait_seconds)
        if old is not None:
            old.close()
        endpoint.refresh_record()
        if not endpoint.deleted.is_set():
            set_status(context, endpoint, "InService")


def scale(endpoints: Endpoints, endpoint: Endpoint, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Perform UpdateEndpointWeightsAndCapacities, whose wishes are already in the record."""
    context = endpoints.context
    reason = None
    with endpoint.changing:
        for change in wanted:
            variant = endpoint.fleet.variants[change["VariantName"]] if endpoint.fleet else None
            if variant is None:
                continue
            if change.get("DesiredWeight") is not None:
                variant.weight = float(change["DesiredWeight"])
            try:
                if change.get("DesiredInstanceCount") is not None:
                    variant.scale_to(int(change["DesiredInstanceCount"]))
                if change.get("ServerlessUpdateConfig") and isinstance(variant, ServerlessVariant):
                    variant.reconfigure(change["ServerlessUpdateConfig"])
            except Exception as error:  # the instances that run serve on; the reason is shown
                reason = _reason(error)
        endpoint.refresh_record()
        if not endpoint.deleted.is_set():
            set_status(context, endpoint, "InService", reason)


def end_idle(endpoints: Endpoints, now: float) -> None:
    """`now`: simulated time in seconds since 1970."""
    for endpoint in endpoints.all():
        for variant in endpoint.variants():
            if isinstance(variant, ServerlessVariant):
                variant.end_idle(now)


def delete(endpoints: Endpoints, endpoint: Endpoint) -> None:
    """End every process of the endpoint and write what data capture still holds; returns when it is done."""
    endpoint.deleted.set()
    set_status(endpoints.context, endpoint, "Deleting")
    with endpoint.changing:
        for fleet in endpoint.fleets():
            fleet.close()
        if endpoint.capture is not None:
            endpoint.capture.close()


def _build(endpoints: Endpoints, endpoint: Endpoint, configuration: Mapping[str, Any], share: float = 1.0) -> Fleet:
    """A fleet with a share of its instances, all of them healthy. Ends what it started if one is not."""
    context = endpoints.context
    name = str(configuration["EndpointConfigName"])
    fleet = Fleet(name, {})
    shadows = configuration.get("ShadowProductionVariants") or []
    counts = desired_counts(variants_of(configuration))
    try:
        for variant in variants_of(configuration):
            if "ModelName" not in variant:
                continue  # components.py puts models there
            opt_ml = context.directory("endpoints", endpoint.name, name, variant["VariantName"])
            built = _variant(endpoints, variant, opt_ml, _log_paths(context, endpoint, variant, name))
            (fleet.shadows if variant in shadows else fleet.variants)[built.name] = built
            built.begin(instances_of(counts[built.name], share))
            if endpoint.deleted.is_set():
                raise RollbackError("the endpoint was deleted meanwhile")
    except Exception:
        fleet.close()
        raise
    return fleet


def _variant(endpoints: Endpoints, variant: Mapping[str, Any], opt_ml: Path, logs: Callable[[int], Path]) -> Variant:
    """Of its kind, with what it serves unpacked below `opt_ml`, and no instance yet."""
    context, models, name = endpoints.context, Models.at(endpoints.context), variant["ModelName"]
    patience = float(variant.get("ContainerStartupHealthCheckTimeoutInSeconds") or HEALTH_CHECK_SECONDS)
    has_many = is_multi_model(models.record(name))
    served = package.unpack_multi_model(context, name, opt_ml / "models") if has_many else package.unpack(context, name, opt_ml / "model")
    given = (variant["VariantName"], _weight(variant), served, endpoints.launcher, logs, strategy_of(variant))
    if has_many:
        archives = Archives(models.role(name), data_url(models.container(name)))
        return MultiModelVariant(archives, memory_bytes(variant["InstanceType"]), *given, patience)
    if serverless := variant.get("ServerlessConfig"):
        return ServerlessVariant(context, serverless, *given)
    return Variant(*given, patience)


def _weight(variant: Mapping[str, Any]) -> float:
    return float(variant.get("InitialVariantWeight", 1.0))


def _queue(context: Context, endpoint: Endpoint, configuration: Mapping[str, Any]) -> None:
    """What waits in the queue of an asynchronous endpoint waits on while it is updated."""
    asynchronous = endpoint.record["AsyncInferenceConfig"] = configuration.get("AsyncInferenceConfig")
    if not asynchronous:
        endpoint.backlog = None
        return
    endpoint.backlog = endpoint.backlog or Backlog(context, endpoint)
    endpoint.backlog.configure(asynchronous, _role(context, configuration))


def _log_paths(context: Context, endpoint: Endpoint, variant: Mapping[str, Any], configuration: str) -> Callable[[int], Path]:
    """A file for each instance, which is also written into CloudWatch Logs."""
    role, name = Models.at(context).role(variant["ModelName"]), str(variant["VariantName"])

    def path(number: int) -> Path:
        file = context.log_path("endpoint", f"{endpoint.name}/{name}/{configuration}-{number}")
        EndpointLogs.at(context).follow(file, role, endpoint.log_group, name)
        return file

    return path


def _bake(context: Context, role: Role, endpoint: Endpoint, plan: rollout.Plan, deadline: float) -> None:
    """Watch the rollback alarms for a step's bake time. Raises RollbackError when one trips, the deployment takes too long, or the
    endpoint goes. `deadline` is simulated time in seconds since 1970.
    """
    end = context.clock.now().timestamp() + plan.bake_seconds
    while True:
        tripped = rollout.tripped(plan, _alarm_states(role, plan.alarms))
        if tripped:
            raise RollbackError(f"The deployment was rolled back because these alarms were in ALARM: {', '.join(tripped)}.")
        now = context.clock.now().timestamp()
        if now > deadline:
            raise RollbackError(f"The deployment took longer than its MaximumExecutionTimeoutInSeconds of {plan.timeout_seconds:g}.")
        left = end - now
        if left <= 0:
            return
        pause = max(min(_BAKE_POLL_SIMULATED_SECONDS, left), _POLL_REAL_SECONDS * context.clock.speed)
        if _interrupted(context, endpoint, pause):
            raise RollbackError("The deployment ended because the endpoint was deleted.")


def _interrupted(context: Context, endpoint: Endpoint, simulated_seconds: float) -> bool:
    """Wait; True, early, if the endpoint is deleted or the account stops."""
    end = context.clock.now().timestamp() + simulated_seconds
    while not (endpoint.deleted.is_set() or context.stopping.is_set()):
        left = context.clock.real_seconds(end - context.clock.now().timestamp())
        if left <= 0:
            return False
        endpoint.deleted.wait(min(left, _POLL_REAL_SECONDS))
    return True


def _role(context: Context, configuration: Mapping[str, Any]) -> Role:
    """In whose name SageMaker works for an endpoint: its own role, or that of its model (the first one's, of several)."""
    if "ExecutionRoleArn" in configuration:
        return sagemaker_role(context, configuration["ExecutionRoleArn"], context.arn("sagemaker", "endpoint/*"))
    return Models.at(context).role(configuration["ProductionVariants"][0]["ModelName"])


def _alarm_states(role: Role, names: Sequence[str]) -> list[dict[str, Any]]:
    """SageMaker developer guide, "Deployment guardrails": the execution role needs `cloudwatch:DescribeAlarms`."""
    if not names:
        return []
    described = role.client("cloudwatch").describe_alarms(AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return [*described.get("MetricAlarms", []), *described.get("CompositeAlarms", [])]


def _take_over(
    context: Context,
    endpoint: Endpoint,
    candidate: Fleet,
    configuration: Mapping[str, Any],
    capture: tuple[str, Mapping[str, Any] | None],
) -> None:
    """All traffic is on the new fleet: it becomes the endpoint's."""
    record = endpoint.record
    endpoint.fleet, endpoint.candidate, endpoint.candidate_share = candidate, None, 0.0
    record["EndpointConfigName"] = configuration["EndpointConfigName"]
    record |= {"ShadowProductionVariants": None, **records(configuration)}
    endpoint.refresh_record()
    record["PendingDeploymentSummary"] = None
    _queue(context, endpoint, configuration)
    endpoint.capture_source, capture_configuration = capture
    record["DataCaptureConfig"] = data_capture.summary(capture_configuration)
    previous, endpoint.capture = (
        endpoint.capture,
        data_capture.start(context, _role(context, configuration), endpoint.name, capture_configuration),
    )
    if previous is not None:
        previous.close()


def _roll_back(context: Context, endpoint: Endpoint, error: Exception, plan: rollout.Plan, before: Mapping[str, int]) -> None:
    """Return all traffic to the old fleet. As in SageMaker the endpoint is InService again, with the old configuration and a reason.

    `before`: the old fleet's instances by variant, of which a rolling update has taken some away.
    """
    endpoint.record["PendingDeploymentSummary"] = None
    if not endpoint.deleted.is_set():
        set_status(context, endpoint, "RollingBack", _reason(error))
        _bring_back(endpoint, plan, before)
    candidate, endpoint.candidate, endpoint.candidate_share = endpoint.candidate, None, 0.0
    if candidate is not None:
        candidate.close()
    if endpoint.deleted.is_set():
        return
    endpoint.refresh_record()
    set_status(context, endpoint, "InService", _reason(error))


def _bring_back(endpoint: Endpoint, plan: rollout.Plan, before: Mapping[str, int]) -> None:
    """Batches of the old fleet, each with its share of the traffic. Source: CapacitySize of RollbackMaximumBatchSize, API reference."""
    if not plan.rolls or endpoint.fleet is None:
        return
    while endpoint.candidate_share > 0:
        share = max(0.0, round(endpoint.candidate_share - plan.rollback_share, 6))
        endpoint.fleet.resize(before, 1 - share)
        endpoint.candidate_share = share


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
