"""Publishes what endpoints did and what their processes used, as SageMaker does: namespaces, names, units and dimensions are its own.

In: `Traffic` counters and the instances' processes. Out: metrics in `AWS/SageMaker` and `/aws/sagemaker/Endpoints`, by EndpointName
and VariantName, and of inference components by their name. Nothing is published for a minute without invocations, which is why a
SageMaker endpoint without any traffic does not scale in. Source: SageMaker Developer Guide, "Amazon SageMaker AI metrics in Amazon
CloudWatch".
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import psutil

from local_account.context import Context
from local_account.endpoints.components import Component
from local_account.endpoints.fleet import Variant
from local_account.endpoints.multi_model import MultiModelVariant
from local_account.endpoints.registry import Endpoint, Endpoints
from local_account.endpoints.serverless import ServerlessVariant
from local_account.endpoints.traffic import Minute
from local_account.monitoring import kinds_of_endpoint, store
from local_account.monitoring.store import Datum

INVOCATIONS, UTILISATION, COPIES = "AWS/SageMaker", "/aws/sagemaker/Endpoints", "/aws/sagemaker/InferenceComponents"
_CONCURRENCY_SECONDS = 10
#: A minute's latencies are stored as at most this many groups, and the slowest one by one, so that percentiles stay exact there.
_GROUPS, _SINGLE = 20, 8


class Publisher:
    """Publishes for one account. `publish` is called at every beat."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._minute = int(context.clock.now().timestamp() // 60)
        self._concurrency: dict[tuple[str, str], tuple[float, float, int]] = {}
        self._processes: dict[int, psutil.Process] = {}

    def publish(self, now: float) -> None:
        """Publish the minutes that are over at `now` (Unix seconds), and the concurrency until now."""
        minute = int(now // 60)
        invocations: list[Datum] = []
        utilisation: list[Datum] = []
        of_copies: list[Datum] = []
        on_shared: dict[str, list[Datum]] = {}
        for endpoint in Endpoints.at(self._context).all():
            weight, left_out = self._context.clock.request_weight, kinds_of_endpoint.unpublished(endpoint)
            of_requests: list[Datum] = []
            of_instances: list[Datum] = []
            for (variant, counted), counts in endpoint.traffic.take_before(minute).items():
                of_requests += _minute_data(endpoint.dimensions(variant), counted * 60.0, counts, weight)
            for running in list(endpoint.variants()):
                of_requests += self._concurrency_data(endpoint, running, now)
                if minute > self._minute:
                    of_instances += self._utilisation_data(endpoint, running, (minute - 1) * 60.0)
                if isinstance(running, ServerlessVariant):
                    of_requests += kinds_of_endpoint.concurrency(running, endpoint.dimensions(running.name), now)
            if isinstance(endpoint, Component):
                on_shared.setdefault(endpoint.host.name, []).extend(of_instances)
                if minute > self._minute:
                    of_requests += kinds_of_endpoint.silence(endpoint, of_requests, (minute - 1) * 60.0)
                invocations += kinds_of_endpoint.of_component(of_requests)
                of_copies += kinds_of_endpoint.of_component(of_instances)
                continue
            invocations += [datum for datum in of_requests if datum.name not in left_out]
            invocations += kinds_of_endpoint.backlog(endpoint, now)
            utilisation += [datum for datum in of_instances if datum.name not in left_out]
        if minute > self._minute:
            for host in list(Endpoints.at(self._context).by_name.values()):
                utilisation += kinds_of_endpoint.of_shared(host, on_shared.get(host.name, []), (minute - 1) * 60.0)
        self._minute = minute
        for namespace, data in ((INVOCATIONS, invocations), (UTILISATION, utilisation), (COPIES, of_copies)):
            if data:
                store.put(self._context, namespace, data)

    def _concurrency_data(self, endpoint: Endpoint, variant: Variant, now: float) -> list[Datum]:
        """Mean number of requests in flight since the last value, every ten seconds."""
        key, real = (endpoint.name, variant.name), time.monotonic()
        seconds, tick = endpoint.traffic.concurrency_seconds(variant.name), int(now // _CONCURRENCY_SECONDS)
        if key not in self._concurrency:
            self._concurrency[key] = seconds, real, tick
            return []
        before_seconds, before_real, before_tick = self._concurrency[key]
        if tick == before_tick or real <= before_real:
            return []
        self._concurrency[key] = seconds, real, tick
        mean = max(0.0, (seconds - before_seconds) / (real - before_real)) / max(1, len(variant.instances))
        dimensions = endpoint.dimensions(variant.name)
        ticks = range(max(before_tick, tick - 6), tick)  # a beat that came late covers several
        return [Datum("ConcurrentRequestsPerModel", dimensions, at * float(_CONCURRENCY_SECONDS), "Count", [mean]) for at in ticks]

    def _utilisation_data(self, endpoint: Endpoint, variant: Variant, at: float) -> list[Datum]:
        """Measured use of each instance: CPU in percent of one core, memory and disk in percent of the machine's."""
        dimensions = endpoint.dimensions(variant.name)
        cpu, memory = [], []
        for instance in variant.instances:
            try:
                processes = [self._processes.setdefault(pid, psutil.Process(pid)) for pid in variant.processes(instance)]
                cpu.append(sum(process.cpu_percent(None) for process in processes))
                memory.append(sum(_memory_percent(variant, process) for process in processes))
            except psutil.Error:
                for pid in variant.processes(instance):
                    self._processes.pop(pid, None)
        disk = [psutil.disk_usage(str(variant.model.directory)).percent] if cpu else []
        more = [kinds_of_endpoint.loaded(variant, dimensions, at)] if cpu and isinstance(variant, MultiModelVariant) else []
        named = (("CPUUtilization", cpu), ("MemoryUtilization", memory), ("DiskUtilization", disk))
        return [*(Datum(name, dimensions, at, "Percent", values) for name, values in named if values), *more]


def _memory_percent(variant: Variant, process: psutil.Process) -> float:
    """Of the machine's, or of what a serverless or multi-model variant is to have."""
    if isinstance(variant, ServerlessVariant):
        return float(100 * process.memory_info().rss / (int(variant.configuration["MemorySizeInMB"]) * 2**20))
    if isinstance(variant, MultiModelVariant):
        return float(100 * process.memory_info().rss / variant.memory_bytes)
    return float(process.memory_percent())


def _minute_data(dimensions: Mapping[str, str], at: float, counts: Minute, weight: float) -> list[Datum]:
    """The metrics of a minute; each invocation counts as `weight` of them (`Clock.request_weight`)."""
    others = list(kinds_of_endpoint.measured(counts, dimensions, at, weight))
    if not counts.invocations:
        return others

    def rate(errors: int) -> tuple[list[float], list[float]]:
        return [1.0, 0.0], [errors * weight, (counts.invocations - errors) * weight]

    data = [
        Datum("Invocations", dimensions, at, "None", [counts.invocations * weight]),
        Datum("InvocationsPerInstance", dimensions, at, "None", [counts.invocations_per_instance * weight]),
        # Zeros are published too: the average of these is an error rate.
        Datum("Invocation4XXErrors", dimensions, at, "None", *rate(counts.client_errors)),
        Datum("Invocation5XXErrors", dimensions, at, "None", *rate(counts.server_errors)),
    ]
    for name, latencies in (("ModelLatency", counts.model_latency), ("OverheadLatency", counts.overhead_latency)):
        values, repeats = grouped(latencies)
        data.append(Datum(name, dimensions, at, "Microseconds", values, [repeat * weight for repeat in repeats]))
    return [*data, *others]


def grouped(latencies: Sequence[float]) -> tuple[list[float], list[float]]:
    """Values and how often each counts: few enough to keep a day of minutes, exact for the slowest requests. Keeps the sum."""
    ordered = sorted(latencies)
    single = ordered[-_SINGLE:]
    rest = ordered[: -len(single)] if single else []
    size = max(1, -(-len(rest) // _GROUPS))
    groups = [rest[start : start + size] for start in range(0, len(rest), size)]
    values = [sum(group) / len(group) for group in groups] + single
    return values, [float(len(group)) for group in groups] + [1.0] * len(single)
