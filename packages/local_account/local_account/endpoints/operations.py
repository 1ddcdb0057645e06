"""The endpoint operations of the SageMaker API, and those of models and endpoint configurations.

In: API calls (`local_account/sagemaker/api.py` has held them to AWS's model). Out: the call's answer at once; the work goes on in
`lifecycle.py`. The checks and messages are those of SageMaker, as far as its API reference and its answers tell.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_account import listing
from local_account.context import Context
from local_account.endpoints import components, data_capture, lifecycle, rollout
from local_account.endpoints.configurations import Configurations
from local_account.endpoints.models import Models
from local_account.endpoints.registry import Endpoint, Endpoints, desired_counts, records
from local_account.errors import InvalidError
from local_account.monitoring import heartbeat
from local_account.sagemaker.api import Api
from local_account.sagemaker.tags import Tags
from local_account.scaling import operations as scaling

_BUSY = ("Creating", "Updating", "RollingBack", "Deleting")


def begin(context: Context) -> None:
    """Put the operations behind this account's API, and let idle serverless containers go with time."""
    heartbeat.on_beat(context, functools.partial(lifecycle.end_idle, Endpoints.at(context)))
    of_endpoints: dict[str, Callable[[Context, dict[str, Any]], Mapping[str, Any]]] = {
        "CreateEndpoint": create_endpoint,
        "DescribeEndpoint": describe_endpoint,
        "ListEndpoints": list_endpoints,
        "UpdateEndpoint": update_endpoint,
        "DeleteEndpoint": delete_endpoint,
        "UpdateEndpointWeightsAndCapacities": update_endpoint_weights_and_capacities,
    }
    Api.at(context).operations |= {
        **{name: functools.partial(operation, context) for name, operation in of_endpoints.items()},
        **Models.at(context).operations(),
        **Configurations.at(context).operations(),
        **components.operations(context),
    }


def create_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    endpoints = Endpoints.at(context)
    name = parameters["EndpointName"]
    if name in endpoints.by_name:
        raise InvalidError(f'Cannot create already existing endpoint "{endpoints.by_name[name].record["EndpointArn"]}".')
    configuration = Configurations.at(context).describe(parameters)
    counts = desired_counts(configuration["ProductionVariants"])
    rollout.plan(parameters.get("DeploymentConfig"), counts)
    now = context.clock.now()
    endpoint = Endpoint(
        {
            "EndpointName": name,
            "EndpointArn": context.arn("sagemaker", f"endpoint/{name}"),
            "EndpointConfigName": configuration["EndpointConfigName"],
            **records(configuration),
            "DataCaptureConfig": data_capture.summary(configuration.get("DataCaptureConfig")),
            "AsyncInferenceConfig": configuration.get("AsyncInferenceConfig"),
            "LastDeploymentConfig": parameters.get("DeploymentConfig"),
            "CreationTime": now,
            "LastModifiedTime": now,
        }
    )
    components.share(endpoints, endpoint, configuration)
    endpoints.by_name[name] = endpoint
    Tags.at(context).add(endpoint.record["EndpointArn"], parameters.get("Tags"))
    lifecycle.set_status(context, endpoint, "Creating")
    context.in_background(lifecycle.create, endpoints, endpoint, configuration, failed=lifecycle.broken_off(endpoints, endpoint))
    return {"EndpointArn": endpoint.record["EndpointArn"]}


def describe_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    return _endpoint(context, parameters["EndpointName"]).describe()


def list_endpoints(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """The newest first, ten unless asked otherwise, as AWS lists endpoints."""
    return listing.page(
        "Endpoints",
        [endpoint.describe() for endpoint in list(Endpoints.at(context).by_name.values())],
        parameters,
        sort_fields={"Name": "EndpointName", "CreationTime": "CreationTime", "Status": "EndpointStatus"},
        default_order="Descending",
        name_field="EndpointName",
        equal={"StatusEquals": "EndpointStatus"},
        default_results=10,
    )


def update_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    endpoints, configurations = Endpoints.at(context), Configurations.at(context)
    endpoint = _changeable(context, parameters["EndpointName"])
    configuration = configurations.describe(parameters)
    capture = (configuration["EndpointConfigName"], configuration.get("DataCaptureConfig"))
    before, after = _instance_types(configurations.find(endpoint.record["EndpointConfigName"])), _instance_types(configuration)
    _check_conversion(before, after)
    _check_scalable_targets(context, endpoint.name, before, after)
    if parameters.get("RetainAllVariantProperties"):
        excluded = {prop["VariantPropertyType"] for prop in parameters.get("ExcludeRetainedVariantProperties") or []}
        if "DesiredInstanceCount" not in excluded:
            _check_retained(before, after)
        configuration = retain_properties(configuration, endpoint.record["ProductionVariants"], excluded)
        if "DataCaptureConfig" not in excluded:
            source = endpoint.capture_source
            capture = (source, (configurations.find(source) or {}).get("DataCaptureConfig"))
    if (endpoint.shared is None) != all("ModelName" in variant for variant in configuration["ProductionVariants"]):
        raise InvalidError("An endpoint whose models are inference components stays one, and one with models of its own, too.")
    deployment = parameters.get("DeploymentConfig")
    if deployment is None and parameters.get("RetainDeploymentConfig"):
        deployment = endpoint.record["LastDeploymentConfig"]
    if deployment is not None:
        _check_same_variants(before, after)
    plan = rollout.plan(deployment, desired_counts(configuration["ProductionVariants"]))
    components.share(endpoints, endpoint, configuration)
    endpoint.record["LastDeploymentConfig"] = deployment
    endpoint.record["PendingDeploymentSummary"] = {
        "EndpointConfigName": configuration["EndpointConfigName"],
        "StartTime": context.clock.now(),
    }
    lifecycle.set_status(context, endpoint, "Updating")
    failed = lifecycle.broken_off(endpoints, endpoint)
    context.in_background(lifecycle.update, endpoints, endpoint, configuration, plan, capture, failed=failed)
    return {"EndpointArn": endpoint.record["EndpointArn"]}


def update_endpoint_weights_and_capacities(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    endpoint = _changeable(context, parameters["EndpointName"])
    wanted = parameters["DesiredWeightsAndCapacities"]
    _check_wanted(endpoint, wanted)
    for change in wanted:
        variant = endpoint.variant_record(change["VariantName"])
        for key in ("DesiredWeight", "DesiredInstanceCount"):
            if change.get(key) is not None:
                variant[key] = change[key]
        if change.get("ServerlessUpdateConfig"):
            variant["DesiredServerlessConfig"] = {**variant["CurrentServerlessConfig"], **change["ServerlessUpdateConfig"]}
    endpoints = Endpoints.at(context)
    lifecycle.set_status(context, endpoint, "Updating")
    context.in_background(lifecycle.scale, endpoints, endpoint, wanted, failed=lifecycle.broken_off(endpoints, endpoint))
    return {"EndpointArn": endpoint.record["EndpointArn"]}


def delete_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    endpoints = Endpoints.at(context)
    endpoint = _endpoint(context, parameters["EndpointName"])
    if components.has_components(endpoints, endpoint):
        raise InvalidError(f'Cannot delete endpoint "{endpoint.record["EndpointArn"]}" while it hosts inference components.')
    endpoints.by_name.pop(endpoint.name, None)
    lifecycle.delete(endpoints, endpoint)
    Tags.at(context).forget(endpoint.record["EndpointArn"])
    return {}


def retain_properties(configuration: Mapping[str, Any], running: Sequence[Mapping[str, Any]], excluded: set[str]) -> dict[str, Any]:
    """The configuration with the running variants' instance counts and weights, except for the excluded property types.

    Source: API reference of UpdateEndpoint, RetainAllVariantProperties and ExcludeRetainedVariantProperties. Pure.
    """
    retained = []
    for variant in configuration["ProductionVariants"]:
        now = next((other for other in running if other["VariantName"] == variant["VariantName"]), {})
        kept = {}
        if "DesiredInstanceCount" in now and "DesiredInstanceCount" not in excluded:
            kept["InitialInstanceCount"] = now["DesiredInstanceCount"]
        if "DesiredWeight" in now and "DesiredWeight" not in excluded:
            kept["InitialVariantWeight"] = now["DesiredWeight"]
        retained.append({**variant, **kept})
    return {**configuration, "ProductionVariants": retained}


def _instance_types(configuration: Mapping[str, Any] | None) -> dict[str, str]:
    """By variant, empty for a serverless one; nothing of a configuration that was deleted."""
    variants = configuration["ProductionVariants"] if configuration else []
    return {variant["VariantName"]: variant.get("InstanceType", "") for variant in variants}


def _check_conversion(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """SageMaker guide, "Feature exclusions" of Serverless Inference: an instance-based endpoint cannot be converted; the way back can."""
    converted = [name for name, instance_type in after.items() if not instance_type and before.get(name)]
    if converted:
        raise InvalidError(f"Variant {', '.join(converted)} is on instances; an instance-based endpoint cannot be converted to serverless.")


def _check_same_variants(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """With guardrails "your new endpoint configuration must have the same variant name as the old" (their "Exclusions" in the guide)."""
    if before and set(before) != set(after):
        old, new = (", ".join(names) for names in (before, after))
        raise InvalidError(f"DeploymentConfig needs the variants that are there ({old}); the new configuration has {new}.")


def _check_scalable_targets(context: Context, endpoint: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """A variant that scales keeps its instance type, and stays.

    Source: SageMaker guide, "Update endpoints that use auto scaling"; the words: hashicorp/terraform-provider-aws#14337.
    """
    changed = [name for name, instance_type in before.items() if after.get(name) != instance_type]
    scaled = [name for name in changed if scaling.is_scalable(context, endpoint, name)]
    if scaled:
        raise InvalidError(
            f"The variant(s) {json.dumps(scaled)} must be deregistered as scalable targets with AWS Auto Scaling before they can be "
            "removed or have their instance type updated."
        )


def _check_retained(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Retained instance counts need the instance types to stay: SageMaker fails such an update."""
    for name, new in after.items():
        old = before.get(name, new)
        if old != new:
            raise InvalidError(
                f"Variant {name} retains its instance count, so its InstanceType cannot change from {old} to {new}. "
                "Exclude DesiredInstanceCount from the retained properties, or keep the type."
            )


def _endpoint(context: Context, name: str) -> Endpoint:
    endpoint = Endpoints.at(context).by_name.get(name)
    if endpoint is None:
        raise InvalidError(f'Could not find endpoint "{context.arn("sagemaker", f"endpoint/{name}")}".')
    return endpoint


def _changeable(context: Context, name: str) -> Endpoint:
    """The endpoint, if it exists and nothing else is changing it."""
    endpoint = _endpoint(context, name)
    if endpoint.status in _BUSY:
        raise InvalidError(f'Cannot update in-progress endpoint "{endpoint.record["EndpointArn"]}".')
    if endpoint.status != "InService":
        raise InvalidError(
            f'Cannot update endpoint "{endpoint.record["EndpointArn"]}" with status {endpoint.status}; it can only be deleted.'
        )
    return endpoint


def _check_wanted(endpoint: Endpoint, wanted: Sequence[Mapping[str, Any]]) -> None:
    if endpoint.shared is not None:
        raise InvalidError(f"The instances of endpoint {endpoint.name} follow its inference components (ManagedInstanceScaling).")
    names = [change["VariantName"] for change in wanted]
    if len(set(names)) != len(names):
        raise InvalidError("The variant names of DesiredWeightsAndCapacities are not unique.")
    known = [variant["VariantName"] for variant in endpoint.record["ProductionVariants"]]
    unknown = [name for name in names if name not in known]
    if unknown:
        configuration = endpoint.record["EndpointConfigName"]
        raise InvalidError(
            f'The variant name(s) "{", ".join(unknown)}" is/are not present within endpoint configuration "{configuration}".'
        )
    lowest = 1 if endpoint.backlog is None else 0  # "Autoscale an asynchronous endpoint" of the guide
    for change in wanted:
        name, count, serverless = change["VariantName"], change.get("DesiredInstanceCount"), change.get("ServerlessUpdateConfig")
        is_serverless = "CurrentServerlessConfig" in endpoint.variant_record(name)
        if count is not None and (is_serverless or int(count) < lowest):
            allowed = "none, for it is serverless" if is_serverless else f"at least {lowest}"
            raise InvalidError(f"DesiredInstanceCount of variant {name} is {count}; allowed: {allowed}")
        if serverless is not None and not is_serverless:
            raise InvalidError(f"ServerlessUpdateConfig is for serverless variants; variant {name} is on instances.")
