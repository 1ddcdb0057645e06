"""What the requests of one version hold, by its contract.json: the columns in their order, and the classes of its answers.

It has what `request_columns.columns` asks of a version that is loaded, without the model. Input: the evidence of a version (`evidence.py`).
Used by all that read requests and answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
from allowed import Allowed


@dataclass(frozen=True)
class Takes:
    """`classes` None: of a regression. `dataset`: the contract of the columns."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    classes: tuple[str, ...] | None
    dataset: Mapping[str, Any]

    @classmethod
    def of(cls, contract: Mapping[str, Any]) -> Takes:
        """Raises KeyError or TypeError for what is no contract."""
        dataset, classes = contract["dataset"], contract["classes"]
        numeric, categorical = (tuple(str(column["name"]) for column in dataset[kind]) for kind in ("numeric", "categorical"))
        return cls(numeric, categorical, None if classes is None else tuple(map(str, classes)), dataset)

    @property
    def features(self) -> list[str]:
        """Raw columns in the order of a request."""
        return [*self.numeric, *self.categorical]

    @property
    def preparer(self) -> SimpleNamespace:
        """What `request_columns.columns` asks of it."""
        return SimpleNamespace(numeric=self.numeric)

    @cached_property
    def _alone(self) -> dict[str, Allowed]:
        numbers = {name: Allowed(self.dataset, [name], []) for name in self.numeric}
        return numbers | {name: Allowed(self.dataset, [], [name]) for name in self.categorical}

    def allows(self, name: str, value: float | str | None) -> bool:
        """Whether the contract takes a value of a column; a missing one is NaN, or None."""
        numbers = np.array([[value]], dtype=np.float64) if name in self.numeric else np.empty((1, 0))
        categories = [] if name in self.numeric else [([value if isinstance(value, str) else None], np.zeros(1, dtype=np.int64))]
        return self._alone[name].first_outside(numbers, categories) is None

    def width_of_answer(self) -> int:
        """Cells of an answer as CSV: a value; a label and a probability, or one for each of several classes."""
        if self.classes is None:
            return 1
        return 1 + (len(self.classes) if self.is_several_classes else 1)

    @property
    def is_several_classes(self) -> bool:
        return self.classes is not None and self.dataset["problem"] == "multiclass"
