"""The instances behind an endpoint: real processes, grouped by production variant, and which of them gets a request.

In: an endpoint configuration and a `ServedModel` per variant. Out: `Fleet.pick` and `Variant.acquire`, used by `runtime.py` for
every invocation, and `Variant.scale_to`, used by `lifecycle.py`. During a deployment an endpoint has two fleets; see `rollout.py`.
"""

from __future__ import annotations

import http.client
import math
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from local_account.endpoints import router_key
from local_account.endpoints.instance_client import Address, InstanceClient
from local_account.endpoints.launcher import Launcher, ServerDidNotStartError
from local_account.endpoints.package import ServedModel
from local_account.endpoints.traffic import Measure
from local_account.errors import ServiceError

#: The container start-up health check waits this long for `/ping` unless the variant says how long, as in SageMaker. Real seconds.
HEALTH_CHECK_SECONDS = 240.0
#: An instance that is taken away may finish the requests it has. Real seconds.
DRAIN_SECONDS = 5.0


class RoutingStrategy(StrEnum):
    """Which instance of a variant gets a request: API reference, ProductionVariantRoutingConfig. What else AWS has is refused by name."""

    LEAST_OUTSTANDING_REQUESTS = "LEAST_OUTSTANDING_REQUESTS"
    RANDOM = "RANDOM"

    def choose(self, in_flight: Sequence[int]) -> int:
        """Index of the instance for the next request. `in_flight` has the requests of each instance, at least one of them."""
        if self is RoutingStrategy.RANDOM:
            return random.randrange(len(in_flight))
        fewest = min(in_flight)
        return random.choice([index for index, requests in enumerate(in_flight) if requests == fewest])


def strategy_of(variant: Mapping[str, Any]) -> RoutingStrategy:
    """What a production variant asks for, RANDOM if nothing, as in SageMaker."""
    configuration = variant.get("RoutingConfig")
    return RoutingStrategy(configuration["RoutingStrategy"]) if configuration else RoutingStrategy.RANDOM


@dataclass(eq=False)
class Instance:
    """One model server process. `in_flight` counts the requests that it is answering; only its variant changes it."""

    pid: int
    address: Address
    log_file: Path
    key: str = field(default="", repr=False)
    in_flight: int = 0
    client: InstanceClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = InstanceClient(self.address, self.key)


class Variant:
    """A production variant: equal instances of one model. `instances` is replaced, never changed, so readers need no lock."""

    max_payload_bytes = 6 * 1024 * 1024
    is_multi_model = False

    def __init__(
        self,
        name: str,
        weight: float,
        model: ServedModel,
        launcher: Launcher,
        log_path: Callable[[int], Path],
        routing: RoutingStrategy,
        health_check_seconds: float = HEALTH_CHECK_SECONDS,
    ) -> None:
        self.name, self.weight, self.model, self.routing = name, weight, model, routing
        self._health_check_seconds = health_check_seconds
        self.instances: tuple[Instance, ...] = ()
        self.desired = 0
        self._launcher, self._log_path = launcher, log_path
        self._started = 0
        self._scaling = threading.Lock()
        # Held for moments: an instance is chosen and its request counted before it can be taken away, or not chosen at all.
        self._choosing = threading.Lock()

    def describe(self) -> dict[str, Any]:
        """What DescribeEndpoint tells of what runs now."""
        return {
            "VariantName": self.name,
            "CurrentWeight": self.weight,
            "CurrentInstanceCount": len(self.instances),
            "RoutingConfig": {"RoutingStrategy": self.routing.value},
        }

    def begin(self, count: int) -> None:
        """The instances of a new fleet. Raises as `scale_to` does."""
        self.scale_to(count)

    def scale_to(self, count: int) -> None:
        """Start or end processes until there are `count` healthy ones. Raises ServiceError with the log's path if one does not start."""
        with self._scaling:
            self.desired = count
            if len(self.instances) < count:
                self._add(count - len(self.instances))
            with self._choosing:
                kept, surplus = self.instances[:count], self.instances[count:]
                self.instances = kept
            for instance in surplus:
                self._end(instance)

    def restore(self) -> None:
        """Replace the instances that ended by themselves. Raises as `scale_to` does."""
        with self._scaling:
            if len(self.instances) < self.desired:
                self._add(self.desired - len(self.instances))

    def _add(self, count: int) -> None:
        """Start instances side by side, all or none. Raises ServiceError if one does not become healthy."""
        starting: list[Instance] = []
        try:
            for _ in range(count):
                starting.append(self._start())
            for instance in starting:
                if not _becomes_healthy(instance, self._health_check_seconds):
                    raise self._unhealthy(instance.log_file)
                with self._choosing:
                    self.instances = (*self.instances, instance)
        except Exception:
            with self._choosing:
                self.instances = tuple(instance for instance in self.instances if instance not in starting)
            for other in starting:
                self._launcher.stop(other.pid)
            raise

    def _start(self, model: ServedModel | None = None) -> Instance:
        self._started += 1
        log_file, key = self._log_path(self._started), router_key.new_key()
        try:
            pid, address = self._launcher.start(model or self.model, log_file, key)
        except ServerDidNotStartError as error:
            raise self._unhealthy(log_file) from error
        return Instance(pid, address, log_file, key)

    def _start_healthy(self, model: ServedModel | None = None) -> Instance:
        """An instance that is not yet one of those that serve. Raises as `scale_to` does."""
        instance = self._start(model)
        if not _becomes_healthy(instance, self._health_check_seconds):
            self._launcher.stop(instance.pid)
            raise self._unhealthy(instance.log_file)
        return instance

    def _unhealthy(self, log_file: Path) -> ServiceError:
        return ServiceError(
            "ServiceException",
            f"The primary container for production variant {self.name} did not pass the ping health check. "
            f"Please check the log of this endpoint: {log_file}",
        )

    def _end(self, instance: Instance) -> None:
        deadline = time.monotonic() + DRAIN_SECONDS
        while instance.in_flight and time.monotonic() < deadline:
            time.sleep(0.01)
        self._launcher.stop(instance.pid)

    def forget(self, pid: int) -> bool:
        """Note that a process ended by itself. True if it was one of the serving instances, which then has to be replaced."""
        with self._choosing:
            serving = self.instances
            self.instances = tuple(instance for instance in serving if instance.pid != pid)
            return len(self.instances) < len(serving)

    async def take(self, target_model: str | None) -> tuple[Instance | None, Mapping[Measure, float]]:
        """As `acquire`, with what was measured of making an instance ready for the request. `target_model`: of a multi-model variant."""
        return self.acquire(), {}

    def processes(self, instance: Instance) -> list[int]:
        """Ids of the processes that an instance consists of."""
        return [instance.pid]

    def acquire(self, limit: int | None = None) -> Instance | None:
        """The instance for the next request, which is in flight there until `release`. None without instances.

        `limit`: of those with fewer requests than that.
        """
        with self._choosing:
            instances = [item for item in self.instances if item.in_flight < limit] if limit else self.instances
            if not instances:
                return None
            instance = instances[self.routing.choose([instance.in_flight for instance in instances])]
            instance.in_flight += 1
            return instance

    def release(self, instance: Instance) -> None:
        """The request is over, however it ended and whether the instance still serves or not."""
        with self._choosing:
            instance.in_flight -= 1

    def close(self) -> None:
        self.scale_to(0)


class Fleet:
    """All variants of one endpoint configuration. `shadows`, at most one, get copies of requests, and answer nobody."""

    def __init__(self, configuration: str, variants: Mapping[str, Variant]) -> None:
        self.configuration = configuration
        self.variants = dict(variants)
        self.shadows: dict[str, Variant] = {}

    def pick(self, target: str | None = None) -> Variant:
        """The targeted variant, or one drawn by weight. Raises ServiceError for a variant that does not exist."""
        if target is not None:
            if target not in self.variants:
                names = ", ".join(self.variants)
                raise ServiceError("ValidationError", f"Variant {target} not found in the endpoint configuration; it has: {names}")
            return self.variants[target]
        variants = list(self.variants.values())
        if len(variants) == 1:
            return variants[0]
        return random.choices(variants, weights=[variant.weight for variant in variants])[0]

    def sizes(self) -> dict[str, int]:
        """Instances that each variant is to have."""
        return {variant.name: variant.desired for variant in self.all()}

    def resize(self, whole: Mapping[str, int], share: float) -> None:
        """Each variant to a share of what it has when it is whole."""
        for variant in self.all():
            variant.scale_to(instances_of(whole[variant.name], share))

    def shadow_of(self, answering: Variant) -> Variant | None:
        """The shadow that gets a copy of one request: it gets the share of them that its weight is of the answering variant's."""
        shadow = next(iter(self.shadows.values()), None)
        return shadow if shadow is not None and random.random() * answering.weight < shadow.weight else None

    def all(self) -> list[Variant]:
        return [*self.variants.values(), *self.shadows.values()]

    def close(self) -> None:
        for variant in self.all():
            variant.close()


def instances_of(whole: int, share: float) -> int:
    """A share of a fleet in whole instances, at least enough for it."""
    return math.ceil(round(whole * share, 6))


def _becomes_healthy(instance: Instance, seconds: float) -> bool:
    """Wait for `GET /ping` to answer 200. The connection waits in the listener's queue while the model loads."""
    connection = http.client.HTTPConnection("127.0.0.1", instance.address if isinstance(instance.address, int) else None, timeout=seconds)
    try:
        if isinstance(instance.address, Path):
            connection.sock = _connected(instance.address, instance.pid, seconds)
        connection.request("GET", "/ping", headers={router_key.HEADER: instance.key})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _connected(path: Path, pid: int, seconds: float) -> socket.socket:
    """To an entry point that opens its socket when it likes. Raises OSError once it has ended, or the time is over."""
    made, deadline = socket.socket(socket.AF_UNIX), time.monotonic() + seconds
    made.settimeout(seconds)
    while True:
        try:
            made.connect(str(path))
            return made
        except (FileNotFoundError, ConnectionRefusedError):
            os.kill(pid, 0)
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
