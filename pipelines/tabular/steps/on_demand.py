"""Columns by name, each of which is read or worked out when somebody asks for it, so that memory holds one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class OnDemand(Mapping[str, T]):
    """`read` gives the column of a name. Nothing is kept."""

    def __init__(self, names: Sequence[str], read: Callable[[str], T]) -> None:
        self._names, self._read = dict.fromkeys(names), read

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(name)
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def each(columns: Mapping[str, T], change: Callable[[str, T], T]) -> Mapping[str, T]:
    """The columns changed: now, or (of columns that are read on demand) when they are asked for."""
    if isinstance(columns, OnDemand):
        return OnDemand(list(columns), lambda name: change(name, columns[name]))
    return {name: change(name, column) for name, column in columns.items()}
