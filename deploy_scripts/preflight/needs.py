"""How many instances of which type the settings can reach at once, by what they are used for.

Endpoints: an update runs two fleets, the old one and the new ("Blue/Green Deployments" of the SageMaker guide), each up to the highest
capacity of any schedule; updates of two endpoints may overlap. Jobs: `job_needs.py`. Next: `quotas.py` compares with what the account has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from settings_schema import Batch, Endpoint

FLEETS = 2


class Use(Enum):
    """What an instance is used for. Names of quotas as Service Quotas lists them; `component` as the Price List names it."""

    ENDPOINT = ("endpoint", "endpoint usage", "Number of instances across active endpoints", "Hosting", "ProductionVariantInstanceType")
    TRAINING = ("training", "training job usage", "Number of instances across all training jobs", "Training", "TrainingInstanceType")
    PROCESSING = (
        "processing",
        "processing job usage",
        "Number of instances across all processing jobs",
        "Processing",
        "ProcessingInstanceType",
    )
    TRANSFORM = (
        "transform",
        "transform job usage",
        "Number of instances across all transform jobs",
        "BatchTransform",
        "TransformInstanceType",
    )

    def __init__(self, label: str, quota_suffix: str, total_quota: str, component: str, shape: str) -> None:
        self.label, self.quota_suffix, self.total_quota, self.component, self.shape = label, quota_suffix, total_quota, component, shape

    def quota(self, instance_type: str) -> str:
        """Such as `ml.m5.large for endpoint usage`."""
        return f"{instance_type} for {self.quota_suffix}"


@dataclass(frozen=True, slots=True)
class Need:
    use: Use
    instance_type: str
    count: int
    why: str


def capacity_range(endpoint: Endpoint) -> tuple[int, int]:
    """Instances of an endpoint when it idles, and at the most, over all its schedules."""
    scaling = endpoint.autoscaling
    if scaling is None:
        return endpoint.initial_instance_count, endpoint.initial_instance_count
    lowest = [scaling.min_capacity, *(item.min_capacity for item in scaling.schedules)]
    highest = [scaling.max_capacity, *(item.max_capacity for item in scaling.schedules)]
    return min(lowest), max(highest)


def endpoint_needs(endpoints: Mapping[str, Endpoint]) -> list[Need]:
    """One for each instance type, over all endpoints, by their names: the quota is the type's."""
    needs = []
    for instance_type in dict.fromkeys(item.instance_type for item in endpoints.values()):
        fleets = {name: capacity_range(item)[1] for name, item in endpoints.items() if item.instance_type == instance_type}
        why = ", ".join(f"{name} {FLEETS} × {most}" for name, most in fleets.items())
        needs.append(Need(Use.ENDPOINT, instance_type, FLEETS * sum(fleets.values()), f"both fleets of an update: {why}"))
    return needs


def batch_needs(batches: Mapping[str, Batch]) -> list[Need]:
    """Of the models that are scored on a schedule or an upload, which may meet."""
    return [Need(Use.TRANSFORM, item.instance_type, item.instance_count, f"{name} {item.instance_count}") for name, item in batches.items()]
