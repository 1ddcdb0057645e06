"""Prepared rows with their one-hot columns as places instead of zeros and ones: what they are written from, dense or sparse.

Input: what `features.Preparer.encode` makes. Output: the dense matrix, or its compressed sparse rows, for which it is never made. Used by
`shard_file.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class EncodedRows:
    """`numbers`: the first columns, rows x any. `ones`: of each further group of columns the one that is 1, rows x groups, ascending.

    `width`: of the dense matrix.
    """

    numbers: Matrix
    ones: NDArray[np.int32]
    width: int

    @classmethod
    def of_dense(cls, matrix: Matrix) -> EncodedRows:
        return cls(matrix, np.empty((len(matrix), 0), dtype=np.int32), matrix.shape[1])

    @classmethod
    def together(cls, parts: Sequence[EncodedRows]) -> EncodedRows:
        """The rows of parts that have the same columns."""
        return cls(np.concatenate([part.numbers for part in parts]), np.concatenate([part.ones for part in parts]), parts[0].width)

    def kept(self) -> NDArray[np.bool_]:
        """Of `numbers`, those that are not zero by their bits: -0.0 is kept, and NaN."""
        return np.asarray(np.ascontiguousarray(self.numbers).view(np.uint32) != 0)

    def dense(self) -> Matrix:
        if self.numbers.shape[1] == self.width:
            return self.numbers
        matrix = np.zeros((len(self.numbers), self.width), dtype=np.float32)
        matrix[:, : self.numbers.shape[1]] = self.numbers
        matrix[np.arange(len(matrix))[:, np.newaxis], self.ones] = 1.0
        return matrix

    def sparse(self) -> dict[str, Any]:
        """Compressed sparse rows: row i has `values[starts[i]:starts[i + 1]]` in `columns[starts[i]:starts[i + 1]]`."""
        rows, first = self.numbers.shape
        is_kept = np.concatenate([self.kept(), np.ones(self.ones.shape, dtype=bool)], axis=1)
        columns = np.concatenate([np.broadcast_to(np.arange(first, dtype=np.int32), (rows, first)), self.ones], axis=1)
        values = np.concatenate([self.numbers, np.ones(self.ones.shape, dtype=np.float32)], axis=1)
        starts = np.concatenate([[0], np.cumsum(np.count_nonzero(is_kept, axis=1))])
        return {"values": values[is_kept], "columns": columns[is_kept], "starts": starts, "width": np.int64(self.width)}
