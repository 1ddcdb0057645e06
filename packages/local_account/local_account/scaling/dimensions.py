"""What can be scaled: instances of a variant, what is provisioned of a serverless one, copies of a component; how each is asked for.

Sources: SageMaker guide, "Autoscale an asynchronous endpoint" (down to zero) and "Automatically scale Provisioned Concurrency".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from capacity.model import MetricSpecification
from local_account.context import Context
from local_account.endpoints.registry import Endpoint, Endpoints
from local_account.errors import InvalidError

INSTANCES, PROVISIONED = "sagemaker:variant:DesiredInstanceCount", "sagemaker:variant:DesiredProvisionedConcurrency"
COPIES = "sagemaker:inference-component:DesiredCopyCount"
_VARIANT, _COMPONENT = re.compile(r"endpoint/([^/]+)/variant/([^/]+)"), re.compile(r"inference-component/([^/]+)")


@dataclass(frozen=True)
class Scaled:
    """What a resource id names: a variant of an endpoint, or the one of an inference component."""

    endpoint: Endpoint
    variant: str

    def metric(self, metric: MetricSpecification) -> MetricSpecification:
        """To be read from CloudWatch. Predefined metrics name no dimensions themselves."""
        return metric if metric.dimensions else replace(metric, dimensions=tuple(self.endpoint.dimensions(self.variant).items()))


def find(context: Context, resource_id: str, dimension: str) -> Scaled | None:
    """None where it names what is not there. Raises InvalidError for a resource id that its dimension does not have."""
    match = (_COMPONENT if dimension == COPIES else _VARIANT).fullmatch(resource_id)
    if match is None:
        allowed = "inference-component/<name>" if dimension == COPIES else "endpoint/<endpoint name>/variant/<variant name>"
        raise InvalidError(f"ResourceId is {resource_id!r}; allowed: {allowed}")
    endpoints = Endpoints.at(context)
    endpoint = (endpoints.components if dimension == COPIES else endpoints.by_name).get(match[1])
    names = [record["VariantName"] for record in endpoint.record["ProductionVariants"]] if endpoint else []
    variant = names[0] if dimension == COPIES and names else (match[2] if dimension != COPIES else "")
    return Scaled(endpoint, variant) if endpoint is not None and variant in names else None


@dataclass(frozen=True)
class Capacity:
    desired: int
    running: int


def capacity(dimension: str, record: Mapping[str, Any]) -> Capacity:
    """`record`: the variant as DescribeEndpoint describes it."""
    if dimension in (INSTANCES, COPIES):
        return Capacity(int(record["DesiredInstanceCount"]), int(record["CurrentInstanceCount"]))
    return Capacity(*(int(record[f"{when}ServerlessConfig"].get("ProvisionedConcurrency", 0)) for when in ("Desired", "Current")))


def ask_for(sagemaker: Any, dimension: str, scaled: Scaled, count: int) -> None:
    """As Application Auto Scaling asks SageMaker."""
    name = scaled.endpoint.name
    if dimension == COPIES:
        sagemaker.update_inference_component_runtime_config(InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": count})
        return
    changes = [_wanted(dimension, scaled.variant, count)]
    sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=changes)


def _wanted(dimension: str, variant: str, count: int) -> dict[str, Any]:
    change = {"DesiredInstanceCount": count} if dimension == INSTANCES else {"ServerlessUpdateConfig": {"ProvisionedConcurrency": count}}
    return {"VariantName": variant, **change}


def words(dimension: str) -> str:
    return {INSTANCES: "instance count", COPIES: "copy count"}.get(dimension, "provisioned concurrency")


def require_scalable(dimension: str, endpoint: Endpoint, variant: str, lowest: int) -> None:
    """Raises InvalidError for a variant that has nothing of this, and for a minimum that it cannot have."""
    if dimension == COPIES:
        return
    serverless = endpoint.variant_record(variant).get("CurrentServerlessConfig")
    if (dimension == PROVISIONED) != bool((serverless or {}).get("ProvisionedConcurrency")) or (dimension == INSTANCES and serverless):
        raise InvalidError(f"Variant {variant} of endpoint {endpoint.name} has no {words(dimension)} that could be scaled.")
    allowed = 0 if dimension == INSTANCES and endpoint.backlog is not None else 1
    if lowest < allowed:
        raise InvalidError(f"MinCapacity is {lowest}; allowed for a variant: at least {allowed}")
