"""Waiting against the textbook, against an independent simulator (ciw), and the fluid model against single requests."""

from __future__ import annotations

import math

import numpy as np
import pytest

from capacity import service
from capacity.queueing import LatencyTable, erlang_c, mean_wait
from capacity.requests import Instance


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
    assert table.p99[0] == pytest.approx(measured.quantile(0.99), rel=0.03)
    assert (np.diff(table.breach) >= -1e-12).all() and (np.diff(table.p99) >= -1e-9).all()
    assert table.breach_share(np.array([table.highest_utilisation(0.01)]), np.zeros(1))[0] <= 0.01


def test_given_service_time_has_its_mean_and_percentile() -> None:
    measured = service.given(20, p99_ms=60)
    assert measured.mean_seconds == pytest.approx(0.020)
    assert measured.quantile(0.99) == pytest.approx(0.060, rel=0.03)
    assert service.given(20, p99_ms=20).squared_variation == pytest.approx(0.0)
