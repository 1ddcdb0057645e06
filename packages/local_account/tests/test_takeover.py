"""Requests that chose a fleet just as a deployment took it away are answered by the fleet that serves then."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_account.clock import Clock
from local_account.endpoints import runtime
from local_account.endpoints.fleet import Fleet, Instance, RoutingStrategy, Variant
from local_account.endpoints.instance_client import NotConnectedError, Reply
from local_account.endpoints.registry import Endpoint
from local_account.response import Response

REQUESTS, BEFORE_TAKEOVER = 60, 25
PIDS = itertools.count(1)


class SlowClient:
    """Answers its fleet's name after a moment, so that requests are in flight when the fleet closes."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def post(self, *request: object) -> Reply:
        await asyncio.sleep(0.05)
        return Reply(200, {}, self._name.encode())


class UnreachableClient:
    async def post(self, *request: object) -> Reply:
        raise NotConnectedError("refused")


class OvertakenFleet(Fleet):
    """The worst moment: it is taken away and closed between the choice of some request and its forwarding."""

    def __init__(self, name: str, variants: dict[str, Variant], take_away: Callable[[], None]) -> None:
        super().__init__(name, variants)
        self._take_away, self.chosen = take_away, 0
        self.closing = threading.Thread(target=self.close)  # returns when the requests in flight are answered, as in lifecycle.py

    def pick(self, target: str | None = None) -> Variant:
        variant = super().pick(target)
        self.chosen += 1
        if self.chosen == BEFORE_TAKEOVER:
            self._take_away()
            self.closing.start()
            while variant.instances:
                time.sleep(0.001)
        return variant


def variant(name: str, answers: str, client: Any = None) -> Variant:
    launcher: Any = SimpleNamespace(stop=lambda pid: None)
    model: Any = SimpleNamespace()
    made = Variant(name, 1.0, model, launcher, lambda number: Path(), RoutingStrategy.LEAST_OUTSTANDING_REQUESTS)
    made.instances = tuple(Instance(next(PIDS), 1, Path("instance.log")) for _ in range(2))
    for instance in made.instances:
        instance.client = client or SlowClient(answers)
    return made


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint({"EndpointName": "e", "EndpointConfigName": "c"})


def context_of(endpoints: dict[str, Endpoint], directory: Path = Path()) -> Any:
    """As much of an account as InvokeEndpoint needs."""
    return SimpleNamespace(
        part=lambda kind, make: SimpleNamespace(by_name=endpoints),
        clock=Clock(),
        settings=SimpleNamespace(account_id="000000000000"),
        arn=lambda *parts: ":".join(parts),
        log_path=lambda *parts: directory / "endpoint.log",
    )


def ask(endpoints: dict[str, Endpoint], times: int, headers: dict[str, str] | None = None) -> list[Response]:
    async def all_at_once() -> list[Response]:
        return await asyncio.gather(*(runtime.invoke(context_of(endpoints), "e", headers or {}, b"1") for _ in range(times)))

    return asyncio.run(all_at_once())


def assert_nothing_is_in_flight(endpoint: Endpoint, instances: list[Instance], variants: tuple[str, ...]) -> None:
    assert [instance.in_flight for instance in instances] == [0] * len(instances)
    integrals = [endpoint.traffic.concurrency_seconds(name) for name in variants]
    time.sleep(0.01)
    assert [endpoint.traffic.concurrency_seconds(name) for name in variants] == integrals


def invocations(endpoint: Endpoint) -> dict[str, int]:
    found: dict[str, int] = {}
    for (name, _), minute in endpoint.traffic.take_before(2**40).items():
        found[name] = found.get(name, 0) + minute.invocations
    return found


@pytest.mark.parametrize("new_name", ["AllTraffic", "Renamed"])
def test_no_request_is_lost_when_the_new_fleet_takes_over(endpoint: Endpoint, new_name: str) -> None:
    old, new = variant("AllTraffic", "old"), variant(new_name, "new")
    instances = [*old.instances, *new.instances]

    def take_over() -> None:
        endpoint.fleet = Fleet("new", {new_name: new})

    overtaken = OvertakenFleet("old", {"AllTraffic": old}, take_over)
    endpoint.fleet = overtaken
    answers = ask({"e": endpoint}, REQUESTS)
    overtaken.closing.join()
    assert {answer.status for answer in answers} == {200}
    by_fleet = [sum(answer.body == name for answer in answers) for name in (b"old", b"new")]
    assert by_fleet == [BEFORE_TAKEOVER - 1, REQUESTS - BEFORE_TAKEOVER + 1], "those that were in flight, and all others"
    assert_nothing_is_in_flight(endpoint, instances, ("AllTraffic", new_name))
    expected = {"AllTraffic": REQUESTS} if new_name == "AllTraffic" else {"AllTraffic": by_fleet[0], new_name: by_fleet[1]}
    assert invocations(endpoint) == expected, "each request once, at the variant that answered"


def test_no_request_is_lost_when_a_deployment_is_rolled_back(endpoint: Endpoint) -> None:
    old, new = variant("AllTraffic", "old"), variant("AllTraffic", "new")
    instances = [*old.instances, *new.instances]

    def roll_back() -> None:
        endpoint.candidate, endpoint.candidate_share = None, 0.0

    candidate = OvertakenFleet("new", {"AllTraffic": new}, roll_back)
    endpoint.fleet, endpoint.candidate, endpoint.candidate_share = Fleet("old", {"AllTraffic": old}), candidate, 1.0
    answers = ask({"e": endpoint}, REQUESTS)
    candidate.closing.join()
    assert {answer.status for answer in answers} == {200} and {answer.body for answer in answers} == {b"old", b"new"}
    assert_nothing_is_in_flight(endpoint, instances, ("AllTraffic",))


def test_a_request_for_a_variant_that_the_new_fleet_does_not_have_says_so(endpoint: Endpoint) -> None:
    def take_over() -> None:
        endpoint.fleet = Fleet("new", {"Renamed": variant("Renamed", "new")})

    endpoint.fleet = OvertakenFleet("old", {"AllTraffic": variant("AllTraffic", "old")}, take_over)
    answers = ask({"e": endpoint}, BEFORE_TAKEOVER, {"x-amzn-sagemaker-target-variant": "AllTraffic"})
    refused = [answer for answer in answers if answer.status != 200]
    assert [answer.status for answer in refused] == [400]
    assert b"Variant AllTraffic not found in the endpoint configuration; it has: Renamed" in refused[0].body


def test_a_request_to_an_endpoint_that_is_deleted_meanwhile_is_told(endpoint: Endpoint) -> None:
    endpoints = {"e": endpoint}
    endpoint.fleet = OvertakenFleet("old", {"AllTraffic": variant("AllTraffic", "old")}, endpoints.clear)
    refused = [answer for answer in ask(endpoints, BEFORE_TAKEOVER) if answer.status != 200]
    assert [answer.status for answer in refused] == [400] and b"Endpoint e of account 000000000000 not found" in refused[0].body


def test_a_request_that_no_instance_takes_is_answered_and_counted_once(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_RETRY_SECONDS", 0.0)
    dead = variant("AllTraffic", "", UnreachableClient())
    endpoint.fleet = Fleet("only", {"AllTraffic": dead})
    (answer,) = ask({"e": endpoint}, 1)
    assert answer.status == 424 and b"no instance of the variant answered" in answer.body
    assert_nothing_is_in_flight(endpoint, list(dead.instances), ("AllTraffic",))
    assert invocations(endpoint) == {"AllTraffic": 1}
