"""The endpoint operations of the SageMaker API, put in place of moto's, which only keeps records.

In: API calls through moto's `SageMakerResponse`. Out: the call's answer at once; the work goes on in `lifecycle.py`.
The checks and messages are those of SageMaker, as far as its API reference and its answers tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local_account.context import Context
from local_account.emulators import moto_backends
from local_account.endpoints import data_capture, lifecycle, rollout, routing
from local_account.endpoints.registry import Endpoint, Endpoints, desired_counts, endpoints_of
from local_account.errors import NotEmulatedError, ServiceError
from local_account.moto_operations import Operation, install_operations

_BUSY = ("Creating", "Updating", "RollingBack", "Deleting")


def install(context: Context) -> None:
    """Put the operations in place for this account. Accounts of one process follow one another."""
    from moto.sagemaker.responses import SageMakerResponse

    operations: dict[str, Operation] = {
        "create_endpoint_config": create_endpoint_config,
        "create_endpoint": create_endpoint,
        "update_endpoint": update_endpoint,
        "delete_endpoint": delete_endpoint,
        "update_endpoint_weights_and_capacities": update_endpoint_weights_and_capacities,
    }
    install_operations(context, SageMakerResponse, operations)


def _backend(context: Context) -> Any:
    return moto_backends("sagemaker")[context.settings.account_id][context.settings.region]


def create_endpoint_config(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    """Moto keeps what it is given; a routing strategy that the router would not follow is refused first."""
    for variant in parameters["ProductionVariants"]:
        routing.strategy_of(variant)
    stored = _backend(context).create_endpoint_config(
        endpoint_config_name=parameters["EndpointConfigName"],
        production_variants=parameters["ProductionVariants"],
        async_inference_config=parameters.get("AsyncInferenceConfig"),
        data_capture_config=parameters.get("DataCaptureConfig"),
        tags=parameters.get("Tags"),
        kms_key_id=parameters.get("KmsKeyId"),
    )
    return {"EndpointConfigArn": stored.endpoint_config_arn}


def create_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    endpoints, backend = endpoints_of(context), _backend(context)
    name = parameters["EndpointName"]
    if name in backend.endpoints:
        raise _refused(f'Cannot create already existing endpoint "{backend.endpoints[name].arn}".')
    configuration = _configuration(backend, parameters["EndpointConfigName"])
    rollout.plan(parameters.get("DeploymentConfig"), sum(desired_counts(configuration["ProductionVariants"]).values()))
    record = backend.create_endpoint(name, configuration["EndpointConfigName"], parameters.get("Tags"))
    record.last_deployment_config = parameters.get("DeploymentConfig")
    record.data_capture_config = data_capture.summary(configuration.get("DataCaptureConfig"))
    for variant in record.production_variants:
        variant.update(CurrentInstanceCount=0, **_weights(configuration, variant["VariantName"]))
        variant["DesiredInstanceCount"] = desired_counts(configuration["ProductionVariants"])[variant["VariantName"]]
    endpoint = endpoints.by_name[name] = Endpoint(record)
    lifecycle.set_status(endpoints.context, endpoint, "Creating")
    endpoints.context.in_background(lifecycle.create, endpoints, endpoint, configuration, failed=lifecycle.broken_off(endpoints, endpoint))
    return {"EndpointArn": record.arn}


def update_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    endpoints, backend = endpoints_of(context), _backend(context)
    endpoint = _changeable(endpoints, parameters["EndpointName"])
    configuration = _configuration(backend, parameters["EndpointConfigName"])
    excluded: set[str] = set()
    if parameters.get("RetainAllVariantProperties"):
        listed = parameters.get("ExcludeRetainedVariantProperties") or []
        excluded = {prop["VariantPropertyType"] for prop in listed}
        if "DesiredInstanceCount" not in excluded:
            _check_instance_types(backend, endpoint, configuration)
        configuration = retain_properties(configuration, endpoint.record.production_variants, excluded)
        capture = configuration.get("DataCaptureConfig") if "DataCaptureConfig" in excluded else _running_capture(backend, endpoint)
    else:
        capture = configuration.get("DataCaptureConfig")
    deployment = parameters.get("DeploymentConfig")
    if deployment is None and parameters.get("RetainDeploymentConfig"):
        deployment = endpoint.record.last_deployment_config
    plan = rollout.plan(deployment, sum(desired_counts(configuration["ProductionVariants"]).values()))
    endpoint.record.last_deployment_config = deployment
    endpoint.record.pending_deployment_summary = {
        "EndpointConfigName": configuration["EndpointConfigName"],
        "StartTime": endpoints.context.clock.now().timestamp(),
    }
    endpoint.record.capture_source = configuration["EndpointConfigName"]
    lifecycle.set_status(endpoints.context, endpoint, "Updating")
    endpoints.context.in_background(
        lifecycle.update, endpoints, endpoint, configuration, plan, capture, failed=lifecycle.broken_off(endpoints, endpoint)
    )
    return {"EndpointArn": endpoint.record.arn}


def update_endpoint_weights_and_capacities(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    endpoints = endpoints_of(context)
    endpoint = _changeable(endpoints, parameters["EndpointName"])
    wanted = parameters.get("DesiredWeightsAndCapacities") or []
    _check_wanted(endpoint, wanted)
    for change in wanted:
        variant = endpoint.variant_record(change["VariantName"])
        for key in ("DesiredWeight", "DesiredInstanceCount"):
            if change.get(key) is not None:
                variant[key] = change[key]
    lifecycle.set_status(endpoints.context, endpoint, "Updating")
    endpoints.context.in_background(lifecycle.scale, endpoints, endpoint, wanted, failed=lifecycle.broken_off(endpoints, endpoint))
    return {"EndpointArn": endpoint.record.arn}


def delete_endpoint(context: Context, parameters: dict[str, Any]) -> dict[str, Any]:
    endpoints, backend = endpoints_of(context), _backend(context)
    name = parameters["EndpointName"]
    endpoint = endpoints.by_name.pop(name, None)
    if endpoint is None:
        raise _refused(f'Could not find endpoint "{context.arn("sagemaker", f"endpoint/{name}")}".')
    lifecycle.delete(endpoints, endpoint)
    backend.delete_endpoint(name)
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


def _configuration(backend: Any, name: str) -> dict[str, Any]:
    if name not in backend.endpoint_configs:
        arn = f"arn:aws:sagemaker:{backend.region_name}:{backend.account_id}:endpoint-config/{name}"
        raise _refused(f'Could not find endpoint configuration "{arn}".')
    stored = backend.endpoint_configs[name]
    for variant in stored.production_variants:
        if "ServerlessConfig" in variant:
            raise NotEmulatedError("sagemaker", "CreateEndpoint with ServerlessConfig")
    if stored.async_inference_config:
        raise NotEmulatedError("sagemaker", "CreateEndpoint with AsyncInferenceConfig")
    return {
        "EndpointConfigName": name,
        "ProductionVariants": stored.production_variants,
        "DataCaptureConfig": stored.data_capture_config or None,
    }


def _check_instance_types(backend: Any, endpoint: Endpoint, configuration: Mapping[str, Any]) -> None:
    """Retained instance counts need the instance types to stay: SageMaker fails such an update."""
    current = backend.endpoint_configs.get(endpoint.record.endpoint_config_name)
    types = {variant["VariantName"]: variant.get("InstanceType") for variant in current.production_variants} if current else {}
    for variant in configuration["ProductionVariants"]:
        old = types.get(variant["VariantName"], variant.get("InstanceType"))
        if old != variant.get("InstanceType"):
            raise _refused(
                f"Variant {variant['VariantName']} retains its instance count, so its InstanceType cannot change from {old} to "
                f"{variant.get('InstanceType')}. Exclude DesiredInstanceCount from the retained properties, or keep the type."
            )


def _running_capture(backend: Any, endpoint: Endpoint) -> Any:
    """The data capture configuration that the endpoint runs with now."""
    source = getattr(endpoint.record, "capture_source", endpoint.record.endpoint_config_name)
    configuration = backend.endpoint_configs.get(source)
    return (configuration.data_capture_config or None) if configuration else None


def _weights(configuration: Mapping[str, Any], name: str) -> dict[str, float]:
    variant = next(variant for variant in configuration["ProductionVariants"] if variant["VariantName"] == name)
    weight = float(variant.get("InitialVariantWeight", 1.0))
    return {"CurrentWeight": weight, "DesiredWeight": weight}


def _changeable(endpoints: Endpoints, name: str) -> Endpoint:
    """The endpoint, if it exists and nothing else is changing it."""
    endpoint = endpoints.by_name.get(name)
    if endpoint is None:
        raise _refused(f'Could not find endpoint "{endpoints.context.arn("sagemaker", f"endpoint/{name}")}".')
    if endpoint.status in _BUSY:
        raise _refused(f'Cannot update in-progress endpoint "{endpoint.record.arn}".')
    if endpoint.status != "InService":
        raise _refused(f'Cannot update endpoint "{endpoint.record.arn}" with status {endpoint.status}; it can only be deleted.')
    return endpoint


def _check_wanted(endpoint: Endpoint, wanted: Sequence[Mapping[str, Any]]) -> None:
    names = [change["VariantName"] for change in wanted]
    if len(set(names)) != len(names):
        raise _refused("The variant names of DesiredWeightsAndCapacities are not unique.")
    known = [variant["VariantName"] for variant in endpoint.record.production_variants]
    unknown = [name for name in names if name not in known]
    if unknown:
        configuration = endpoint.record.endpoint_config_name
        raise _refused(f'The variant name(s) "{", ".join(unknown)}" is/are not present within endpoint configuration "{configuration}".')
    for change in wanted:
        count = change.get("DesiredInstanceCount")
        if count is not None and int(count) < 1:
            raise _refused(f"DesiredInstanceCount of variant {change['VariantName']} is {count}; allowed: at least 1")


def _refused(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
