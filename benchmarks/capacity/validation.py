"""The replay of single requests against Erlang C and the latency table, and the fluid model against the published SageMaker graph."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capacity import service
from capacity.model import (
    LEAST_OUTSTANDING_REQUESTS,
    PREDEFINED_METRICS,
    Assumptions,
    Configuration,
    ScalableTarget,
    TargetTrackingPolicy,
)
from capacity.queueing import GRID, LatencyTable, erlang_c, mean_wait
from capacity.requests import Instance, LeastOutstandingFleet
from capacity.simulate import simulate
from capacity.traffic import Traffic

FIGURE = Path(__file__).parents[2] / "tests" / "capacity" / "data" / "aws_fig_target_tracking.csv"
BY_EYE = {11: 7700.0, 12: 7850.0, 14: 7050.0}  # invocations per instance where the graph's markers overlap
CHUNK = 2_000_000


def erlang(requests: int = 40_000_000) -> dict[str, Any]:
    """Relative errors over c = 1..16 and rho = 0.5..0.95; sample sizes give the mean wait a standard error near 0.7 %. Some 6 minutes."""
    rows = []
    for servers in range(1, 17):
        for utilisation in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
            rows.append(_one(servers, utilisation, requests))
    return {
        "requests_each": "by the formula in _needed, at most " + f"{requests:,}",
        "worst_error_waiting_probability": max(row["error_waiting_probability"] for row in rows),
        "worst_error_mean_wait": max(row["error_mean_wait"] for row in rows),
        "rows": rows,
    }


def _needed(servers: int, utilisation: float, most: int) -> int:
    """Waits are rarer at low use of many servers and longer correlated at high use: both need more requests."""
    rare = 300_000 / max(erlang_c(servers, servers * utilisation), 1e-6)
    correlated = 100_000 / (1 - utilisation) ** 2
    return int(min(most, max(4_000_000, rare, correlated)))


def _one(servers: int, utilisation: float, most: int) -> dict[str, Any]:
    requests = _needed(servers, utilisation, most)
    random = np.random.default_rng(1000 * servers + int(100 * utilisation))
    instance, now, waited, total, served = Instance(servers, 0.0), 0.0, 0, 0.0, 0
    while served < requests:
        arrivals = now + np.cumsum(random.exponential(1 / (servers * utilisation), min(CHUNK, requests)))
        waits = instance.serve(arrivals, random.exponential(1.0, len(arrivals)))
        now = float(arrivals[-1])
        waited, total, served = waited + int((waits > 1e-12).sum()), total + float(waits.sum()), served + len(waits)
    probability, mean = erlang_c(servers, servers * utilisation), mean_wait(servers, utilisation, 1.0)
    return {
        "servers": servers,
        "utilisation": utilisation,
        "requests": served,
        "error_waiting_probability": abs(waited / served / probability - 1),
        "error_mean_wait": abs(total / served / mean - 1),
    }


def least_outstanding(requests: int = 1_000_000) -> dict[str, Any]:
    """Exact least outstanding requests against the latency table, which is meant never to promise too much. Some 2 minutes."""
    measured, slo_seconds = service.given(20, p99_ms=60, workers=2), 0.150
    table = LatencyTable.of(measured, slo_seconds, LEAST_OUTSTANDING_REQUESTS)
    rows = []
    for instances in (1, 2, 4, 8, 16):
        for utilisation in (0.7, 0.8, 0.9, 0.95):
            random = np.random.default_rng(100 * instances + int(100 * utilisation))
            arrivals = np.cumsum(random.exponential(measured.mean_seconds / (2 * instances * utilisation), requests))
            services = measured.seconds[random.integers(0, len(measured.seconds), requests)]
            fleet = LeastOutstandingFleet(measured.workers)
            fleet.resize(instances, 0.0)
            waits = fleet.serve(arrivals, services)[requests // 50 :]
            concurrency = float(np.interp(utilisation, GRID, table.concurrency[table.row(np.array(instances))]))
            expected = table.breach_share(np.array([utilisation]), np.zeros(1), np.array([instances]))
            rows.append(
                {
                    "instances": instances,
                    "utilisation": utilisation,
                    "mean_wait_ms": 1000 * float(waits.mean()),
                    "mean_wait_ms_table": 1000 * measured.mean_seconds * (concurrency / (2 * utilisation) - 1),
                    "slower_percent": 100 * float((waits + services[requests // 50 :] > slo_seconds).mean()),
                    "slower_percent_table": 100 * float(expected[0]),
                }
            )
    most = max(row["slower_percent"] - row["slower_percent_table"] for row in rows)
    return {"requests_each": requests, "most_percentage_points_above_the_table": most, "rows": rows}


def figure() -> dict[str, Any]:
    """RMSE of the effective instance count over the 13 minutes of the graph, with the measured and the default provisioning time."""
    with FIGURE.open() as file:
        rows = list(csv.DictReader(file))
    counts = [float(r["invocations"]) / BY_EYE[int(r["minute"])] if int(r["minute"]) in BY_EYE else float(r["instances_eff"]) for r in rows]
    published = np.array(counts)
    users = np.maximum(2.0, np.array([float(row["concurrency_littles_law"]) for row in rows]))
    measured = 6 * 60 + 60 * (1 - 2 * (1 - 1 / published[6])) - (3 * 60 + 60 + 10)
    found = {}
    for name, seconds in (("measured", measured), ("default", Assumptions().provisioning_seconds)):
        effective = _effective(users, seconds)
        found[name] = {
            "provisioning_seconds": round(float(seconds), 1),
            "rmse_instances": float(np.sqrt(((effective - published) ** 2).mean())),
            "simulated": np.round(effective, 2).tolist(),
        }
    return {"published": np.round(published, 2).tolist(), **found}


def _effective(users: NDArray[np.float64], provisioning_seconds: float) -> NDArray[np.float64]:
    policy = TargetTrackingPolicy(
        name="t",
        metric=PREDEFINED_METRICS["SageMakerVariantInvocationsPerInstance"],
        target_value=4987,
        scale_out_cooldown_seconds=10,
        scale_in_cooldown_seconds=100,
    )
    target = ScalableTarget(resource_id="endpoint/figure/variant/AllTraffic", min_capacity=1, max_capacity=8)
    replay = simulate(
        Configuration(target=target, policies=(policy,)),
        Traffic(rate=users, step_seconds=60, start=0.0, closed_loop=True),
        service.given(60_000 / 8200, workers=1),
        slo_seconds=1.0,
        assumptions=Assumptions(provisioning_seconds=provisioning_seconds),
    )
    sent, running = replay.load.reshape(-1, 6), replay.running.reshape(-1, 6)
    return np.asarray(sent.sum(axis=1) / (sent / running).sum(axis=1))
