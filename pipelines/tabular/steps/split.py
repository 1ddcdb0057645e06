"""Which rows train, validate and test: by a hash of the identifier, so a row never changes sides as data grows.

Input: the features, where there is no identifier (identifiers.py). Output: one bucket per row in [0, 1).
What counts as one row where there is no identifier: docs/decisions/0091-equal-rows-in-a-coarse-table.md. Used by `parts.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Buckets = NDArray[np.float64]
Words = NDArray[np.uint64]

#: Rows that are looked at at once: their numbers stay in a processor's cache.
_BLOCK_ROWS = 16_384

#: A table whose square of different rows is at most this many times its rows is coarse.
COARSE = 4
#: Multiples of the golden ratio, modulo 1, fill [0, 1) more evenly than any other step: eight leave no gap of 0.15 (Knuth, TAOCP 3, 6.4).
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def words(texts: Iterable[str], salt: str) -> Words:
    """A number for each text, the same on every machine: BLAKE2b's first 64 bits, with the salt for its key."""
    key = salt.encode()
    return np.array([_word(text, key) for text in texts], dtype=np.uint64)


def content_words(
    numeric: Mapping[str, NDArray[np.float64]], categorical: Mapping[str, tuple[Sequence[str | None], NDArray[np.int64]]], salt: str
) -> Words:
    """A number per row from its features, which equal rows share. One column after the other, each in blocks that a cache holds."""
    key, state = salt.encode(), np.empty(0, dtype=np.uint64)
    for name in sorted(numeric):
        values, own = numeric[name], np.uint64(_word(name, key))
        state = state if len(state) else np.full(len(values), _word("row", key), dtype=np.uint64)
        for block in _blocks(len(values)):
            known = values[block] + 0.0  # -0.0 and 0.0 are the same value
            state[block] = _mix(state[block] ^ np.where(np.isnan(known), np.nan, known).view(np.uint64) ^ own)
    for name in sorted(categorical):
        distinct, codes = categorical[name]
        state = state if len(state) else np.full(len(codes), _word("row", key), dtype=np.uint64)
        of_values = words((f"{name}={value}" for value in distinct), salt)
        for block in _blocks(len(codes)):
            state[block] = _mix(state[block] ^ of_values[codes[block]])
    return state


def content_buckets(
    numeric: Mapping[str, NDArray[np.float64]], categorical: Mapping[str, tuple[Sequence[str | None], NDArray[np.int64]]], salt: str
) -> Buckets:
    """A bucket per row from its features. Rows with equal features share a side, so that a copy never leaks into the test rows."""
    return buckets(content_words(numeric, categorical, salt))


def answered(words: Words, target: NDArray[np.float64]) -> Words:
    """A number per row from its features (`words`) and its answer, which is not missing."""
    return _mix(words ^ (target + 0.0).view(np.uint64))


def different(words: Words) -> int:
    """How many of them differ."""
    if not len(words):
        return 0
    ordered = np.sort(words)
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def is_coarse(rows: int, by_features: int, by_everything: int, problem: str) -> bool:
    """Whether equal rows are what such a table has, and no copies: it has few different rows by their features, each of them often.

    by_everything: different rows by features and answer. Where equal features always come with the same measured number, the rows are
    copies after all: two observations hardly ever agree in it.
    """
    return by_features < rows and by_features**2 <= COARSE * rows and (problem != "regression" or by_everything > by_features)


def spread(placed: Buckets) -> Buckets:
    """Buckets of a coarse table, in which every copy is an observation of its own: they are spread evenly over [0, 1).

    The n-th copy of a row has the same bucket however many follow, and whichever of the copies it is, they are equal: so as data
    grows no row changes sides.
    """
    order = np.argsort(placed, kind="stable")
    counts = np.unique(placed, return_counts=True)[1]
    copy = np.empty(len(placed), dtype=np.int64)
    copy[order] = np.arange(len(placed)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray((placed + copy * _GOLDEN) % 1.0, dtype=np.float64)


def sides(placed: Buckets, validation: float, test: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks of the training, validation and test rows."""
    is_test = placed < test
    is_validation = ~is_test & (placed < test + validation)
    return ~(is_test | is_validation), is_validation, is_test


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(begun, begun + _BLOCK_ROWS) for begun in range(0, rows, _BLOCK_ROWS))


def _word(text: str, key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), key=key[:64], digest_size=8).digest(), "little")


def _mix(words: Words) -> Words:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014): every input bit changes half of the output bits."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)), dtype=np.uint64)


def buckets(words: Words) -> Buckets:
    """Of each number its place in [0, 1)."""
    return np.asarray((words >> np.uint64(11)).astype(np.float64) / float(1 << 53), dtype=np.float64)
