"""How fast: a day by the fluid model, single requests, and the same queue in simpy and ciw, in one run on one core."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import mean, median
from typing import Any

import ciw
import numpy as np
import simpy

from capacity import service, traffic
from capacity.model import PREDEFINED_METRICS, ROUTING_STRATEGIES, Configuration, ScalableTarget, TargetTrackingPolicy
from capacity.queueing import LatencyTable, mean_wait
from capacity.requests import Instance, replay_requests
from capacity.simulate import simulate

SERVERS, UTILISATION = 2, 0.8
SERVICE = service.given(20, p99_ms=60, workers=2)


def seconds_of(work: Callable[[], Any], times: int = 3) -> float:
    """Median wall-clock seconds."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return median(taken)


def configuration(*metrics: str, initial: int = 2) -> Configuration:
    target = ScalableTarget(resource_id="endpoint/benchmark/variant/AllTraffic", min_capacity=2, max_capacity=300)
    values = {"SageMakerVariantInvocationsPerInstance": 3000.0, "SageMakerVariantConcurrentRequestsPerModelHighResolution": 1.2}
    policies = tuple(TargetTrackingPolicy(name=m, metric=PREDEFINED_METRICS[m], target_value=values[m]) for m in metrics)
    return Configuration(target=target, policies=policies, initial_instance_count=initial)


def fluid_day() -> dict[str, float]:
    """24 hours at 10^4 requests/s peak. The latency table depends on the service time only and is made once per search."""
    day, table = traffic.from_shape("diurnal:peak=10000,base=500"), LatencyTable.of(SERVICE, 0.15)
    invocations, concurrency = PREDEFINED_METRICS
    one, both = configuration(invocations, initial=20), configuration(invocations, concurrency, initial=20)
    return {
        "one_minute_metric_seconds": seconds_of(lambda: simulate(one, day, SERVICE, slo_seconds=0.15, table=table)),
        "with_ten_second_metric_seconds": seconds_of(lambda: simulate(both, day, SERVICE, slo_seconds=0.15, table=table)),
        "latency_table_seconds": seconds_of(lambda: LatencyTable.of(SERVICE, 0.15)),
    }


def single_requests() -> dict[str, float]:
    """Whole replays with the engine in the loop, 2,000 requests/s on about 40 instances, by routing strategy and workers."""
    return {
        f"requests_per_second_{routing.lower()}_{workers}_workers": _request_rate(workers, routing)
        for routing in ROUTING_STRATEGIES
        for workers in (1, 2, 8)
    }


def _request_rate(workers: int, routing: str) -> float:
    load = traffic.from_shape("constant:peak=2000,days=0.02")
    measured = service.given(10.0 * workers, p99_ms=30.0 * workers, workers=workers)
    scaled = replace(configuration("SageMakerVariantInvocationsPerInstance", initial=40), routing=routing)
    counts: list[int] = []
    taken = seconds_of(lambda: counts.append(replay_requests(scaled, load, measured, slo_seconds=1.0).requests))
    return counts[0] / taken


def same_queue(requests: int = 100_000) -> dict[str, Any]:
    """M/M/2 at 80 %: ours, simpy and ciw, each making its own random numbers, with the mean wait that each found."""
    rows: dict[str, Any] = {"theory": {"mean_wait": mean_wait(SERVERS, UTILISATION, 1.0)}}
    for name, work in (("capacity", _ours), ("simpy", _simpy), ("ciw", _ciw)):
        times = 10 if name == "capacity" else 1
        begin = time.perf_counter()
        wait = work(requests * times)
        taken = time.perf_counter() - begin
        rows[name] = {"requests": requests * times, "requests_per_second": requests * times / taken, "mean_wait": wait}
    return rows


def _ours(requests: int) -> float:
    generator = np.random.default_rng(1)
    arrivals = np.cumsum(generator.exponential(1 / (SERVERS * UTILISATION), requests))
    return float(Instance(SERVERS, 0.0).serve(arrivals, generator.exponential(1.0, requests)).mean())


def _simpy(requests: int) -> float:
    environment, generator, waits = simpy.Environment(), random.Random(1), []
    servers = simpy.Resource(environment, SERVERS)

    def customer() -> Any:
        arrived = environment.now
        with servers.request() as turn:
            yield turn
            waits.append(environment.now - arrived)
            yield environment.timeout(generator.expovariate(1.0))

    def source() -> Any:
        for _ in range(requests):
            yield environment.timeout(generator.expovariate(SERVERS * UTILISATION))
            environment.process(customer())

    environment.process(source())
    environment.run()
    return sum(waits) / len(waits)


def _ciw(requests: int) -> float:
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(SERVERS * UTILISATION)],
        service_distributions=[ciw.dists.Exponential(1.0)],
        number_of_servers=[SERVERS],
    )
    ciw.seed(1)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(requests)
    return mean(float(record.waiting_time) for record in simulation.get_all_records())
