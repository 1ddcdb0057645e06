"""What a regression predicts of an answer, the mean or a quantile, and how it is learned; and effects that are known to be monotone.

Input: the data set of a specification or a contract. Output: the part of `about` that algorithms learn by (`aims`); which answers can be
learned so. Used by `prepare.py`, `served.py` and the algorithms.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MEAN, LOG_MEAN, COUNT, QUANTILE = "mean", "log_mean", "count", "quantile"
_SIGNS = {"increasing": 1, "decreasing": -1, None: 0}


def quantile_of(metric: str) -> float | None:
    """`pinball_90` -> 0.9; None for another metric."""
    named = re.fullmatch(r"pinball_([0-9]{1,2})", metric)
    return int(named[1]) / 100 if named else None


def aims(dataset: Mapping[str, Any], outputs: Sequence[str]) -> dict[str, Any]:
    """`objective`; `monotone`: of each prepared column whether scores rise (1), fall (-1) or may do either (0) with it, None for all 0.

    Versions from before there was a choice predict the mean.
    """
    quantile = quantile_of(dataset["metric"])
    signs = {column["name"]: _SIGNS[column.get("monotone")] for column in dataset.get("numeric", ())}
    known = [signs.get(name, 0) for name in outputs]
    return {
        "objective": QUANTILE if quantile is not None else dataset.get("objective", MEAN),
        "monotone": known if any(known) else None,
    }


def unlearnable(objective: str, answers: Floats) -> NDArray[np.bool_]:
    """Which answers the loss is not defined for. Missing ones are not among them."""
    if objective == COUNT:
        return np.asarray(answers < 0)
    return np.asarray(answers <= 0) if objective == LOG_MEAN else np.zeros(len(answers), dtype=bool)


def allowed(objective: str) -> str:
    return "0 and more" if objective == COUNT else "more than 0"


def in_words(dataset: Mapping[str, Any]) -> str:
    """What is predicted and how its learning was bound, for the report; empty for a mean that was learned freely."""
    quantile = quantile_of(dataset["metric"])
    said = {COUNT: "a count", LOG_MEAN: "the mean, learned by logarithms"}.get(dataset.get("objective", MEAN))
    aim = said if quantile is None else f"the {quantile:.0%} quantile".replace("%", " %")
    bound = [f"{column['monotone']} with {column['name']}" for column in dataset["numeric"] if column.get("monotone")]
    return "; ".join(part for part in (aim, f"never but {', '.join(bound)}" if bound else "") if part)
