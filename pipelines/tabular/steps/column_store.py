"""Columns on the instance's disk: of a table that is larger than a batch, memory holds one column at a time.

Input: batches of rows, in their order. Output: `StoredColumns`, which look like the columns of a `pyarrow.Table`, and `Arrays` of what was
worked out of them. A file of either is mapped while somebody looks at it, and its memory is the system's again when nobody does.
Format of the files: Arrow's IPC streaming format, one column each. Used by `table.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

#: Smaller batches are put together, such as those of many small files.
BATCH_ROWS = 65_536
_BATCH_BYTES = 1 << 25


class Columns(Protocol):
    """What a table asks of its columns. A `pyarrow.Table` has it."""

    @property
    def schema(self) -> pa.Schema: ...
    @property
    def column_names(self) -> list[str]: ...
    @property
    def num_rows(self) -> int: ...
    def __getitem__(self, name: str) -> pa.ChunkedArray: ...
    def filter(self, mask: Any) -> Columns: ...


class StoredColumns:
    """Columns in files of a folder, by their places in the schema."""

    def __init__(self, folder: Path, schema: pa.Schema, num_rows: int) -> None:
        self._folder, self.schema, self.num_rows = folder, schema, num_rows

    @property
    def column_names(self) -> list[str]:
        return list(self.schema.names)

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        place = self.schema.get_field_index(name)
        if place < 0:
            raise KeyError(name)
        return pa.ipc.open_stream(pa.memory_map(str(_file(self._folder, place)))).read_all().column(0)

    def filter(self, mask: Any) -> FilteredColumns:
        return FilteredColumns(self, mask)


class FilteredColumns:
    """Some rows of other columns, which are taken when a column is asked for."""

    def __init__(self, columns: Columns, mask: Any) -> None:
        self._columns, self._mask = columns, mask
        self.num_rows = int(np.count_nonzero(np.asarray(mask)))

    @property
    def schema(self) -> pa.Schema:
        return self._columns.schema

    @property
    def column_names(self) -> list[str]:
        return self._columns.column_names

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        return self._columns[name].filter(self._mask)

    def filter(self, mask: Any) -> FilteredColumns:
        return FilteredColumns(self, mask)


def store(batches: Iterable[pa.RecordBatch], schema: pa.Schema, folder: Path) -> StoredColumns:
    """Writes the columns of all batches, which have this schema, below `folder`."""
    folder.mkdir(parents=True)
    for place, field in enumerate(schema):
        _file(folder, place).write_bytes(pa.schema([field]).serialize())
    rows = 0
    for batch in together(batches):
        for place, field in enumerate(schema):
            with _file(folder, place).open("ab") as file:  # open one at a time: a table may have more columns than a process files
                file.write(pa.record_batch([batch.column(place)], schema=pa.schema([field])).serialize())
        rows += batch.num_rows
    return StoredColumns(folder, schema, rows)


def together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches that are worth writing, none of them much larger than the given ones."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= BATCH_ROWS or size >= _BATCH_BYTES:
            yield pa.concat_batches(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.concat_batches(held)


def _file(folder: Path, place: int) -> Path:
    return folder / f"{place}.arrows"


class Arrays:
    """Arrays by name, each worked out once: kept in memory, or (with a folder) in files."""

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._found: dict[str, Callable[[], NDArray[Any]]] = {}
        self._refused: dict[str, ValueError] = {}

    def get(self, name: str, pieces: Callable[[], Iterable[NDArray[Any]]]) -> NDArray[Any]:
        """The array of all pieces, which have one type. A ValueError that `pieces` raises is raised at once the next time."""
        if name in self._refused:
            raise self._refused[name]
        if name not in self._found:
            try:
                self._found[name] = self._in_memory(pieces()) if self._folder is None else self._on_disk(self._folder, pieces())
            except ValueError as error:
                self._refused[name] = error
                raise
        return self._found[name]()

    def keep(self, name: str, file: Path, dtype: Any) -> None:
        """An array that was worked out elsewhere: what a file holds."""
        self._found[name] = partial(_mapped, file, dtype)

    def further(self) -> Arrays:
        """For another table: with its files beside these."""
        return Arrays(None if self._folder is None else Path(tempfile.mkdtemp(dir=self._folder)))

    @staticmethod
    def _in_memory(pieces: Iterable[NDArray[Any]]) -> Callable[[], NDArray[Any]]:
        parts = list(pieces)
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return lambda: whole

    @staticmethod
    def _on_disk(folder: Path, pieces: Iterable[NDArray[Any]]) -> Callable[[], NDArray[Any]]:
        dtype = None
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            path = Path(file.name)
            try:
                for part in pieces:
                    dtype = part.dtype
                    file.write(np.ascontiguousarray(part).data)
            except BaseException:
                path.unlink()
                raise
        return partial(_mapped, path, dtype)


def _mapped(path: Path, dtype: Any) -> NDArray[Any]:
    """The array in a file, which is let go with it. Nothing cannot be mapped."""
    if not path.stat().st_size:
        return np.empty(0, dtype=dtype)
    return np.asarray(np.memmap(path, dtype=dtype, mode="r"))
