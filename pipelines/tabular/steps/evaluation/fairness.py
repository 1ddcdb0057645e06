"""Whether one group is treated worse: the bias metrics of SageMaker Clarify, for a binary problem with a facet.

Group d is the one that might be disadvantaged, a is everyone else; the positive class is the favourable outcome.
Definitions: "Amazon SageMaker Clarify: Machine Learning Bias Detection and Explainability in the Cloud"
(Hardt et al., KDD 2021) and its guide, "Pre-training / Post-training Data and Model Bias Metrics".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from dataset import Rows
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

#: name -> (when, description)
DESCRIPTIONS = {
    "CI": ("pre", "Class imbalance: (n_a - n_d) / (n_a + n_d)"),
    "DPL": ("pre", "Difference in proportions of labels: q_a - q_d"),
    "DPPL": ("post", "Difference in positive proportions in predicted labels: q'_a - q'_d"),
    "DI": ("post", "Disparate impact: q'_d / q'_a (Feldman et al. 2015)"),
    "EOD": ("post", "Equal-opportunity difference: TPR_a - TPR_d (Hardt, Price & Srebro 2016); Clarify's recall difference"),
}


def disadvantaged(rows: Rows, facet: Mapping[str, str]) -> Mask:
    """Which rows are of group d."""
    distinct, codes = rows.categorical[facet["column"]]
    return np.isin(codes, [code for code, value in enumerate(distinct) if value == facet["disadvantaged"]])


def measures(disadvantaged: Mask, positive: Mask, decided: Mask) -> dict[str, float | None]:
    """disadvantaged: rows of group d; positive: rows whose label is the favourable outcome; decided: rows predicted so.

    A value is None where a group has no row to divide by.
    """
    others = ~disadvantaged
    n_a, n_d = int(others.sum()), int(disadvantaged.sum())
    q_a, q_d = _share(positive, others), _share(positive, disadvantaged)
    p_a, p_d = _share(decided, others), _share(decided, disadvantaged)
    return {
        "CI": (n_a - n_d) / (n_a + n_d) if n_a + n_d else None,
        "DPL": _difference(q_a, q_d),
        "DPPL": _difference(p_a, p_d),
        "DI": p_d / p_a if p_a and p_d is not None else None,
        "EOD": _difference(_share(decided, others & positive), _share(decided, disadvantaged & positive)),
    }


def report(facet: dict[str, str], target: str, positive_class: str, values: dict[str, float | None]) -> dict[str, Any]:
    """The layout of Clarify's `analysis.json`, which the model registry shows as the bias report."""

    def part(when: str) -> dict[str, Any]:
        metrics = [
            {"name": name, "description": text, "value": values[name]} for name, (phase, text) in DESCRIPTIONS.items() if phase == when
        ]
        return {
            "label": target,
            "label_value_or_threshold": positive_class,
            "facets": {facet["column"]: [{"value_or_threshold": facet["disadvantaged"], "metrics": metrics}]},
        }

    return {"version": "1.0", "pre_training_bias_metrics": part("pre"), "post_training_bias_metrics": part("post")}


def _share(of: Mask, among: Mask) -> float | None:
    return float(of[among].mean()) if among.any() else None


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second
