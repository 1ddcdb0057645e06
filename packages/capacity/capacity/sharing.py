"""Models that share instances: how many instances their copies need, by the memory and the cores that are reserved for each. Pure.

Source: "Deploy models for real-time inference" of the SageMaker guide: a copy of an inference component is placed on an instance that has
its memory and cores left. AWS does not say how much of an instance the service keeps for itself, so nothing is taken off here: leave room.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_GB = 1024
#: GiB for each virtual CPU, by what the family's name begins with: "Amazon EC2 instance types" (compute, general, memory optimized).
_GB_PER_CPU = {"c": 2, "m": 4, "r": 8, "t": 2, "g": 4}
_TYPE = re.compile(r"ml\.([a-z])[a-z0-9-]*\.(medium|large|(\d*)xlarge)")


@dataclass(frozen=True)
class Size:
    """What a copy needs, or an instance has. `cores`: virtual CPUs."""

    cores: float
    memory_mb: int


def size_of(instance_type: str) -> Size | None:
    """None for a type whose family is not known here."""
    match = _TYPE.fullmatch(instance_type)
    if match is None or match[1] not in _GB_PER_CPU:
        return None
    cores = 4 * int(match[3] or 1) if match[2].endswith("xlarge") else 2
    return Size(cores, cores * _GB_PER_CPU[match[1]] * _GB)


def instances_needed(copies: Sequence[Size], instance: Size) -> int | None:
    """The largest first, each onto the first instance that has room. None if one does not fit onto an empty instance."""
    left: list[Size] = []
    for copy in sorted(copies, key=lambda size: (size.memory_mb, size.cores), reverse=True):
        if not _fits(copy, instance):
            return None
        place = next((index for index, room in enumerate(left) if _fits(copy, room)), None)
        if place is None:
            left.append(instance)
            place = len(left) - 1
        left[place] = Size(left[place].cores - copy.cores, left[place].memory_mb - copy.memory_mb)
    return len(left)


def _fits(copy: Size, room: Size) -> bool:
    return copy.cores <= room.cores and copy.memory_mb <= room.memory_mb
