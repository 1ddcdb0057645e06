"""Application Auto Scaling's API for endpoint variants, on top of moto's records.

Adds what moto leaves out: checks, the alarms of target tracking, the history of activities. What can be scaled: `dimensions.py`;
every other scalable dimension is refused by name (`api/lists/`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from capacity.api import policy_from_api, scheduled_action_from_api
from capacity.bounds import scheduled_times
from capacity.engine import tracking_alarms
from capacity.model import Assumptions, CapacityError, TargetTrackingPolicy
from local_account import listing
from local_account.authorization import linked_roles
from local_account.context import Context
from local_account.emulators import moto_backends
from local_account.errors import InvalidError, ServiceError
from local_account.moto_operations import Operation, install_operations
from local_account.scaling.activities import Activities
from local_account.scaling.dimensions import COPIES, INSTANCES, PROVISIONED, find, require_scalable

NAMESPACE = "sagemaker"
#: The role that is used whatever role is given, and that is answered.
#: Source: Application Auto Scaling user guide, "Service-linked roles for Application Auto Scaling".
_SERVICE_LINKED_ROLE = (
    "arn:aws:iam::{}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)


def install(context: Context) -> None:
    """Put the operations in place for this account."""
    from moto.applicationautoscaling import models
    from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

    models._target_params_are_valid = lambda *_: True  # the port has checked them, and moto knows fewer dimensions

    operations: dict[str, Operation] = {
        "register_scalable_target": register_scalable_target,
        "deregister_scalable_target": deregister_scalable_target,
        "put_scaling_policy": put_scaling_policy,
        "delete_scaling_policy": delete_scaling_policy,
        "put_scheduled_action": put_scheduled_action,
        "delete_scheduled_action": delete_scheduled_action,
        "describe_scaling_activities": describe_scaling_activities,
        "list_tags_for_resource": list_tags_for_resource,
        "tag_resource": tag_resource,
        "untag_resource": untag_resource,
    }
    install_operations(context, ApplicationAutoScalingResponse, operations)


def backend(context: Context) -> Any:
    """moto's records of scalable targets, policies and scheduled actions."""
    return moto_backends("application-autoscaling")[context.settings.account_id][context.settings.region]


def is_scalable(context: Context, endpoint: str, variant: str) -> bool:
    """Whether the variant is registered."""
    return any(_target(context, f"endpoint/{endpoint}/variant/{variant}", dimension) for dimension in (INSTANCES, PROVISIONED))


def register_scalable_target(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    dimension = parameters["ScalableDimension"]
    scaled = find(context, parameters["ResourceId"], dimension)
    if scaled is None:
        what = "inference component" if dimension == COPIES else "endpoint"
        raise InvalidError(f"Could not find {parameters['ResourceId']}; create the {what} first.")
    existing = _target(context, parameters["ResourceId"], dimension)
    low = parameters.get("MinCapacity", existing.min_capacity if existing else None)
    high = parameters.get("MaxCapacity", existing.max_capacity if existing else None)
    if low is None or high is None:
        raise InvalidError("MinCapacity and MaxCapacity are required to register a scalable target.")
    require_scalable(dimension, scaled.endpoint, scaled.variant, int(low))
    if int(high) < int(low):
        raise InvalidError(f"Maximum capacity {high} cannot be less than minimum capacity {low}.")
    role = parameters.get("RoleARN") or _SERVICE_LINKED_ROLE.format(context.settings.account_id)
    context.keyring.here(lambda: linked_roles.make(context.settings.account_id, NAMESPACE))
    target = backend(context).register_scalable_target(
        NAMESPACE, parameters["ResourceId"], dimension, int(low), int(high), role, parameters.get("SuspendedState")
    )
    if existing is None:  # tags of an existing target are changed by TagResource only
        target.tags = dict(parameters.get("Tags") or {})
    return {"ScalableTargetARN": target.arn}


def deregister_scalable_target(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Also deletes the target's policies, their alarms and the scheduled actions, as the service does."""
    resource_id, dimension = parameters["ResourceId"], parameters["ScalableDimension"]
    _registered(context, parameters, "deregister")
    for policy in [policy for policy in backend(context).policies.values() if policy.resource_id == resource_id]:
        _delete_policy(context, policy)
    backend(context).scheduled_actions = [action for action in backend(context).scheduled_actions if action.resource_id != resource_id]
    backend(context).deregister_scalable_target(NAMESPACE, resource_id, dimension)
    return {}


def put_scaling_policy(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    resource_id, name = parameters["ResourceId"], parameters["PolicyName"]
    _registered(context, parameters, "put a policy on")
    kind = parameters.get("PolicyType") or "StepScaling"
    try:
        policy = policy_from_api({**parameters, "PolicyType": kind})
    except CapacityError as error:
        raise InvalidError(str(error)) from error
    body = parameters.get("StepScalingPolicyConfiguration") or parameters.get("TargetTrackingScalingPolicyConfiguration")
    previous = _policy(context, resource_id, name)
    record = backend(context).put_scaling_policy(name, NAMESPACE, resource_id, parameters["ScalableDimension"], body, kind)
    if previous is not None:
        _delete_alarms(context, previous)
        record.policy_arn, record.creation_time = previous.policy_arn, previous.creation_time
    if isinstance(policy, TargetTrackingPolicy):
        record.alarms = _create_alarms(context, parameters, record.policy_arn, policy)
    return {"PolicyARN": record.policy_arn, "Alarms": [{"AlarmName": alarm.name, "AlarmARN": alarm.alarm_arn} for alarm in record.alarms]}


def delete_scaling_policy(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    policy = _policy(context, parameters["ResourceId"], parameters["PolicyName"])
    if policy is None:
        raise ServiceError("ObjectNotFoundException", f"No scaling policy {parameters['PolicyName']} found for {parameters['ResourceId']}.")
    _delete_policy(context, policy)
    return {}


def put_scheduled_action(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    _registered(context, parameters, "put a scheduled action on")
    try:
        scheduled_times(scheduled_action_from_api(parameters), context.clock.now())
    except CapacityError as error:
        raise InvalidError(str(error)) from error
    backend(context).put_scheduled_action(
        service_namespace=NAMESPACE,
        schedule=parameters["Schedule"],
        timezone=parameters.get("Timezone"),
        scheduled_action_name=parameters["ScheduledActionName"],
        resource_id=parameters["ResourceId"],
        scalable_dimension=parameters["ScalableDimension"],
        start_time=parameters.get("StartTime"),
        end_time=parameters.get("EndTime"),
        scalable_target_action=parameters.get("ScalableTargetAction"),
    )
    return {}


def delete_scheduled_action(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    name, resource_id = parameters["ScheduledActionName"], parameters["ResourceId"]
    actions = backend(context).scheduled_actions
    kept = [action for action in actions if (action.scheduled_action_name, action.resource_id) != (name, resource_id)]
    if len(kept) == len(actions):
        raise ServiceError("ObjectNotFoundException", f"No scheduled action {name} found for {resource_id}.")
    backend(context).scheduled_actions = kept
    return {}


def describe_scaling_activities(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    resource_id = parameters.get("ResourceId")
    found = [activity for activity in reversed(Activities.at(context).activities) if resource_id in (None, activity["ResourceId"])]
    return listing.cut("ScalingActivities", found, parameters, 50)


def list_tags_for_resource(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"Tags": _tags(context, parameters["ResourceARN"])}


def tag_resource(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    _tags(context, parameters["ResourceARN"]).update(parameters["Tags"])
    return {}


def untag_resource(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    tags = _tags(context, parameters["ResourceARN"])
    for key in parameters["TagKeys"]:
        tags.pop(key, None)
    return {}


def _tags(context: Context, arn: str) -> dict[str, str]:
    """The tags of a scalable target; policies and scheduled actions have none."""
    for target in [target for targets in backend(context).targets.values() for target in targets.values()]:
        if target.arn == arn:
            tags: dict[str, str] = target.tags
            return tags
    raise ServiceError("ResourceNotFoundException", f"There is no scalable target {arn}.")


def _create_alarms(context: Context, parameters: Mapping[str, Any], policy_arn: str, policy: TargetTrackingPolicy) -> list[SimpleNamespace]:
    """The two alarms of a target tracking policy, named and described as the service does."""
    resource_id = parameters["ResourceId"]
    scaled = find(context, resource_id, parameters["ScalableDimension"])
    if scaled is None:
        raise InvalidError(f"Could not find {resource_id}; it is registered, but gone.")
    created = []
    for alarm in tracking_alarms(policy, Assumptions()):
        side = "AlarmHigh" if alarm.comparison == "GreaterThanThreshold" else "AlarmLow"
        name = f"TargetTracking-{resource_id}-{side}-{uuid.uuid4()}"
        metric = scaled.metric(alarm.metric)
        context.client("cloudwatch").put_metric_alarm(
            AlarmName=name,
            AlarmDescription=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy_arn}.",
            Namespace=metric.namespace,
            MetricName=metric.name,
            Dimensions=[{"Name": key, "Value": value} for key, value in metric.dimensions],
            **({"ExtendedStatistic": metric.statistic} if metric.statistic.startswith("p") else {"Statistic": metric.statistic}),
            Period=metric.period_seconds,
            EvaluationPeriods=alarm.evaluation_periods,
            DatapointsToAlarm=alarm.datapoints_to_alarm,
            Threshold=alarm.threshold,
            ComparisonOperator=alarm.comparison,
            AlarmActions=[policy_arn],
        )
        created.append(SimpleNamespace(name=name, alarm_arn=context.arn("cloudwatch", f"alarm:{name}")))
    return created


def _delete_policy(context: Context, policy: Any) -> None:
    _delete_alarms(context, policy)
    policies = backend(context).policies
    for key in [key for key, other in policies.items() if other is policy]:
        del policies[key]


def _delete_alarms(context: Context, policy: Any) -> None:
    """The alarms of a target tracking policy; a step policy's alarm belongs to whoever made it."""
    if policy.policy_type == "TargetTrackingScaling" and policy.alarms:
        context.client("cloudwatch").delete_alarms(AlarmNames=[alarm.name for alarm in policy.alarms])


def _target(context: Context, resource_id: str, dimension: str) -> Any:
    return backend(context).targets.get(dimension, {}).get(resource_id)


def _policy(context: Context, resource_id: str, name: str) -> Any:
    policies = backend(context).policies.values()
    return next((policy for policy in policies if (policy.resource_id, policy.policy_name) == (resource_id, name)), None)


def _registered(context: Context, parameters: Mapping[str, Any], doing: str) -> None:
    resource_id = parameters["ResourceId"]
    if _target(context, resource_id, parameters["ScalableDimension"]) is None:
        raise ServiceError("ObjectNotFoundException", f"No scalable target is registered for {resource_id}; cannot {doing} it.")
