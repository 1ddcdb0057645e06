"""How many instances of which type an app can reach at once, by what they are used for.

Endpoints: `endpoints.py`, by the templates. Jobs: `job_needs.py`, by the definitions of pipelines. Next: `quotas.py` compares with what the
account has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

#: Service Quotas' code of "total concurrency across all serverless endpoints" of SageMaker.
SERVERLESS_CONCURRENCY = "L-96300102"


class Use(Enum):
    """What an instance is used for. Names of quotas as Service Quotas lists them; `component` as the Price List names it."""

    ENDPOINT = ("endpoint", "endpoint usage", "Number of instances across active endpoints", "Hosting", "ProductionVariantInstanceType")
    TRAINING = ("training", "training job usage", "Number of instances across all training jobs", "Training", "TrainingInstanceType")
    SPOT_TRAINING = (
        "spot training",
        "spot training job usage",
        "Number of instances across all spot training jobs",
        "Training",
        "TrainingInstanceType",
    )
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


def together(needs: Sequence[Need]) -> list[Need]:
    """One for each use and type: a change may start every pipeline at once, and schedules may meet."""
    found: dict[tuple[Use, str], list[Need]] = {}
    for need in needs:
        found.setdefault((need.use, need.instance_type), []).append(need)
    return [
        Need(use, instance_type, sum(need.count for need in items), items[0].why if len(items) == 1 else _runs(items))
        for (use, instance_type), items in found.items()
    ]


def _runs(needs: Sequence[Need]) -> str:
    """`6 runs at once: 2 of Prepare 1 at a time, 4 of Monitor 1 at a time`."""
    kinds = Counter(need.why for need in needs)
    return f"{len(needs)} runs at once: {', '.join(f'{count} of {why}' for why, count in kinds.items())}"
