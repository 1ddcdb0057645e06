"""Prepared rows as XGBoost's binned matrices: in memory where they fit, else on disk. The model is the same, bit for bit.

Input: batches of dense rows (`dataset.py`). Output: `QuantileDMatrix`, which holds a byte a cell instead of DMatrix's eight, or
`ExtMemQuantileDMatrix`, which holds the bins of one batch ("Using XGBoost External Memory Version", XGBoost docs). Used by `trees.py`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dataset import Batches
from hosts import of_first
from light_xgboost import xgboost

#: How much of the machine's memory bins and what XGBoost keeps of each row may take: half, since the other half holds the code, the
#: batch that is read and the file cache without which external memory is slow.
LARGEST_MEMORY_SHARE = 0.5
#: Label, weight, gradient and hessian, prediction and two positions in the tree: measured in benchmarks/training.
BYTES_PER_ROW = 75


class _Reader(xgboost.DataIter):  # type: ignore[misc] # has no types
    """Hands XGBoost one batch after another, as often as it asks."""

    def __init__(self, rows: Batches, cache: Path | None) -> None:
        self._rows, self._left = rows, iter(rows)
        super().__init__(**({} if cache is None else {"cache_prefix": str(cache), "on_host": False}))

    def reset(self) -> None:
        self._left = iter(self._rows)

    def next(self, input_data: Any) -> bool:
        part = next(self._left, None)
        if part is None:
            return False
        input_data(data=part.features, label=part.target, weight=part.weight)
        return True


def machine_bytes() -> int:
    """Of the instance: a training container of SageMaker has all of it."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def fit_in_memory(*parts: Batches) -> bool:
    needed = sum(part.rows * (part.columns + BYTES_PER_ROW) for part in parts)
    return needed <= LARGEST_MEMORY_SHARE * machine_bytes()


@contextlib.contextmanager
def binned(train: Batches, *others: Batches, threads: int) -> Iterator[list[Any]]:
    """A matrix of each part, all with the bins of the training rows; to be kept in this list only, which is empty after the block.

    Its files are in the system's folder for temporary ones, which AWS advises for large objects during training (SageMaker guide,
    "Managing storage paths for different types of instance local storage").
    """
    with tempfile.TemporaryDirectory(prefix="bins-") as folder:
        in_memory, made = of_first(fit_in_memory(train, *others)), list[Any]()  # hosts do the same
        if not in_memory:
            print(f"{train.rows:,} x {train.columns} training rows are binned on disk: more than {LARGEST_MEMORY_SHARE:.0%} of the memory")
        kind = xgboost.QuantileDMatrix if in_memory else xgboost.ExtMemQuantileDMatrix
        for number, part in enumerate((train, *others)):
            reader = _Reader(part, None if in_memory else Path(folder) / str(number))
            made.append(kind(reader, nthread=threads, ref=made[0] if made else None))
        yield made
        made.clear()  # XGBoost removes its files with the matrix, so that must go before the folder does
