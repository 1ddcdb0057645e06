"""Which rows train, validate and test: by a hash of the identifier, so a row never changes sides as data grows.

Input: identifiers, or the features where there is no identifier. Output: one bucket per row in [0, 1).
What counts as one row where there is no identifier: docs/decisions/0091-equal-rows-in-a-coarse-table.md. Used by `parts.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Buckets = NDArray[np.float64]
Words = NDArray[np.uint64]

#: A table whose square of different rows is at most this many times its rows is coarse.
COARSE = 4
#: Multiples of the golden ratio, modulo 1, fill [0, 1) more evenly than any other step: eight leave no gap of 0.15 (Knuth, TAOCP 3, 6.4).
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def identifier_buckets(identifiers: Sequence[str | None], salt: str) -> Buckets:
    """A bucket per identifier; equal identifiers share it."""
    key = salt.encode()
    return _to_unit(np.array([_word(str(identifier), key) for identifier in identifiers], dtype=np.uint64))


def content_buckets(
    numeric: Mapping[str, NDArray[np.float64]], categorical: Mapping[str, tuple[Sequence[str | None], NDArray[np.int64]]], salt: str
) -> Buckets:
    """A bucket per row from its features. Rows with equal features share a side, so that a copy never leaks into the test rows."""
    key = salt.encode()
    rows = len(next(iter(numeric.values()))) if numeric else len(next(iter(categorical.values()))[1])
    state = np.full(rows, _word("row", key), dtype=np.uint64)
    for name in sorted(numeric):
        values = numeric[name] + 0.0  # -0.0 and 0.0 are the same value
        words = np.where(np.isnan(values), np.nan, values).view(np.uint64)
        state = _mix(state ^ words ^ np.uint64(_word(name, key)))
    for name in sorted(categorical):
        distinct, codes = categorical[name]
        words = np.array([_word(f"{name}={value}", key) for value in distinct], dtype=np.uint64)[codes]
        state = _mix(state ^ words)
    return _to_unit(state)


def is_coarse(rows: int, by_features: int, by_everything: int, problem: str) -> bool:
    """Whether equal rows are what such a table has, and no copies: it has few different rows by their features, each of them often.

    by_everything: different rows by features and answer. Where equal features always come with the same measured number, the rows are
    copies after all: two observations hardly ever agree in it.
    """
    return by_features < rows and by_features**2 <= COARSE * rows and (problem != "regression" or by_everything > by_features)


def spread(buckets: Buckets) -> Buckets:
    """Buckets of a coarse table, in which every copy is an observation of its own: they are spread evenly over [0, 1).

    The n-th copy of a row has the same bucket however many follow, and whichever of the copies it is, they are equal: so as data
    grows no row changes sides.
    """
    order = np.argsort(buckets, kind="stable")
    counts = np.unique(buckets, return_counts=True)[1]
    copy = np.empty(len(buckets), dtype=np.int64)
    copy[order] = np.arange(len(buckets)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray((buckets + copy * _GOLDEN) % 1.0, dtype=np.float64)


def sides(buckets: Buckets, validation: float, test: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks of the training, validation and test rows."""
    is_test = buckets < test
    is_validation = ~is_test & (buckets < test + validation)
    return ~(is_test | is_validation), is_validation, is_test


def _word(text: str, key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), key=key[:64], digest_size=8).digest(), "little")


def _mix(words: Words) -> Words:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014): every input bit changes half of the output bits."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)), dtype=np.uint64)


def _to_unit(words: Words) -> Buckets:
    return np.asarray((words >> np.uint64(11)).astype(np.float64) / float(1 << 53), dtype=np.float64)
