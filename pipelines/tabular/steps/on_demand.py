"""Columns by name, each of which is read or worked out when somebody asks for it, so that memory holds one at a time; and batches, of which
it holds two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
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


def one_ahead(items: Iterable[T]) -> Iterator[T]:
    """The items, of which the next is read by another thread while somebody works on one. What reading raises comes in its place."""
    remaining = iter(items)

    def following() -> list[T]:
        """The next item, or none after the last."""
        return list(islice(remaining, 1))

    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(following)
        while item := coming.result():
            coming = reader.submit(following)
            yield item[0]
