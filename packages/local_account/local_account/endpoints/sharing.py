"""The instances of an endpoint whose models are inference components: as many as their copies need, within the variant's bounds.

In: a production variant without a model, and what runs on it. Out: how many instances there are, or why a copy has no place. They are no
processes: a copy is one. Sources: SageMaker guide, "Deploy models for real-time inference" (what is reserved for each copy) and "Scale an
endpoint to zero instances"; ProductionVariantManagedInstanceScaling of its service model. How much of an instance SageMaker keeps for
itself AWS does not say: nothing here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from capacity.sharing import Size, instances_needed, size_of
from local_account.errors import InvalidError, NotEmulatedError


class Shared:
    """`copies` says what each component has there, or is about to have, by its name. `claiming` is held from the question whether
    there is room until the room is taken.
    """

    def __init__(self, variant: Mapping[str, Any], copies: Callable[[], Mapping[str, Sequence[Size]]]) -> None:
        self.variant_name, self._copies, self.claiming = str(variant["VariantName"]), copies, threading.RLock()
        managed = variant.get("ManagedInstanceScaling") or {}
        initial = int(variant.get("InitialInstanceCount") or 1)
        scales = managed.get("Status") == "ENABLED"
        self._least = int(managed.get("MinInstanceCount", initial)) if scales else initial
        self._most = int(managed.get("MaxInstanceCount", initial)) if scales else initial
        self._instance_type = str(variant["InstanceType"])
        size = size_of(self._instance_type)
        if size is None:
            raise NotEmulatedError("sagemaker", f"CreateEndpointConfig with inference components on {self._instance_type}")
        self._size = size

    @property
    def instances(self) -> int:
        return max(self._least, self._needed(self._copies()) or 0)

    def require_room(self, component: str = "", wanted: Sequence[Size] = ()) -> None:
        """Raises InvalidError, in words of our own, where a component's copies have no place beside the others', or those none."""
        needed = self._needed({**self._copies(), component: wanted})
        if needed is None or needed > self._most:
            asked = f"{len(wanted)} x {wanted[0].memory_mb} MB and {wanted[0].cores:g} cores" if wanted else "the copies that there are"
            has = f"{self._size.memory_mb} MB and {self._size.cores:g} cores"
            raise InvalidError(f"Not enough capacity: {asked} do not fit on at most {self._most} {self._instance_type} of {has}.")

    def _needed(self, copies: Mapping[str, Sequence[Size]]) -> int | None:
        return instances_needed([size for sizes in copies.values() for size in sizes], self._size)
