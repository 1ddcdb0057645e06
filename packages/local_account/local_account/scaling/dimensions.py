"""What can be scaled of a variant: its instances, or what is provisioned of a serverless one. How each is read and asked for.

Sources: SageMaker guide, "Autoscale an asynchronous endpoint" (down to zero) and "Automatically scale Provisioned Concurrency".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_account.endpoints.registry import Endpoint
from local_account.errors import InvalidError

INSTANCES, PROVISIONED = "sagemaker:variant:DesiredInstanceCount", "sagemaker:variant:DesiredProvisionedConcurrency"


@dataclass(frozen=True)
class Capacity:
    desired: int
    running: int


def capacity(dimension: str, record: Mapping[str, Any]) -> Capacity:
    """`record`: the variant as DescribeEndpoint describes it."""
    if dimension == INSTANCES:
        return Capacity(int(record["DesiredInstanceCount"]), int(record["CurrentInstanceCount"]))
    return Capacity(*(int(record[f"{when}ServerlessConfig"].get("ProvisionedConcurrency", 0)) for when in ("Desired", "Current")))


def wanted(dimension: str, variant: str, count: int) -> dict[str, Any]:
    """For UpdateEndpointWeightsAndCapacities."""
    change = {"DesiredInstanceCount": count} if dimension == INSTANCES else {"ServerlessUpdateConfig": {"ProvisionedConcurrency": count}}
    return {"VariantName": variant, **change}


def words(dimension: str) -> str:
    return "instance count" if dimension == INSTANCES else "provisioned concurrency"


def require_scalable(dimension: str, endpoint: Endpoint, variant: str, lowest: int) -> None:
    """Raises InvalidError for a variant that has nothing of this, and for a minimum that it cannot have."""
    serverless = endpoint.variant_record(variant).get("CurrentServerlessConfig")
    if (dimension == PROVISIONED) != bool((serverless or {}).get("ProvisionedConcurrency")) or (dimension == INSTANCES and serverless):
        raise InvalidError(f"Variant {variant} of endpoint {endpoint.name} has no {words(dimension)} that could be scaled.")
    allowed = 0 if dimension == INSTANCES and endpoint.backlog is not None else 1
    if lowest < allowed:
        raise InvalidError(f"MinCapacity is {lowest}; allowed for a variant: at least {allowed}")
