"""A multi-model variant: its containers start empty, load the models that requests name, and unload those least recently used.

In: a request's TargetModel. Out: the process that has this model loaded, in one of the variant's containers; NotLoadedError where the
container could not load it. As in the image, each loaded model is a process of its own beside the container's server, with the container's
one program (`multi_model_contract.py`); SageMaker's part - which container, what is fetched, what must go - is here.
Sources: SageMaker guide, "How multi-model endpoints work", "Custom Containers Contract for Multi-Model Endpoints" (507), "Invoke a
Multi-Model Endpoint" (ModelNotReadyException after 60 seconds), "Add or Remove Models" (what was fetched is not fetched again).
How busy a model must be to be loaded on a second instance, AWS does not say.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
from botocore.exceptions import ClientError

from local_account.endpoints import package
from local_account.endpoints.fleet import Instance, Variant
from local_account.endpoints.instance_client import Reply
from local_account.endpoints.traffic import Measure
from local_account.errors import ServiceError
from local_account.roles import Role

CACHE_HIT: Measure = ("ModelCacheHit", "None")
WAITED: Measure = ("ModelLoadingWaitTime", "Microseconds")
DOWNLOADED: Measure = ("ModelDownloadingTime", "Microseconds")
LOADED: Measure = ("ModelLoadingTime", "Microseconds")
UNLOADED: Measure = ("ModelUnloadingTime", "Microseconds")
#: Requests of one model on an instance, from which on another instance loads it, too. Assumed.
BUSY = 8
_READY_SECONDS = 60.0


class NotLoadedError(Exception):
    """`reply`: what the container answered instead."""

    def __init__(self, reply: Reply, instance: Instance) -> None:
        super().__init__(reply.body)
        self.reply, self.instance = reply, instance


@dataclass(frozen=True)
class Archives:
    """What is below the prefix of a multi-model container, read as its model's role."""

    role: Role
    prefix: str

    def fetch(self, target: str, directory: Path) -> None:
        """The whole archive or nothing. Raises ServiceError for a target that is not there, or not for the role, or is no archive."""
        url = f"{self.prefix}{target}"
        bucket, _, key = url.removeprefix("s3://").partition("/")
        try:
            with tempfile.TemporaryDirectory(dir=directory.parent.parent) as made:
                package.extract(self.role, url, Path(made, "model"))
                directory.parent.mkdir(exist_ok=True)
                Path(made, "model").rename(directory)
        except (ClientError, ServiceError, OSError) as error:
            raise ServiceError(
                "ValidationError",
                f"Failed to download model data(bucket: {bucket}, key: {key}). Please ensure that there is an object located at the URL "
                "and that the role passed to CreateModel has permissions to download the model.",
            ) from error


@dataclass(eq=False)
class _Container:
    """What one instance has: a process for each loaded model, the least recently used first, and what is being loaded."""

    instance: Instance
    loaded: OrderedDict[str, Instance] = field(default_factory=OrderedDict)
    loading: dict[str, asyncio.Future[Mapping[Measure, float]]] = field(default_factory=dict)
    unloading: threading.Lock = field(default_factory=threading.Lock)


class MultiModelVariant(Variant):
    """Its instances are the containers' servers, which answer `/ping`."""

    is_multi_model = True

    def __init__(self, archives: Archives, memory_bytes: int, *given: Any) -> None:
        super().__init__(*given)
        self.memory_bytes = memory_bytes
        self._archives = archives
        self._containers: dict[int, _Container] = {}  # by the process id of the server

    async def take(self, target_model: str | None) -> tuple[Instance | None, Mapping[Measure, float]]:
        """Raises NotLoadedError, or ServiceError: for what is not there, and while a model takes long to load."""
        assert target_model is not None  # noqa: S101 - `runtime.py` has looked
        started, measured = time.perf_counter(), {CACHE_HIT: 1.0}
        while (container := self._container_for(target_model)) is not None:
            if worker := self._taken(container, target_model):
                return worker, measured
            is_first = target_model not in container.loading
            if is_first:
                container.loading[target_model] = asyncio.ensure_future(self._loading(container, target_model))
            try:
                took = await asyncio.wait_for(asyncio.shield(container.loading[target_model]), _READY_SECONDS)
            except TimeoutError as error:
                still = "The target model is still being downloaded or loaded; try again."
                raise ServiceError("ModelNotReadyException", still, 429) from error
            measured = {CACHE_HIT: 0.0, WAITED: (time.perf_counter() - started) * 1e6, **(took if is_first else {})}
        return None, measured

    def processes(self, instance: Instance) -> list[int]:
        with self._choosing:
            container = self._containers.get(instance.pid)  # none of an instance that goes
            return [instance.pid, *(worker.pid for worker in container.loaded.values())] if container else [instance.pid]

    def loaded_counts(self) -> list[int]:
        """Of each instance."""
        with self._choosing:
            return [len(self._of(instance).loaded) for instance in self.instances]

    def forget(self, pid: int) -> bool:
        """A model's process that has ended is started by the next request for it; with its server a container has lost all of them."""
        with self._choosing:
            for container in self._containers.values():
                for target in [target for target, worker in container.loaded.items() if worker.pid == pid]:
                    del container.loaded[target]
            lost = self._containers.pop(pid, None)
        for worker in lost.loaded.values() if lost else []:
            self._launcher.stop(worker.pid)
        return super().forget(pid)

    def _end(self, instance: Instance) -> None:
        with self._choosing:
            container = self._containers.pop(instance.pid, None)
        for worker in list(container.loaded.values()) if container else []:
            super()._end(worker)
        super()._end(instance)

    def _of(self, instance: Instance) -> _Container:
        return self._containers.setdefault(instance.pid, _Container(instance))

    def _container_for(self, target: str) -> _Container | None:
        """Where the model is or is being loaded, least busy with it; else, or if that is busy, the one with the fewest models."""
        with self._choosing:
            containers = [self._of(instance) for instance in self.instances]
            having = [container for container in containers if target in container.loaded or target in container.loading]
            others = [container for container in containers if container not in having]
            chosen = min(having, key=lambda container: _in_flight(container, target), default=None)
            if others and (chosen is None or _in_flight(chosen, target) >= BUSY):
                return min(others, key=lambda container: len(container.loaded) + len(container.loading))
            return chosen

    def _taken(self, container: _Container, target: str) -> Instance | None:
        with self._choosing:
            worker = container.loaded.get(target)
            if worker is not None:
                worker.in_flight += 1
                container.loaded.move_to_end(target)
            return worker

    async def _loading(self, container: _Container, target: str) -> Mapping[Measure, float]:
        try:
            return await asyncio.to_thread(self._load, container, target)
        finally:
            del container.loading[target]

    def _load(self, container: _Container, target: str) -> Mapping[Measure, float]:
        """Seconds are those of this machine, in microseconds."""
        opaque = hashlib.sha256(f"{container.instance.pid} {target}".encode()).hexdigest()
        directory, measured = self.model.directory / opaque / "model", {}
        if not directory.exists():
            started = time.perf_counter()
            self._archives.fetch(target, directory)
            measured[DOWNLOADED] = (time.perf_counter() - started) * 1e6
        started = time.perf_counter()
        try:
            worker = self._start_healthy(replace(self.model, directory=directory, loads_later=False))
        except ServiceError as error:
            raise NotLoadedError(Reply(500, {}, f"Failed to load model {target}: see its log".encode()), container.instance) from error
        measured[LOADED] = (time.perf_counter() - started) * 1e6
        with self._choosing:
            is_there = container.instance.pid in self._containers
            if is_there:
                container.loaded[target] = worker
        if not is_there:  # the instance was taken away meanwhile
            self._launcher.stop(worker.pid)
            return measured
        return {**measured, **self._make_room(container, target)}

    def _make_room(self, container: _Container, newest: str) -> Mapping[Measure, float]:
        """Unload what is idle until the container has room for what it has loaded, or unload that again (507)."""
        measured: dict[Measure, float] = {}
        with container.unloading:
            while self._used_bytes(container) > self.memory_bytes:
                started = time.perf_counter()
                with self._choosing:
                    idle = [target for target, worker in container.loaded.items() if not worker.in_flight and target != newest]
                    ending = container.loaded.pop(idle[0] if idle else newest, None)
                if ending is not None:
                    super()._end(ending)
                measured[UNLOADED] = (time.perf_counter() - started) * 1e6
                if not idle:
                    raise NotLoadedError(Reply(507, {}, f"no memory for model {newest}".encode()), container.instance)
        return measured

    def _used_bytes(self, container: _Container) -> int:
        used = 0
        for pid in self.processes(container.instance):
            try:
                used += psutil.Process(pid).memory_info().rss
            except psutil.Error:
                continue  # it has ended, which its watcher will tell
        return used


def _in_flight(container: _Container, target: str) -> int:
    worker = container.loaded.get(target)
    return worker.in_flight if worker else 0
