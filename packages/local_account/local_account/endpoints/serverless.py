"""A serverless variant: containers come with requests, each answers one at a time, and what is idle for long goes.

In: a variant's `ServerlessConfig`. Out: for each request a container, after a cold start where none is idle, or ThrottlingException where
MaxConcurrency is reached. Sources: SageMaker guide, "Deploy models with Amazon SageMaker Serverless Inference" (cold starts, concurrency,
provisioned concurrency) and "Invoke a serverless endpoint" (4 MB, 3 minutes until `/ping` answers); the error: "Common Error Types" of the
API reference. How long an idle container stays AWS does not say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local_account.context import Context
from local_account.endpoints.fleet import Instance, RoutingStrategy, Variant
from local_account.endpoints.launcher import Launcher
from local_account.endpoints.models import is_multi_model
from local_account.endpoints.package import ServedModel
from local_account.endpoints.traffic import Measure
from local_account.errors import InvalidError, ServiceError

#: In simulated seconds. Assumed.
IDLE_SECONDS = 600.0
#: Real seconds.
HEALTH_CHECK_SECONDS = 180.0
_MEMORY_MB = (1024, 2048, 3072, 4096, 5120, 6144)


def check(variant: Mapping[str, Any], request: Mapping[str, Any], model: Mapping[str, Any]) -> None:
    """Raises InvalidError for what a serverless endpoint cannot have: "Feature exclusions" of the guide, and ProductionVariant."""
    serverless = variant["ServerlessConfig"]
    provisioned = serverless.get("ProvisionedConcurrency", 0)
    excluded = {
        "InstanceType or InitialInstanceCount": "InstanceType" in variant or "InitialInstanceCount" in variant,
        "RoutingConfig": "RoutingConfig" in variant,
        "several production variants": len(request["ProductionVariants"]) > 1,
        "data capture": "DataCaptureConfig" in request,
        "asynchronous inference": "AsyncInferenceConfig" in request,
        "a VPC configuration of its model": bool(model.get("VpcConfig")),
        "network isolation of its model": bool(model.get("EnableNetworkIsolation")),
        "a multi-model container": is_multi_model(model),
    }
    found = [what for what, is_so in excluded.items() if is_so]
    if found:
        raise InvalidError(f"Variant {variant['VariantName']} is serverless, which does not support {' or '.join(found)}.")
    if serverless["MemorySizeInMB"] not in _MEMORY_MB:
        raise InvalidError(f"MemorySizeInMB is {serverless['MemorySizeInMB']}; allowed: {', '.join(map(str, _MEMORY_MB))}.")
    if provisioned > serverless["MaxConcurrency"]:
        raise InvalidError(f"ProvisionedConcurrency {provisioned} is more than MaxConcurrency {serverless['MaxConcurrency']}.")


class ServerlessVariant(Variant):
    """Its instances are the containers that are warm."""

    max_payload_bytes = 4 * 1024 * 1024

    def __init__(
        self,
        context: Context,
        configuration: Mapping[str, Any],
        name: str,
        weight: float,
        model: ServedModel,
        launcher: Launcher,
        log_path: Callable[[int], Path],
        routing: RoutingStrategy,
    ) -> None:
        super().__init__(name, weight, model, launcher, log_path, routing, HEALTH_CHECK_SECONDS)
        self._clock, self._is_closed = context.clock, False
        self.configuration = dict(configuration)
        self._cold_starts, self._peak = 0, 0
        self._used_at: dict[int, float] = {}  # process id -> simulated time in seconds since 1970

    @property
    def max_concurrency(self) -> int:
        return int(self.configuration["MaxConcurrency"])

    @property
    def provisioned(self) -> int:
        return int(self.configuration.get("ProvisionedConcurrency", 0))

    def describe(self) -> dict[str, Any]:
        return {
            "VariantName": self.name,
            "CurrentWeight": self.weight,
            "CurrentInstanceCount": 0,
            "CurrentServerlessConfig": dict(self.configuration),
        }

    def begin(self, count: int) -> None:
        """One container shows that it starts, whatever is provisioned. It goes like any other that is idle."""
        self.scale_to(max(1, self.provisioned))
        self.desired = self.provisioned

    def reconfigure(self, changed: Mapping[str, Any]) -> None:
        """ServerlessUpdateConfig of UpdateEndpointWeightsAndCapacities."""
        self.configuration |= changed
        if len(self.instances) < self.provisioned:
            self.scale_to(self.provisioned)
        self.desired = self.provisioned

    async def take(self, target_model: str | None) -> tuple[Instance | None, Mapping[Measure, float]]:
        with self._choosing:
            idle = next((instance for instance in self.instances if not instance.in_flight), None)
            busy = self._cold_starts + sum(instance.in_flight for instance in self.instances)
            if idle is None and busy >= self.max_concurrency:
                raise ServiceError("ThrottlingException", "Rate exceeded")
            self._peak = max(self._peak, busy + 1)
            if idle is not None:
                idle.in_flight += 1
                return idle, {}
            self._cold_starts += 1
        started = time.perf_counter()
        try:
            instance = await asyncio.to_thread(self._start_healthy)
        except ServiceError:
            return None, {}
        finally:
            with self._choosing:
                self._cold_starts -= 1
        with self._choosing:
            instance.in_flight += 1
            self.instances = (*self.instances, instance)
        return instance, {("ModelSetupTime", "Microseconds"): (time.perf_counter() - started) * 1e6}

    def release(self, instance: Instance) -> None:
        super().release(instance)
        self._used_at[instance.pid] = self._clock.now().timestamp()
        if self._is_closed:  # it had started for a request of a fleet that is gone
            self._launcher.stop(instance.pid)

    def close(self) -> None:
        self._is_closed = True
        super().close()

    def end_idle(self, now: float) -> None:
        """`now`: simulated time in seconds since 1970."""
        with self._choosing:
            spare = len(self.instances) - self.provisioned
            idle = [item for item in self.instances if not item.in_flight and now - self._used_at.setdefault(item.pid, now) > IDLE_SECONDS]
            ending = idle[: max(0, spare)]
            self.instances = tuple(item for item in self.instances if item not in ending)
        for instance in ending:
            self._used_at.pop(instance.pid, None)
            self._launcher.stop(instance.pid)

    def take_peak(self) -> int:
        """Most requests at once since the last time that this was asked."""
        with self._choosing:
            peak, self._peak = self._peak, sum(instance.in_flight for instance in self.instances)
            return peak
