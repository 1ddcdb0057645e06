"""The table as typed columns: what `features.py` prepares and what a model learns.

Input: a `Table` that keeps the contract. Output: `Rows`, which can be cut into parts; and the prepared parts on disk,
as NumPy files that training reads without pandas or pyarrow. Next: `prepare.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from failure import BadInput
from features import Floats, Labels, Matrix
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """Raw features by column, the target (value, or index of the class), for `count` rows."""

    numeric: dict[str, Floats]
    categorical: dict[str, Labels]
    target: Floats
    count: int

    def take(self, mask: NDArray[np.bool_]) -> Rows:
        """The rows where `mask` is true."""
        numeric = {name: values[mask] for name, values in self.numeric.items()}
        categorical = {name: (distinct, codes[mask]) for name, (distinct, codes) in self.categorical.items()}
        return Rows(numeric, categorical, self.target[mask], int(np.count_nonzero(mask)))

    def followed_by(self, others: Rows) -> Rows:
        """These rows and then the others, which have the same columns."""
        numeric = {name: np.concatenate([values, others.numeric[name]]) for name, values in self.numeric.items()}
        categorical = {name: _joined(own, others.categorical[name]) for name, own in self.categorical.items()}
        return Rows(numeric, categorical, np.concatenate([self.target, others.target]), self.count + others.count)

    def texts(self, column: str) -> list[str | None]:
        """A categorical column as one text per row."""
        distinct, codes = self.categorical[column]
        return [distinct[code] for code in codes.tolist()]


@dataclass(frozen=True)
class Part:
    """Prepared rows: float32 features (rows x columns), float64 target and weight."""

    features: Matrix
    target: Floats
    weight: Floats


def save(part: Part, folder: Path, about: dict[str, Any]) -> None:
    """Writes `features.npy`, `target.npy`, `weight.npy` and `about.json` (problem, metrics, classes, column names)."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("features", "target", "weight"):
        np.save(folder / f"{name}.npy", getattr(part, name), allow_pickle=False)
    (folder / "about.json").write_text(json.dumps(about, sort_keys=True), encoding="utf-8")


def load(folder: Path) -> tuple[Part, dict[str, Any]]:
    """What `save` wrote. Raises BadInput naming the folder."""
    try:
        arrays = [np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("features", "target", "weight")]
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder.name}: no prepared rows ({error}); run prepare.py first") from None
    return Part(*arrays), about


def _joined(own: Labels, others: Labels) -> Labels:
    distinct = list(dict.fromkeys([*own[0], *others[0]]))
    position = {value: index for index, value in enumerate(distinct)}
    moved = np.array([position[value] for value in others[0]], dtype=np.int64)[others[1]]
    return distinct, np.concatenate([own[1], moved])


def class_index(labels: Labels, classes: Sequence[str]) -> Floats:
    """The index in `classes` of each row's class, as float64."""
    distinct, codes = labels
    position = {name: index for index, name in enumerate(classes)}
    return np.array([position.get(str(value), -1) for value in distinct], dtype=np.float64)[codes]
