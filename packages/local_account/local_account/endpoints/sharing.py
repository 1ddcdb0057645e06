"""The instances of an endpoint whose models are inference components: as many as their copies need, within the variant's bounds.

In: a production variant without a model, and what runs on it. Out: how many instances there are, or why a copy has no place. They are no
processes: a copy is one. Sources: SageMaker guide, "Deploy models for real-time inference" (what is reserved for each copy) and "Scale an
endpoint to zero instances"; ProductionVariantManagedInstanceScaling of its service model. How much of an instance SageMaker keeps for
itself AWS does not say: nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from capacity.sharing import Size, instances_needed, size_of
from local_account.errors import InvalidError, NotEmulatedError


class Shared:
    """`copies` says what is on it now."""

    def __init__(self, variant: Mapping[str, Any], copies: Callable[[], Sequence[Size]]) -> None:
        self.variant_name, self._copies = str(variant["VariantName"]), copies
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
        return max(self._least, instances_needed(self._copies(), self._size) or 0)

    def require_room(self, more: Sequence[Size]) -> None:
        """Raises InvalidError, in words of our own, for copies that have no place beside what is there."""
        needed = instances_needed([*self._copies(), *more], self._size)
        if needed is None or needed > self._most:
            asked = f"{len(more)} x {more[0].memory_mb} MB and {more[0].cores:g} cores" if more else "what is there"
            has = f"{self._size.memory_mb} MB and {self._size.cores:g} cores"
            raise InvalidError(f"Not enough capacity: {asked} do not fit on at most {self._most} {self._instance_type} of {has}.")
