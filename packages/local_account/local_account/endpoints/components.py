"""Inference components: models on one endpoint, each with copies, updates, traffic and metrics of its own.

In: the API's calls. Out: for each component an `Endpoint` that is not in the list of endpoints, whose one variant's instances are its
copies: so batches, alarms, roll-back and scaling are those of `lifecycle.py`. Sources: API reference of CreateInferenceComponent and its
siblings; the service's words where they are known (aws-samples/amazon-kendra-langchain-extensions#64; the guide of scaling to zero).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from capacity.sharing import Size
from local_account import listing
from local_account.context import Context
from local_account.endpoints import lifecycle, rollout
from local_account.endpoints.configurations import Configurations
from local_account.endpoints.fleet import instances_of
from local_account.endpoints.models import Models
from local_account.endpoints.registry import Endpoint, Endpoints, records
from local_account.endpoints.sharing import Shared
from local_account.errors import InvalidError, ServiceError
from local_account.sagemaker.tags import Tags

_IN_PROGRESS = ("Creating", "Updating", "RollingBack", "Deleting")


class Component(Endpoint):
    """`specifications`: by the name of the configuration that was made of each, of which the record has the one that serves.

    `claimed`: the most that it has at once on its host's instances while something is in progress.
    """

    is_listed = False

    def __init__(self, record: dict[str, Any], host: Endpoint, specification: Mapping[str, Any]) -> None:
        super().__init__(record)
        self.host, self.specifications = host, {str(record["EndpointConfigName"]): specification}
        self.claimed: Sequence[Size] = ()

    @property
    def specification(self) -> Mapping[str, Any]:
        return self.specifications[self.record["EndpointConfigName"]]

    @property
    def log_group(self) -> str:
        return f"/aws/sagemaker/InferenceComponents/{self.name}"

    def dimensions(self, variant: str) -> dict[str, str]:
        return {"InferenceComponentName": self.name}

    def copies(self) -> Sequence[Size]:
        if self.status in _IN_PROGRESS:
            return self.claimed
        return [_size(self.specification)] * sum(variant.desired for variant in self.variants())

    def describe(self) -> dict[str, Any]:
        (variant,) = self.record["ProductionVariants"]
        status = "Updating" if self.status == "RollingBack" else self.status
        return {
            "InferenceComponentName": self.name,
            "InferenceComponentArn": self.record["EndpointArn"],
            "EndpointName": self.host.name,
            "EndpointArn": self.host.record["EndpointArn"],
            "VariantName": variant["VariantName"],
            "InferenceComponentStatus": status,
            "FailureReason": self.record.get("FailureReason"),
            "Specification": self.specification,
            "RuntimeConfig": {
                "DesiredCopyCount": variant["DesiredInstanceCount"],
                "CurrentCopyCount": sum(len(running.instances) for running in self.variants()),
            },
            "CreationTime": self.record["CreationTime"],
            "LastModifiedTime": self.record["LastModifiedTime"],
            "LastDeploymentConfig": self.record["LastDeploymentConfig"],
        }


def operations(context: Context) -> dict[str, Callable[[dict[str, Any]], Mapping[str, Any]]]:
    each: dict[str, Callable[[Context, dict[str, Any]], Mapping[str, Any]]] = {
        "CreateInferenceComponent": create,
        "DescribeInferenceComponent": lambda context, request: _component(context, request).describe(),
        "ListInferenceComponents": list_components,
        "UpdateInferenceComponent": update,
        "UpdateInferenceComponentRuntimeConfig": update_runtime_config,
        "DeleteInferenceComponent": delete,
    }
    return {name: functools.partial(operation, context) for name, operation in each.items()}


def share(endpoints: Endpoints, endpoint: Endpoint, configuration: Mapping[str, Any]) -> None:
    """Of a configuration whose variant has no model: the instances are for components. Raises InvalidError where those do not fit."""
    variants = [variant for variant in configuration["ProductionVariants"] if "ModelName" not in variant]
    if not variants:
        return

    def copies() -> dict[str, Sequence[Size]]:
        on_it = [item for item in list(endpoints.components.values()) if isinstance(item, Component) and item.host is endpoint]
        return {component.name: component.copies() for component in on_it}

    shared = Shared(variants[0], copies)
    shared.require_room()
    endpoint.shared = shared


def has_components(endpoints: Endpoints, endpoint: Endpoint) -> bool:
    return any(isinstance(item, Component) and item.host is endpoint for item in list(endpoints.components.values()))


def invoked(context: Context, endpoint: Endpoint, name: str | None) -> Endpoint:
    """What answers a request to an endpoint: itself, or the component that is named. Raises ValidationError in the service's words."""
    if endpoint.shared is None:
        if name is not None:
            words = "has no inference components. Please remove the Inference Component Name header and try again."
            raise ServiceError("ValidationError", f"Endpoint {endpoint.name} of account {context.settings.account_id} {words}")
        return endpoint
    if name is None:
        raise ServiceError(
            "ValidationError",
            "Inference Component Name header is required for endpoints to which you plan to deploy inference components. Please include "
            "Inference Component Name header or consider using SageMaker models.",
        )
    component = _find(context, name)
    if component is None or component.host is not endpoint or component.fleet is None:
        account = context.settings.account_id
        raise ServiceError("ValidationError", f"Inference Component {name} of account {account} not found on endpoint {endpoint.name}.")
    running = list(component.variants())
    if not any(variant.instances for variant in running) and (component.status == "Updating" or not running[0].desired):
        minute = int(context.clock.now().timestamp() // 60)
        component.traffic.measure(running[0].name, minute, {("NoCapacityInvocationFailures", "Count"): 1.0})
        raise ServiceError(
            "ValidationError",
            "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress (if configured) or "
            "try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API.",
        )
    return component


def create(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    endpoints, name = Endpoints.at(context), request["InferenceComponentName"]
    arn = context.arn("sagemaker", f"inference-component/{name}")
    host = endpoints.by_name.get(request["EndpointName"])
    if host is None or host.shared is None or host.status != "InService":
        raise InvalidError(f"Endpoint {request['EndpointName']} is not there in service, or its variant has a model of its own.")
    if request.get("VariantName", host.shared.variant_name) != host.shared.variant_name:
        raise InvalidError(f"Variant {request['VariantName']} of endpoint {host.name} is not there; it has {host.shared.variant_name}.")
    specification = _checked(context, request.get("Specification") or {})
    count = int((request.get("RuntimeConfig") or {}).get("CopyCount", 1))
    configuration = _configuration(context, host, name, 1, specification, count)
    now = context.clock.now()
    record = {"EndpointName": name, "EndpointArn": arn, "EndpointConfigName": configuration["EndpointConfigName"], **records(configuration)}
    record |= {"LastDeploymentConfig": None, "CreationTime": now, "LastModifiedTime": now}
    component = Component(record, host, specification)
    with host.shared.claiming:
        if name in endpoints.components:
            raise InvalidError(f'Cannot create already existing inference component "{arn}".')
        _claim(context, component, "Creating", [_size(specification)] * count)
        endpoints.components[name] = component
    Tags.at(context).add(arn, request.get("Tags"))
    context.in_background(lifecycle.create, endpoints, component, configuration, failed=lifecycle.broken_off(endpoints, component))
    return {"InferenceComponentArn": arn}


def update(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """Other copies, batch by batch, while the alarms of DeploymentConfig are watched. Without a policy all at once."""
    endpoints, component = Endpoints.at(context), _component(context, request)
    deployment = request.get("DeploymentConfig")
    with _shared(component).claiming:
        _require_changeable(component)
        before = component.record["ProductionVariants"][0]["DesiredInstanceCount"]
        specification = _checked(context, {**component.specification, **(request.get("Specification") or {})})
        count = int((request.get("RuntimeConfig") or {}).get("CopyCount", before))
        plan = rollout.plan(deployment, {component.name: max(1, count)})
        batch = instances_of(count, plan.shares[0]) if plan.rolls else count
        old, new = _size(component.specification), _size(specification)
        at_first, at_last = [*[new] * batch, *[old] * before], [*[new] * count, *[old] * batch]
        _claim(context, component, "Updating", max(at_first, at_last, key=lambda sizes: sum(size.memory_mb for size in sizes)))
        configuration = _configuration(context, component.host, component.name, len(component.specifications) + 1, specification, count)
        name = configuration["EndpointConfigName"]
        component.record["LastDeploymentConfig"], component.specifications[name] = deployment, specification
    failed = lifecycle.broken_off(endpoints, component)
    context.in_background(lifecycle.update, endpoints, component, configuration, plan, (name, None), failed=failed)
    return {"InferenceComponentArn": component.record["EndpointArn"]}


def update_runtime_config(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    endpoints, component = Endpoints.at(context), _component(context, request)
    count, (variant,) = int(request["DesiredRuntimeConfig"]["CopyCount"]), component.record["ProductionVariants"]
    with _shared(component).claiming:
        _require_changeable(component)
        _claim(context, component, "Updating", [_size(component.specification)] * count)
        variant["DesiredInstanceCount"] = count
    wanted = [{"VariantName": variant["VariantName"], "DesiredInstanceCount": count}]
    context.in_background(lifecycle.scale, endpoints, component, wanted, failed=lifecycle.broken_off(endpoints, component))
    return {"InferenceComponentArn": component.record["EndpointArn"]}


def delete(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    endpoints, component = Endpoints.at(context), _component(context, request)
    endpoints.components.pop(component.name, None)
    lifecycle.delete(endpoints, component)
    Tags.at(context).forget(component.record["EndpointArn"])
    return {}


def list_components(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """The newest first, ten unless asked otherwise."""
    return listing.page(
        "InferenceComponents",
        [component.describe() for component in list(Endpoints.at(context).components.values()) if isinstance(component, Component)],
        request,
        sort_fields={"Name": "InferenceComponentName", "CreationTime": "CreationTime", "Status": "InferenceComponentStatus"},
        default_order="Descending",
        name_field="InferenceComponentName",
        equal={"StatusEquals": "InferenceComponentStatus", "EndpointNameEquals": "EndpointName", "VariantNameEquals": "VariantName"},
        default_results=10,
    )


def _checked(context: Context, specification: Mapping[str, Any]) -> dict[str, Any]:
    """Raises InvalidError for one without an existing model, or without what its copies need."""
    if "ModelName" not in specification or "ComputeResourceRequirements" not in specification:
        raise InvalidError("Specification needs ModelName and ComputeResourceRequirements.")
    Models.at(context).record(specification["ModelName"])
    return dict(specification)


def _configuration(
    context: Context, host: Endpoint, name: str, number: int, specification: Mapping[str, Any], count: int
) -> dict[str, Any]:
    """As `lifecycle.py` reads an endpoint's: its alarms are asked for in the name of the host's role."""
    of_host = Configurations.at(context).find(host.record["EndpointConfigName"]) or {}
    variant: dict[str, Any] = {"VariantName": host.record["ProductionVariants"][0]["VariantName"], "ModelName": specification["ModelName"]}
    patience = (specification.get("StartupParameters") or {}).get("ContainerStartupHealthCheckTimeoutInSeconds")
    routing = (of_host.get("ProductionVariants") or [{}])[0].get("RoutingConfig")
    more = {"ContainerStartupHealthCheckTimeoutInSeconds": patience, "RoutingConfig": routing}
    return {
        "EndpointConfigName": f"{name}-{number}",
        "ProductionVariants": [{**variant, "InitialInstanceCount": count, **{key: value for key, value in more.items() if value}}],
        **({"ExecutionRoleArn": of_host["ExecutionRoleArn"]} if "ExecutionRoleArn" in of_host else {}),
    }


def _claim(context: Context, component: Component, status: str, sizes: Sequence[Size]) -> None:
    """The room that a change needs. Raises InvalidError where there is none, and nothing is changed."""
    _shared(component).require_room(component.name, sizes)
    component.claimed = sizes
    lifecycle.set_status(context, component, status)


def _size(specification: Mapping[str, Any]) -> Size:
    needs = specification["ComputeResourceRequirements"]
    return Size(float(needs.get("NumberOfCpuCoresRequired", 0)), int(needs["MinMemoryRequiredInMb"]))


def _shared(component: Component) -> Any:
    return component.host.shared


def _find(context: Context, name: str) -> Component | None:
    component = Endpoints.at(context).components.get(name)
    return component if isinstance(component, Component) else None


def _component(context: Context, request: Mapping[str, Any]) -> Component:
    component = _find(context, request["InferenceComponentName"])
    if component is None:
        arn = context.arn("sagemaker", f"inference-component/{request['InferenceComponentName']}")
        raise InvalidError(f'Could not find inference component "{arn}".')
    return component


def _require_changeable(component: Component) -> None:
    if component.status in _IN_PROGRESS:
        raise InvalidError(f'Cannot update in-progress inference component "{component.record["EndpointArn"]}".')
    if component.status != "InService":
        raise InvalidError(f"Cannot update inference component {component.name} with status {component.status}; it can only be deleted.")
