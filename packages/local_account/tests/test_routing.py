"""A request goes to the instance that the endpoint configuration's routing strategy chooses, and counts there until it is over."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from local_account.account import Account
from local_account.authorization.credentials import ADMINISTRATOR_KEY
from local_account.endpoints import runtime
from local_account.endpoints.fleet import Instance, RoutingStrategy, Variant, strategy_of
from local_account.endpoints.registry import Endpoint, Endpoints

from .endpoint_models import (
    create_configuration,
    create_endpoint,
    create_model,
    invoke,
    variant,
    wait_until_settled,
)

LEAST, RANDOM = RoutingStrategy.LEAST_OUTSTANDING_REQUESTS, RoutingStrategy.RANDOM
#: Answers the process that served. A request that is a path keeps its instance busy until that file exists.
WAITING = """
import os, time

def model_fn(model_dir):
    return None

def transform_fn(model, data, content_type, accept):
    if data == "boom":
        raise RuntimeError("boom")
    if data == "exit":
        os._exit(3)
    while data.startswith("/") and not os.path.exists(data):
        time.sleep(0.005)
    return str(os.getpid()), "application/json"
"""


def routed(strategy: str) -> dict[str, Any]:
    return {"RoutingConfig": {"RoutingStrategy": strategy}}


# -------------------------------------------------------------------------------------------- the strategies


def test_least_outstanding_requests_is_any_of_the_least_busy_and_no_other() -> None:
    assert {LEAST.choose([2, 0, 1, 0]) for _ in range(100)} == {1, 3}


def test_random_is_any_instance_however_busy() -> None:
    assert {RANDOM.choose([9, 0, 9]) for _ in range(200)} == {0, 1, 2}


def test_a_variant_without_routing_config_is_routed_at_random_as_in_sagemaker() -> None:
    assert strategy_of({"VariantName": "AllTraffic"}) is RANDOM


def test_both_strategies_that_sagemaker_has_are_strategies_here() -> None:
    for choice in ("LEAST_OUTSTANDING_REQUESTS", "RANDOM"):
        assert strategy_of({"VariantName": "AllTraffic", **routed(choice)}) == choice


def test_an_instance_that_was_chosen_is_not_taken_away_before_its_request_is_over(tmp_path: Path) -> None:
    stopped: list[int] = []
    launcher: Any = SimpleNamespace(stop=stopped.append)
    scaling: list[threading.Thread] = []

    def choose(in_flight: list[int]) -> int:
        """Just then, the variant is scaled in."""
        scaling.append(threading.Thread(target=served.scale_to, args=(0,)))
        scaling[0].start()
        time.sleep(0.05)
        return 0

    strategy: Any = SimpleNamespace(choose=choose)
    served = Variant("AllTraffic", 1.0, SimpleNamespace(), launcher, lambda number: tmp_path, strategy)  # type: ignore[arg-type]
    served.instances = (Instance(pid=7, address=1, log_file=tmp_path),)
    instance = served.acquire()
    assert instance is not None and stopped == []
    served.release(instance)
    scaling[0].join()
    assert stopped == [7] and instance.in_flight == 0


# ------------------------------------------------------------------------------------- in a running account


@pytest.fixture(scope="module")
def waiting(account: Account) -> str:
    return create_model(account, "waiting", code=WAITING)


@pytest.fixture
def deploy(account: Account, waiting: str, request: pytest.FixtureRequest) -> Callable[[str], Endpoint]:
    """`deploy(strategy)` is an endpoint in service with two instances."""
    name = f"waiting-{uuid.uuid4().hex[:8]}"

    def create(strategy: str) -> Endpoint:
        create_configuration(account, name, variant(waiting, count=2, **routed(strategy)))
        assert create_endpoint(account, name, name)["EndpointStatus"] == "InService"
        request.addfinalizer(lambda: account.client("sagemaker").delete_endpoint(EndpointName=name))
        return Endpoints.at(account.context).by_name[name]

    return create


class Clients:
    """Callers that wait side by side. Those of `occupy` are answered from `free` on."""

    def __init__(self, account: Account, gate: Path) -> None:
        self._account, self._gate, self._pool = account, gate, ThreadPoolExecutor(32)

    def ask(self, endpoint: Endpoint, body: str = "now") -> Future[int]:
        """The id of the process that will have answered."""
        return self._pool.submit(lambda: int(json.loads(invoke(self._account, endpoint.name, body.encode())["Body"])))

    def occupy(self, endpoint: Endpoint) -> Future[int]:
        """Keep one instance busy; returns when it is."""
        busy = sum(in_flight(endpoint))
        answer = self.ask(endpoint, str(self._gate))
        eventually(lambda: sum(in_flight(endpoint)) == busy + 1)
        return answer

    def free(self) -> None:
        self._gate.touch()

    def close(self) -> None:
        self.free()
        self._pool.shutdown()


@pytest.fixture
def clients(account: Account, tmp_path: Path) -> Iterator[Clients]:
    made = Clients(account, tmp_path / "gate")
    yield made
    made.close()


def instances(endpoint: Endpoint) -> list[Instance]:
    return [instance for each in endpoint.variants() for instance in each.instances]


def in_flight(endpoint: Endpoint) -> list[int]:
    return [instance.in_flight for instance in instances(endpoint)]


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.005)


def test_least_outstanding_requests_leaves_the_busy_instance_alone(deploy: Callable[[str], Endpoint], clients: Clients) -> None:
    endpoint = deploy(LEAST)
    slow = clients.occupy(endpoint)
    quick = {clients.ask(endpoint).result() for _ in range(20)}
    assert len(quick) == 1, "all of them by the free instance"
    clients.free()
    assert slow.result() not in quick
    assert in_flight(endpoint) == [0, 0]


def test_random_gives_the_busy_instance_its_share(deploy: Callable[[str], Endpoint], clients: Clients) -> None:
    endpoint = deploy(RANDOM)
    slow = clients.occupy(endpoint)
    for _ in range(30):  # one after the other: until one comes to the busy instance, the other is free
        answer = clients.ask(endpoint)
        eventually(lambda answer=answer: answer.done() or max(in_flight(endpoint)) == 2)
        if not answer.done():
            break
    assert sorted(in_flight(endpoint)) == [0, 2], "one of two requests, on average"
    clients.free()
    assert answer.result() == slow.result()
    assert in_flight(endpoint) == [0, 0]


@pytest.mark.parametrize("body", ["boom", "exit"])
def test_a_request_that_failed_is_no_longer_in_flight(deploy: Callable[[str], Endpoint], clients: Clients, body: str) -> None:
    endpoint = deploy(LEAST)
    before = instances(endpoint)
    with pytest.raises(ClientError, match="ModelError"):
        clients.ask(endpoint, body).result()
    assert [instance.in_flight for instance in before] == [0, 0]


def test_a_request_that_timed_out_is_no_longer_in_flight(
    deploy: Callable[[str], Endpoint], clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = deploy(LEAST)
    monkeypatch.setattr(runtime, "INVOCATION_TIMEOUT_SECONDS", 0.3)
    answer = clients.occupy(endpoint)
    with pytest.raises(ClientError, match="timed out while waiting"):
        answer.result()
    assert in_flight(endpoint) == [0, 0]


def test_a_request_whose_client_went_away_counts_until_its_instance_is_free(
    account: Account, deploy: Callable[[str], Endpoint], clients: Clients, tmp_path: Path
) -> None:
    endpoint = deploy(LEAST)
    impatient = boto3.client(
        "sagemaker-runtime",
        endpoint_url=account.settings.endpoint_url,
        region_name=account.settings.region,
        aws_access_key_id=ADMINISTRATOR_KEY,
        aws_secret_access_key=account.settings.secret,
        config=Config(read_timeout=0.3, retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ReadTimeoutError):
        impatient.invoke_endpoint(EndpointName=endpoint.name, Body=str(tmp_path / "gate").encode(), ContentType="text/csv")
    impatient.close()
    assert sorted(in_flight(endpoint)) == [0, 1], "its instance does not know, and works on"
    clients.free()
    eventually(lambda: in_flight(endpoint) == [0, 0])


def test_scaling_neither_loses_a_request_nor_its_count(account: Account, deploy: Callable[[str], Endpoint], clients: Clients) -> None:
    endpoint = deploy(LEAST)
    before = instances(endpoint)
    busy = [clients.occupy(endpoint), clients.occupy(endpoint)]
    assert in_flight(endpoint) == [1, 1], "one each"
    scale(account, endpoint, 1)
    eventually(lambda: len(instances(endpoint)) == 1)
    clients.free()
    assert {answer.result() for answer in busy} == {instance.pid for instance in before}, "the one that goes answered too"
    wait_until_settled(account, endpoint.name)
    scale(account, endpoint, 3)
    wait_until_settled(account, endpoint.name)
    assert [instance.in_flight for instance in before] == [0, 0] and in_flight(endpoint) == [0, 0, 0]


def scale(account: Account, endpoint: Endpoint, count: int) -> None:
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": count}]
    account.client("sagemaker").update_endpoint_weights_and_capacities(EndpointName=endpoint.name, DesiredWeightsAndCapacities=wanted)


def test_a_deployment_brings_the_strategy_of_its_own_configuration(
    account: Account, waiting: str, deploy: Callable[[str], Endpoint], clients: Clients
) -> None:
    endpoint = deploy(RANDOM)
    create_configuration(account, "and-then-least", variant(waiting, count=2, **routed(LEAST)))
    excluded = [{"VariantPropertyType": "DesiredWeight"}]
    account.client("sagemaker").update_endpoint(
        EndpointName=endpoint.name,
        EndpointConfigName="and-then-least",
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=excluded,
    )
    described = wait_until_settled(account, endpoint.name)
    assert described["ProductionVariants"][0]["RoutingConfig"] == {"RoutingStrategy": LEAST}
    clients.occupy(endpoint)
    assert len({clients.ask(endpoint).result() for _ in range(20)}) == 1, "all of them by the free instance"


def test_the_endpoint_configuration_tells_its_routing(account: Account, waiting: str) -> None:
    create_configuration(account, "told", variant(waiting, **routed(LEAST)))
    described = account.client("sagemaker").describe_endpoint_config(EndpointConfigName="told")
    assert described["ProductionVariants"][0]["RoutingConfig"] == {"RoutingStrategy": LEAST}


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("PREFIX_AWARE", r"does not implement sagemaker:CreateEndpointConfig with .*RoutingStrategy PREFIX_AWARE"),
        ("ROUND_ROBIN", r"Value 'ROUND_ROBIN' at 'productionVariants\.1\.member\.routingConfig\.routingStrategy'"),
    ],
)
def test_a_configuration_that_could_not_be_followed_is_not_created(account: Account, waiting: str, strategy: str, message: str) -> None:
    with pytest.raises(ClientError, match=message):
        create_configuration(account, "refused", variant(waiting, **routed(strategy)))
    with pytest.raises(ClientError, match="Could not find"):
        account.client("sagemaker").describe_endpoint_config(EndpointConfigName="refused")


def test_an_instance_type_that_sagemaker_does_not_have_is_refused(account: Account, waiting: str) -> None:
    with pytest.raises(ClientError, match=r"Value 'ml\.huge' at 'productionVariants\.1\.member\.instanceType'"):
        create_configuration(account, "refused", variant(waiting, InstanceType="ml.huge"))
