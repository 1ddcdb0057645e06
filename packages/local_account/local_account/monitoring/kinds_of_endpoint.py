"""Metrics that only serverless, asynchronous or multi-model endpoints or inference components have, and which of the usual ones those lack.

In: the endpoint and what it counted. Out: data for `endpoint_metrics.py`. Sources: SageMaker guide, "Alarms and logs for tracking metrics
from serverless endpoints" and "Monitor asynchronous endpoint", each with an exhaustive list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from local_account.endpoints.multi_model import MultiModelVariant
from local_account.endpoints.registry import Endpoint
from local_account.endpoints.serverless import ServerlessVariant
from local_account.endpoints.traffic import Minute
from local_account.monitoring.store import Datum

_NOT_SERVERLESS = frozenset({"InvocationsPerInstance", "ConcurrentRequestsPerModel", "CPUUtilization", "DiskUtilization"})
_NOT_ASYNCHRONOUS = frozenset({"Invocations", "InvocationsPerInstance", "OverheadLatency", "ConcurrentRequestsPerModel"})


#: What a component's copies have instead of an instance's. Source: SageMaker guide, "Amazon SageMaker AI metrics in Amazon CloudWatch".
_OF_COMPONENT = {
    "InvocationsPerInstance": "InvocationsPerCopy",
    "ConcurrentRequestsPerModel": "ConcurrentRequestsPerCopy",
    "CPUUtilization": "CPUUtilizationNormalized",
    "MemoryUtilization": "MemoryUtilizationNormalized",
}
_NOT_OF_COMPONENT = frozenset({"DiskUtilization"})


def of_component(data: Sequence[Datum]) -> list[Datum]:
    return [replace(datum, name=_OF_COMPONENT.get(datum.name, datum.name)) for datum in data if datum.name not in _NOT_OF_COMPONENT]


def of_shared(host: Endpoint, copies: Sequence[Datum], at: float) -> Iterator[Datum]:
    """Of each instance under components, whose copies count as spread evenly: instances are no processes here (sharing.py)."""
    count = host.shared.instances if host.shared else 0
    if host.shared is None or not count:
        return
    for name, of_all in (("CPUUtilization", sum), ("MemoryUtilization", sum), ("DiskUtilization", max)):
        used = of_all([value for datum in copies if datum.name == name for value in datum.values] or [0.0])
        share = used / count if of_all is sum else used
        yield Datum(name, host.dimensions(host.shared.variant_name), at, "Percent", [share] * count)


def silence(component: Endpoint, published: Sequence[Datum], at: float) -> Iterator[Datum]:
    """Zero invocations of a copy in a minute without any, or target tracking on them could not go down to none, as the guide does it
    ("Scale an endpoint to zero instances"). AWS does not say so in words.
    """
    if any(datum.name == "InvocationsPerInstance" for datum in published):
        return
    for variant in component.variants():
        if variant.instances:
            yield Datum("InvocationsPerInstance", component.dimensions(variant.name), at, "None", [0.0])
            return


def unpublished(endpoint: Endpoint) -> frozenset[str]:
    """Names of metrics that real-time endpoints have."""
    if endpoint.backlog is not None:
        return _NOT_ASYNCHRONOUS
    return _NOT_SERVERLESS if any(isinstance(variant, ServerlessVariant) for variant in endpoint.variants()) else frozenset()


def measured(counts: Minute, dimensions: Mapping[str, str], at: float, weight: float) -> Iterator[Datum]:
    for (name, unit), values in counts.measured.items():
        yield Datum(name, dimensions, at, unit, values, [weight] * len(values))


def concurrency(variant: ServerlessVariant, dimensions: Mapping[str, str], at: float) -> Iterator[Datum]:
    """Of a time with requests: the most that there were at once, beside what there may be and what is provisioned."""
    peak = variant.take_peak()
    if not peak:
        return
    yield Datum("ServerlessConcurrentExecutionsUtilization", dimensions, at, "None", [peak / variant.max_concurrency])
    if provisioned := variant.provisioned:
        yield Datum("ServerlessProvisionedConcurrencyExecutions", dimensions, at, "Count", [float(min(peak, provisioned))])
        yield Datum("ServerlessProvisionedConcurrencyUtilization", dimensions, at, "None", [peak / provisioned])


def loaded(variant: MultiModelVariant, dimensions: Mapping[str, str], at: float) -> Datum:
    """A value for each instance. Source: SageMaker guide, "CloudWatch Metrics for Multi-Model Endpoint Deployments"."""
    return Datum("LoadedModelCount", dimensions, at, "None", [float(count) for count in variant.loaded_counts()])


def backlog(endpoint: Endpoint, now: float) -> Iterator[Datum]:
    """Of the endpoint as it is now. What is per instance there is only with instances."""
    if endpoint.backlog is None:
        return
    dimensions, waiting = {"EndpointName": endpoint.name}, float(endpoint.backlog.size)
    instances = sum(len(variant.instances) for variant in endpoint.variants())
    yield Datum("ApproximateBacklogSize", dimensions, now, "Count", [waiting])
    yield Datum("HasBacklogWithoutCapacity", dimensions, now, "Count", [float(waiting > 0 and not instances)])
    oldest = endpoint.backlog.oldest_seconds(datetime.fromtimestamp(now, UTC))
    yield Datum("ApproximateAgeOfOldestRequest", dimensions, now, "Seconds", [oldest])
    if instances:
        yield Datum("ApproximateBacklogSizePerInstance", dimensions, now, "Count", [waiting / instances])
