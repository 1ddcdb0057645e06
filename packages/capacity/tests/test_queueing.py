"""Waiting against the textbook, against an independent simulator (ciw), and the fluid model against single requests."""

from __future__ import annotations

import math

import numpy as np
import pytest

from capacity import service
from capacity.model import LEAST_OUTSTANDING_REQUESTS, RANDOM, Assumptions
from capacity.queueing import GRID, LatencyTable, erlang_c, mean_wait
from capacity.requests import Instance, LeastOutstandingFleet


def textbook_erlang_c(servers: int, offered: float) -> float:
    """The sum form (Kleinrock, Queueing Systems I, 3.40), in exact enough arithmetic for c <= 16."""
    last = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return last / (sum(offered**k / math.factorial(k) for k in range(servers)) + last)


@pytest.mark.parametrize("servers", range(1, 17))
@pytest.mark.parametrize("utilisation", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
def test_erlang_c_is_the_textbook_formula(servers: int, utilisation: float) -> None:
    assert erlang_c(servers, servers * utilisation) == pytest.approx(textbook_erlang_c(servers, servers * utilisation), rel=1e-9)


def test_one_server_waits_rho_over_one_minus_rho() -> None:
    assert mean_wait(1, 0.8, 1.0) == pytest.approx(4.0)


def test_constant_service_times_halve_the_wait() -> None:
    """Pollaczek-Khinchine: M/D/1 waits half as long as M/M/1."""
    assert mean_wait(1, 0.8, 1.0, squared_variation=0.0) == pytest.approx(2.0)


def simulated(servers: int, utilisation: float, requests: int, seed: int = 3) -> np.ndarray:
    random = np.random.default_rng(seed)
    arrivals = np.cumsum(random.exponential(1 / (servers * utilisation), requests))
    waits = Instance(servers, 0.0).serve(arrivals, random.exponential(1.0, requests))
    return waits[requests // 20 :]


@pytest.mark.parametrize(("servers", "utilisation"), [(1, 0.5), (2, 0.8), (4, 0.7), (16, 0.7)])
def test_single_requests_wait_as_erlang_says(servers: int, utilisation: float) -> None:
    """The whole grid up to 0.95 with its sample sizes is in benchmarks/capacity."""
    waits = simulated(servers, utilisation, 800_000)
    assert (waits > 0).mean() == pytest.approx(erlang_c(servers, servers * utilisation), rel=0.03)
    assert waits.mean() == pytest.approx(mean_wait(servers, utilisation, 1.0), rel=0.05)


def test_every_wait_equals_ciw_s_on_the_same_arrivals_and_services() -> None:
    ciw = pytest.importorskip("ciw", reason="ciw is a development dependency")
    random = np.random.default_rng(5)
    gaps, services = random.exponential(1 / 2.4, 1500), random.exponential(1.0, 1500)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential([*gaps.tolist(), math.inf])],
        service_distributions=[ciw.dists.Sequential(services.tolist())],
        number_of_servers=[3],
    )
    oracle = ciw.Simulation(network)
    oracle.simulate_until_max_time(float(gaps.sum()) + 100)
    expected = [record.waiting_time for record in sorted(oracle.get_all_records(), key=lambda record: record.arrival_date)]
    waits = Instance(3, 0.0).serve(np.cumsum(gaps), services)
    assert len(expected) == 1500
    np.testing.assert_allclose(waits, expected, atol=1e-9)


def test_one_worker_by_lindley_equals_the_heap() -> None:
    random = np.random.default_rng(2)
    arrivals, services = np.cumsum(random.exponential(1.2, 3000)), random.exponential(1.0, 3000)
    quick = Instance(1, 0.0)
    halves = np.concatenate([quick.serve(arrivals[:1000], services[:1000]), quick.serve(arrivals[1000:], services[1000:])])
    slow, free = [], 0.0
    for arrival, took in zip(arrivals, services, strict=True):
        slow.append(max(0.0, free - arrival))
        free = max(free, arrival) + took
    np.testing.assert_allclose(halves, slow, atol=1e-9)


def test_requests_that_wait_longer_than_the_timeout_are_given_up() -> None:
    waits = Instance(1, 0.0, timeout_seconds=2.5).serve(np.zeros(5), np.ones(5))
    assert waits.tolist() == [0, 1, 2, np.inf, np.inf]


def test_latency_table_bounds() -> None:
    measured = service.given(20, p99_ms=60, workers=2)
    table = LatencyTable.of(measured, 0.150)
    assert table.p99(0)[0] == pytest.approx(measured.quantile(0.99), rel=0.03)
    assert (np.diff(table.breach) >= -1e-12).all() and (np.diff(table.p99(0)) >= -1e-9).all()
    assert table.breach_share(np.array([table.highest_utilisation(0.01)]), np.zeros(1), np.ones(1, np.int64))[0] <= 0.01


def least_outstanding(instances: int, utilisation: float, requests: int, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Waits and latencies, in seconds, of single requests that are sent to the instance with the fewest in flight."""
    random = np.random.default_rng(seed)
    measured = service.given(20, p99_ms=60, workers=2)
    arrivals = np.cumsum(random.exponential(measured.mean_seconds / (2 * instances * utilisation), requests))
    services = measured.seconds[random.integers(0, len(measured.seconds), requests)]
    fleet = LeastOutstandingFleet(2)
    fleet.resize(instances, 0.0)
    waits = fleet.serve(arrivals, services)
    return waits[requests // 20 :], (waits + services)[requests // 20 :]


@pytest.mark.parametrize(("instances", "utilisation"), [(2, 0.7), (2, 0.9), (4, 0.9), (8, 0.95)])
def test_least_outstanding_requests_wait_no_longer_than_the_table_says(instances: int, utilisation: float) -> None:
    """From the pooled queue's wait below to the table's with its residual above; random routing waits several times as long."""
    measured = service.given(20, p99_ms=60, workers=2)
    table = LatencyTable.of(measured, 0.150, LEAST_OUTSTANDING_REQUESTS)
    waits, latencies = least_outstanding(instances, utilisation, 200_000)
    counts = np.array([instances])
    concurrency = float(np.interp(utilisation, GRID, table.concurrency[table.row(counts)[0]]))
    upper = (concurrency / (2 * utilisation) - 1) * measured.mean_seconds  # Little's law
    pooled = mean_wait(2 * instances, utilisation, measured.mean_seconds, measured.squared_variation)
    assert 0.9 * pooled <= waits.mean() <= 1.1 * upper
    assert (latencies > 0.150).mean() <= 1.15 * table.breach_share(np.array([utilisation]), np.zeros(1), counts)[0] + 1e-4
    assert waits.mean() < mean_wait(2, utilisation, measured.mean_seconds, measured.squared_variation) / 2


def test_a_single_instance_waits_alike_however_it_is_chosen() -> None:
    measured = service.given(20, p99_ms=60, workers=2)
    pooled, alone = (LatencyTable.of(measured, 0.150, routing) for routing in (LEAST_OUTSTANDING_REQUESTS, RANDOM))
    np.testing.assert_allclose(pooled.breach[0], alone.breach[0])
    assert (np.diff(pooled.breach, axis=0) <= 1e-12).all()  # a larger fleet is never slower


def test_a_request_goes_to_the_instance_with_the_fewest_in_flight() -> None:
    """Two instances with one worker: the third request finds one and one, the fourth finds the short one free again."""
    fleet = LeastOutstandingFleet(1)
    fleet.resize(2, 0.0)
    waits = fleet.serve(np.array([0.0, 0.1, 0.2, 1.5]), np.array([10.0, 1.0, 1.0, 1.0]))
    np.testing.assert_allclose(waits, [0.0, 0.0, 9.8, 0.0])


def test_an_instance_that_goes_takes_its_requests_along() -> None:
    fleet = LeastOutstandingFleet(1)
    fleet.resize(2, 0.0)
    fleet.serve(np.zeros(4), np.full(4, 5.0))
    fleet.resize(1, 1.0)
    assert fleet.serve(np.array([1.0]), np.array([1.0])).tolist() == [9.0]  # behind the two of the instance that stays
    fleet.resize(2, 2.0)
    assert fleet.serve(np.array([2.0]), np.array([1.0])).tolist() == [0.0]


def test_counts_that_are_not_exact_are_planned_as_random() -> None:
    measured = service.given(20, p99_ms=60, workers=2)
    doubtful = LatencyTable.of(measured, 0.150, LEAST_OUTSTANDING_REQUESTS, Assumptions(least_outstanding_is_exact=False))
    assert doubtful.routing == RANDOM and doubtful.sizes == (1,)


def test_given_service_time_has_its_mean_and_percentile() -> None:
    measured = service.given(20, p99_ms=60)
    assert measured.mean_seconds == pytest.approx(0.020)
    assert measured.quantile(0.99) == pytest.approx(0.060, rel=0.03)
    assert service.given(20, p99_ms=20).squared_variation == pytest.approx(0.0)


def test_stretches_without_waiting_change_nothing() -> None:
    """Some of the stretches are served at once, some one by one; all one by one come to the same waits."""
    random = np.random.default_rng(6)
    requests, instances = 400_000, 40
    arrivals = np.cumsum(random.exponential(1 / (0.78 * 2 * instances), requests))
    services = random.exponential(1.0, requests)
    mixed, single = LeastOutstandingFleet(2), LeastOutstandingFleet(2)
    mixed.resize(instances, 0.0)
    single.resize(instances, 0.0)
    by_stretch, one_by_one = mixed.serve(arrivals, services), single._serve_one_by_one(arrivals, services)
    waited = one_by_one > 0
    assert 0.001 < waited.mean() < 0.1
    assert (by_stretch > 0).mean() == pytest.approx(waited.mean(), rel=0.05)
    assert by_stretch.mean() == pytest.approx(one_by_one.mean(), rel=0.05)
