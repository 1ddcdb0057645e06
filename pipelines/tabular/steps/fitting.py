"""Fits the preparation on training rows: what `features.py` applies, and the baseline of the monitoring, from the same looks at them.

Input: columns by name. Output: JSON values. What is fitted does not depend on the order of the rows, nor on parts that they come in
(numeric_summary.py). Used by `parts.py`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import baseline
import numeric_summary
import numpy as np
import side_by_side
import target_statistics
from failure import BadInput
from features import Floats, Labels
from numeric_summary import Summary
from numpy.typing import NDArray
from target_statistics import Answers

#: What is applied to a column, and its statistics.
FittedColumn: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Fitted:
    """`state`: what `features.Preparer` applies. `statistics`: the columns of statistics.json.

    `out_of_fold`: by column that is encoded by the target, what rows of each fold are encoded by when they are learned from.
    """

    state: dict[str, Any]
    statistics: list[dict[str, Any]]
    out_of_fold: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def fit(
    numeric: Mapping[str, Floats],
    categorical: Mapping[str, Labels],
    preparation: Mapping[str, Any],
    declared: Mapping[str, Collection[str] | None] | None = None,
    rows: int = 0,
    by_target: Mapping[str, Answers] | None = None,
) -> Fitted:
    """Of training rows only, a column after the other, or several at a time where there are many `rows`. Raises BadInput for a column
    without a value. `preparation`: the model's `Preparation` as a dict.

    `declared`: by column, the only categories that can be more than `<other>`; None for a column of which all can.
    `by_target`: the answers, by each column that is encoded by them.
    """
    numbers = side_by_side.results([partial(_fit_numeric, name, numeric, preparation) for name in numeric], rows)
    only = declared or {}
    answers = by_target or {}
    tasks = [partial(_fit_categorical, name, categorical, preparation, only.get(name), answers.get(name)) for name in categorical]
    categories = side_by_side.results(tasks, rows)
    state = {"numeric": [fitted for fitted, _ in numbers], "categorical": [fitted for fitted, _, _ in categories], "selected": None}
    described = [*(described for _, described in numbers), *(described for _, described, _ in categories)]
    return Fitted(state, described, {fitted["name"]: folds for fitted, _, folds in categories if folds})


def _fit_numeric(name: str, columns: Mapping[str, Floats], preparation: Mapping[str, Any]) -> FittedColumn:
    summary = numeric_summary.of([columns[name]], shares(preparation))
    if not summary.count:
        raise BadInput(f"column {name!r} has no value in the training rows; remove it from the model's file or give more data")
    return of_numeric(name, summary, preparation), baseline.of_summary(name, summary)


def _fit_categorical(
    name: str, columns: Mapping[str, Labels], preparation: Mapping[str, Any], only: Collection[str] | None, answers: Answers | None
) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    labels = columns[name]
    counts = baseline.counts(labels)
    described = baseline.categorical(name, counts)
    if answers is None:
        return of_categorical(name, counts, preparation, only), described, []
    fitted, out_of_fold = target_statistics.fit(name, labels, answers, only)
    return fitted, described, out_of_fold


def shares(preparation: Mapping[str, Any]) -> list[float]:
    """Of the quantiles that are fitted or part of the baseline."""
    tail = preparation["outlier_factor"] / 100
    return [*baseline.SHARES, *_QUARTILES, *((tail, 1 - tail) if preparation["outlier_rule"] == "quantile" else ())]


def of_numeric(name: str, summary: Summary, preparation: Mapping[str, Any]) -> dict[str, Any]:
    lower, upper = _bounds(summary, preparation["outlier_rule"], preparation["outlier_factor"])
    centre, scale = _normalisation(summary, preparation["normalisation"], lower, upper)
    return {
        "name": name,
        "lower": None if math.isinf(lower) else lower,
        "upper": None if math.isinf(upper) else upper,
        "fill": _fill(summary, preparation["numeric_imputation"], lower, upper),
        "centre": centre,
        "scale": scale,
        "indicator": bool(preparation["missing_indicators"] and summary.missing),
    }


def _bounds(summary: Summary, rule: str, factor: float) -> tuple[float, float]:
    """iqr: Tukey's fences. A column with no spread by the rule (most values equal) has no outliers, or its rare values would vanish."""
    if rule == "none":
        return -math.inf, math.inf
    if rule == "quantile":
        lower, upper = summary.quantile(factor / 100), summary.quantile(1 - factor / 100)
    elif rule == "zscore":
        mean, deviation = summary.moments()
        lower, upper = mean - factor * deviation, mean + factor * deviation
    else:
        first, third = summary.quantile(0.25), summary.quantile(0.75)
        lower, upper = first - factor * (third - first), third + factor * (third - first)
    return (lower, upper) if lower < upper else (-math.inf, math.inf)


def _fill(summary: Summary, rule: str, lower: float, upper: float) -> float:
    if rule == "zero":
        return 0.0
    return summary.quantile(0.5, lower, upper) if rule == "median" else summary.moments(lower, upper)[0]


def _normalisation(summary: Summary, rule: str, lower: float, upper: float) -> tuple[float, float]:
    if rule == "none":
        return 0.0, 1.0
    if rule == "standard":
        centre, scale = summary.moments(lower, upper)
    elif rule == "minmax":
        centre = min(max(summary.lowest, lower), upper)
        scale = min(max(summary.highest, lower), upper) - centre
    else:
        centre = summary.quantile(0.5, lower, upper)
        scale = summary.quantile(0.75, lower, upper) - summary.quantile(0.25, lower, upper)
    return centre, scale if scale > 0 else 1.0


def of_categorical(
    name: str, counts: Mapping[str | None, int], preparation: Mapping[str, Any], only: Collection[str] | None
) -> dict[str, Any]:
    """The most frequent categories, ties by name; the rest share `<other>` with categories never seen in training."""
    ranked = sorted((-count, value) for value, count in counts.items() if value is not None and count and (only is None or value in only))
    kept = sorted(value for _, value in ranked[: preparation["max_categories"]])
    return {"name": name, "categories": kept, "indicator": bool(preparation["missing_indicators"] and counts.get(None))}


def outliers(state: Mapping[str, Any], numeric: Mapping[str, Floats], rows: int) -> NDArray[np.bool_]:
    """Mask of the rows with a value outside the fitted bounds; for `outlier_action="drop"`, which drops training rows only."""
    outside = np.zeros(rows, dtype=bool)
    for column in state["numeric"]:
        if column["lower"] is not None:
            values = numeric[column["name"]]
            outside |= (values < column["lower"]) | (values > column["upper"])
    return outside
