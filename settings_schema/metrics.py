"""The problems that a model can solve, and the metrics that judge each: their direction and their range, once.

Their formulas: pipelines/tabular/steps/measures.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite
from types import MappingProxyType


class Problem(StrEnum):
    REGRESSION = "regression"
    BINARY = "binary"
    MULTICLASS = "multiclass"


@dataclass(frozen=True, slots=True)
class Metric:
    """The direction and the range of a metric; `judges_decisions`: it looks at the decided classes, not at probabilities.

    `quantile`: the share of answers that should be below what is predicted, for a metric of quantiles.
    """

    more_is_better: bool
    lowest: float | None = 0.0
    highest: float | None = 1.0
    judges_decisions: bool = False
    quantile: float | None = None

    def can_be(self, value: float) -> bool:
        return isfinite(value) and (self.lowest is None or self.lowest <= value) and (self.highest is None or value <= self.highest)

    @property
    def allowed(self) -> str:
        if self.lowest is None:
            return f"at most {self.highest:g}"
        return f"at least {self.lowest:g}" if self.highest is None else f"{self.lowest:g} to {self.highest:g}"


_ERROR = Metric(more_is_better=False, highest=None)
_OF_RANKS = Metric(more_is_better=True)
_OF_DECISIONS = Metric(more_is_better=True, judges_decisions=True)

#: In percent: of the quantiles that can be predicted. The metric names one, and so what the model learns: `pinball_90`.
QUANTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)

#: Metrics that the gate and the search can use, per problem.
METRICS: Mapping[Problem, Mapping[str, Metric]] = MappingProxyType(
    {
        Problem.REGRESSION: MappingProxyType(
            {
                "mse": _ERROR,
                "rmse": _ERROR,
                "mae": _ERROR,
                "r2": Metric(more_is_better=True, lowest=None),
                **{f"pinball_{share}": replace(_ERROR, quantile=share / 100) for share in QUANTILES},
            },
        ),
        Problem.BINARY: MappingProxyType(
            {
                "auc": _OF_RANKS,
                "average_precision": _OF_RANKS,
                **dict.fromkeys(("accuracy", "balanced_accuracy", "f1", "macro_f1"), _OF_DECISIONS),
                "log_loss": _ERROR,
            }
        ),
        Problem.MULTICLASS: MappingProxyType(
            {**dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1"), _OF_DECISIONS), "log_loss": _ERROR}
        ),
    }
)
