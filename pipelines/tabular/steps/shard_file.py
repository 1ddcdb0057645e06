"""One shard of prepared rows as one file: three NumPy arrays in an uncompressed .npz, or five where most cells are zero.

Input: float32 features, float64 target and weight of some rows. Output: the file, equal bytes for equal rows; and the same rows back, bit
for bit, without pandas or pyarrow. Used by `dataset.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from features import Matrix

#: Sparse where at most a quarter of the cells are not zero. A cell costs 4 bytes, a kept one of CSR 8 (value and column): so sparse
#: halves the file at least. One-hot columns of six categories with 35 values each have 3% of their cells set, numeric ones nearly all.
MOST_KEPT_SHARE = 0.25


def write(path: Path, features: Matrix, target: Any, weight: Any) -> None:
    """Whether dense or sparse depends on the rows alone, so that whoever prepares them writes the same bytes."""
    kept = np.ascontiguousarray(features).view(np.uint32) != 0  # by bits: -0.0 is kept, and NaN
    cells = {"features": features} if np.count_nonzero(kept) > MOST_KEPT_SHARE * kept.size else _csr(features, kept)
    with path.open("wb") as file:
        np.savez(file, **cells, target=target, weight=weight)


def read(path: Path) -> tuple[Matrix, Any, Any]:
    """What `write` was given: dense, since XGBoost takes a cell that CSR leaves out for a missing value (docs/decisions/0172).

    Raises OSError, ValueError, KeyError or zipfile.BadZipFile for a file that is none.
    """
    with np.load(path, allow_pickle=False) as arrays:
        features = arrays["features"] if "features" in arrays else _dense(arrays)
        return features, arrays["target"], arrays["weight"]


def _csr(features: Matrix, kept: Any) -> dict[str, Any]:
    """Compressed sparse rows: row i has `values[starts[i]:starts[i + 1]]` in `columns[starts[i]:starts[i + 1]]`."""
    places = np.flatnonzero(kept)  # of the flat matrix: several times as fast as rows and columns
    begun = np.arange(len(features) + 1) * features.shape[1]
    starts = np.searchsorted(places, begun)
    columns = (places - np.repeat(begun[:-1], np.diff(starts))).astype(np.int32)
    return {"values": features.ravel()[places], "columns": columns, "starts": starts, "width": np.int64(features.shape[1])}


def _dense(arrays: Mapping[str, Any]) -> Matrix:
    starts = arrays["starts"]
    features = np.zeros((len(starts) - 1, int(arrays["width"])), dtype=np.float32)
    rows = np.repeat(np.arange(len(features)), np.diff(starts))
    features[rows, arrays["columns"]] = arrays["values"]
    return features
