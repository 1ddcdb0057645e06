"""The test rows as they came, with what the version said of them and what was true: what production is compared with.

Input: raw test rows and predictions. Output: reference.npz as bytes, the same for the same rows. Next: monitoring's reference.py reads it.
"""

from __future__ import annotations

import io

import numpy as np
from dataset import Rows
from decisions import Predictions
from numpy.typing import NDArray
from resampling import drawn

MOST_ROWS = 10_000


def content(rows: Rows, predicted: Predictions) -> bytes:
    """A NumPy archive without pickled objects, of at most MOST_ROWS rows drawn at random.

    `numeric`: rows x numeric columns, float64. Of categorical column i `codes_i` (rows), `labels_i` (its distinct values as text) and
    `missing_i` (which of them stands for a missing cell). `scores`, `decided`: the predictions; `target`: values, or indices of classes.
    """
    chosen = drawn(rows.count, MOST_ROWS)
    rows, predicted = rows.take(chosen), predicted.take(chosen)
    columns = [*rows.numeric.values()]
    arrays: dict[str, NDArray[np.generic]] = {
        "numeric": np.column_stack(columns) if columns else np.empty((rows.count, 0)),
        "scores": predicted.scores,
        "decided": predicted.decided,
        "target": rows.target,
    }
    for index, (distinct, codes) in enumerate(rows.categorical.values()):
        arrays[f"labels_{index}"] = np.array([value or "" for value in distinct], dtype=np.str_)
        arrays[f"missing_{index}"] = np.array([value is None for value in distinct], dtype=np.bool_)
        arrays[f"codes_{index}"] = codes
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, **arrays)
    return packed.getvalue()
