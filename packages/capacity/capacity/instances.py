"""Instance types to consider, from the results of an Inference Recommender job.

Input: what `aws sagemaker describe-inference-recommendations-job` answers. Source: SageMaker API reference,
InferenceRecommendation and RecommendationMetrics (MaxInvocations per minute, ModelLatency in microseconds, CostPerHour).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from capacity.candidates import InstanceOption
from capacity.model import CapacityError, require
from capacity.service import ServiceTime


def read(path: Path, shape: ServiceTime) -> list[InstanceOption]:
    """Options of a saved answer. `shape`: the measured distribution, scaled to each type's own speed."""
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CapacityError(f"Inference Recommender file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CapacityError(f"Inference Recommender file {path} is not JSON") from error
    return options(answer, shape, name=path.name)


def options(answer: Mapping[str, Any], shape: ServiceTime, *, name: str = "the answer") -> list[InstanceOption]:
    """One option for each real-time recommendation, cheapest first; of a type seen twice the faster.

    The job measures the throughput at which latency is still acceptable (MaxInvocations a minute) on one instance or more
    (InitialInstanceCount); its ModelLatency includes waiting, so the service time follows from the throughput.
    """
    require(isinstance(answer, Mapping), f"{name} is not an answer of describe-inference-recommendations-job")
    status = answer.get("Status")
    require(status in (None, "COMPLETED"), f"{name}: the Inference Recommender job is {status}; allowed: COMPLETED")
    found: dict[str, InstanceOption] = {}
    for item in answer.get("InferenceRecommendations", []):
        endpoint, metrics = item.get("EndpointConfiguration", {}), item.get("Metrics", {})
        instance_type, most = endpoint.get("InstanceType"), metrics.get("MaxInvocations", 0)
        if not instance_type or most <= 0:
            continue  # serverless recommendations have no instance type
        count = max(1, endpoint.get("InitialInstanceCount", 1))
        per_second = most / 60 / count
        scale = shape.max_requests_per_second / per_second
        service = replace(shape, seconds=shape.seconds * scale, source=f"Inference Recommender: {most} invocations/min on {count}")
        option = InstanceOption(instance_type=instance_type, usd_per_hour=float(metrics["CostPerHour"]) / count, service=service)
        known = found.get(instance_type)
        if known is None or option.service.max_requests_per_second > known.service.max_requests_per_second:
            found[instance_type] = option
    require(
        bool(found),
        f"{name} has no recommendation with an instance type and MaxInvocations; allowed: a completed job for real-time endpoints",
    )
    return sorted(found.values(), key=lambda option: option.usd_per_hour)
