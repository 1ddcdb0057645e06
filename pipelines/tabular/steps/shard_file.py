"""One shard of prepared rows as one file: three NumPy arrays in an uncompressed .npz, or six where most cells are zero.

Input: prepared rows (encoded_rows.py), float64 target and weight. Output: the file, equal bytes for equal rows; and the same rows back,
bit for bit, without pandas or pyarrow. Used by `dataset.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from encoded_rows import EncodedRows, Matrix

#: Sparse where at most a quarter of the cells are not zero. A cell costs 4 bytes, a kept one of CSR 8 (value and column): so sparse
#: halves the file at least. One-hot columns of six categories with 35 values each have 3% of their cells set, numeric ones nearly all.
MOST_KEPT_SHARE = 0.25


def write(path: Path, features: EncodedRows, target: Any, weight: Any) -> None:
    """Whether dense or sparse depends on the rows alone, so that whoever prepares them writes the same bytes."""
    kept = np.count_nonzero(features.kept()) + features.ones.size
    is_dense = kept > MOST_KEPT_SHARE * len(features.numbers) * features.width
    cells = {"features": features.dense()} if is_dense else features.sparse()
    with path.open("wb") as file:
        np.savez(file, **cells, target=target, weight=weight)


def read(path: Path) -> tuple[Matrix, Any, Any]:
    """What `write` was given: dense, since XGBoost takes a cell that CSR leaves out for a missing value (docs/decisions/0172).

    Raises OSError, ValueError, KeyError or zipfile.BadZipFile for a file that is none.
    """
    with np.load(path, allow_pickle=False) as arrays:
        features = arrays["features"] if "features" in arrays else _dense(arrays)
        return features, arrays["target"], arrays["weight"]


def _dense(arrays: Mapping[str, Any]) -> Matrix:
    starts = arrays["starts"]
    features = np.zeros((len(starts) - 1, int(arrays["width"])), dtype=np.float32)
    rows = np.repeat(np.arange(len(features)), np.diff(starts))
    features[rows, arrays["columns"]] = arrays["values"]
    return features
