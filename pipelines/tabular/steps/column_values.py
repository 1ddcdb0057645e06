"""What the cells of a column are: numbers, or categories as distinct values and codes.

Input: a pyarrow column of a CSV or Parquet file. Output: arrays. A cell means what `cells.py` says, whatever type holds it.
Used by `table.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cells import MISSING, WHITE_SPACE, category, number, shown
from features import Codes, Floats, Labels

Column: TypeAlias = pa.ChunkedArray | pa.Array


class UnreadableError(ValueError):
    """Cells of a column are no numbers, or no categories: their rows (from 0), and their texts."""

    def __init__(self, rows: Sequence[int], texts: Sequence[str]) -> None:
        super().__init__(f"cannot read {shown(texts[0])}")
        self.rows, self.texts = rows, texts


class TooManyError(ValueError):
    """A column has more categories than are told apart. `different`: how many."""

    def __init__(self, different: int) -> None:
        super().__init__(f"{different} different values")
        self.different = different


def floats(column: Column) -> Floats:
    """A numeric column as the nearest float64 with NaN for missing: every cell as `cells.number` reads it. Raises UnreadableError."""
    parts = list(floats_of_chunks(column))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def floats_of_chunks(column: Column) -> Iterator[Floats]:
    """The same a chunk at a time. Raises UnreadableError with the cells of all chunks, at the end."""
    begun, rows, texts = 0, list[int](), list[str]()
    for array in chunks(column):
        try:
            yield _floats(array)
        except UnreadableError as error:
            rows += [begun + row for row in error.rows]
            texts += error.texts
        begun += len(array)
    if rows:
        raise UnreadableError(rows, texts)


def _floats(array: pa.Array) -> Floats:
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.string())  # pyarrow's cast from decimals to floats is not always to the nearest one, that from text is
    if is_text(array.type):
        return _floats_of_texts(array)
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_null(array.type):
        return np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    raise UnreadableError(range(len(array)), list(map(str, array.to_pylist())))


def labels(column: Column) -> Labels:
    """A categorical column as its distinct values and, for each row, the index of its value. Raises UnreadableError for infinities.

    Dates are text, for an identifier may be one.
    """
    distinct: dict[str | None, int] = {}
    parts = list(codes_of_chunks(column, distinct))
    return list(distinct), parts[0] if len(parts) == 1 else np.concatenate(parts)


def codes_of_chunks(column: Column, distinct: dict[str | None, int], most: int | None = None) -> Iterator[Codes]:
    """The same a chunk at a time; `distinct` becomes the values with their codes. Raises TooManyError for more than `most` values."""
    for values, codes in labels_of_chunks(column):
        places = np.array([distinct.setdefault(value, len(distinct)) for value in values], dtype=np.int64)
        if most is not None and len(distinct) > most:
            raise TooManyError(_count_different(column))
        yield places[codes]


def labels_of_chunks(column: Column) -> Iterator[Labels]:
    """Each chunk as the category of each of its distinct cells, and codes. Raises UnreadableError with the cells of all, at the end."""
    begun, rows, texts = 0, list[int](), list[str]()
    for array in chunks(column):
        cells, codes = _distinct(array.cast(pa.string()) if pa.types.is_temporal(array.type) else array)
        try:
            yield _each(category, cells, codes), codes
        except UnreadableError as error:
            rows += [begun + row for row in error.rows]
            texts += error.texts
        begun += len(array)
    if rows:
        raise UnreadableError(rows, texts)


def _count_different(column: Column) -> int:
    """Of the values of a column, without the missing one, by 64 bits of a hash of each: they may be too many to hold."""
    found, waiting = np.empty(0, dtype=np.uint64), 0
    parts = [found]
    for values, _ in labels_of_chunks(column):
        words = [hashlib.blake2b(value.encode(), digest_size=8).digest() for value in values if value is not None]
        parts.append(np.frombuffer(b"".join(words), dtype=np.uint64))
        waiting += len(words)
        if waiting > len(found):  # put together as often as they double, and not at every chunk
            found, waiting = np.unique(np.concatenate(parts)), 0
            parts = [found]
    return len(np.unique(np.concatenate(parts)))


def spellings(column: Column) -> dict[str, list[str]]:
    """The texts of each category of a column of text, without the white space around them; of other columns nothing."""
    found: dict[str, dict[str, None]] = {}
    for array in chunks(column):
        for text in pc.unique(pc.utf8_trim(array, characters=WHITE_SPACE)).to_pylist() if is_text(array.type) else ():
            value = category(text)
            if value is not None:
                found.setdefault(value, {})[text] = None
    return {value: list(texts) for value, texts in found.items()}


def is_text(held: pa.DataType) -> bool:
    return bool(pa.types.is_string(held) or pa.types.is_large_string(held))


def chunks(column: Column) -> Iterator[pa.Array]:
    """Each chunk as `plain` makes it, at least one."""
    parts = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return map(plain, parts or [pa.array([], column.type)])


def plain(column: Column) -> pa.Array:
    """One array of the values themselves: without a dictionary, and of a type that pyarrow's functions know."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_string_view(array.type):
        return array.cast(pa.large_string())
    if pa.types.is_decimal32(array.type) or pa.types.is_decimal64(array.type):
        return array.cast(pa.decimal128(array.type.precision, array.type.scale))
    return array


def _floats_of_texts(array: pa.Array) -> Floats:
    """pyarrow reads fast and to the nearest float, but not only what `cells.number` does: that decides where pyarrow stumbles."""
    trimmed = pc.utf8_trim(array, characters=WHITE_SPACE)
    present = pc.if_else(pc.is_in(trimmed, value_set=pa.array(sorted(MISSING), trimmed.type)), pa.scalar(None, trimmed.type), trimmed)
    try:
        values = np.asarray(present.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        if np.count_nonzero(np.isfinite(values)) == len(present) - present.null_count:
            return values
    except pa.ArrowInvalid:
        pass
    texts, codes = _distinct(array)
    return np.array(_each(number, texts, codes), dtype=np.float64)[codes]


def _each(read: Callable[[object], Any], cells: Sequence[object], codes: Codes) -> list[Any]:
    """What `read` makes of each cell. Raises UnreadableError with the rows of those that it refuses."""
    values: list[Any] = []
    wrong: list[int] = []
    for code, cell in enumerate(cells):
        try:
            values.append(read(cell))
        except ValueError:
            wrong.append(code)
    if wrong:
        rows = np.flatnonzero(np.isin(codes, wrong)).tolist()
        raise UnreadableError(rows, [str(cells[codes[row]]) for row in rows])
    return values


def _distinct(array: pa.Array) -> tuple[list[Any], Codes]:
    """The distinct cells, floats in the width that they have, and the index of each row's cell."""
    if pa.types.is_float16(array.type):
        values, codes = np.unique(array.to_numpy(zero_copy_only=False), return_inverse=True)
        return list(values), codes.astype(np.int64)
    encoded = array.dictionary_encode(null_encoding="encode")
    dictionary = encoded.dictionary
    cells = list(dictionary.to_numpy(zero_copy_only=False)) if pa.types.is_float32(array.type) else dictionary.to_pylist()
    return cells, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
