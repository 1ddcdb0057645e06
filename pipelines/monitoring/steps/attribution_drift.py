"""Whether a version relies on other features in production than when it was evaluated.

Input: explainability.json of the version, and the attributions of a window's rows (evaluation/behaviour.py). Output: the normalised
discounted cumulative gain of the window's ranking of features, as SageMaker Clarify defined it (its guide, "Feature attribution drift
for models in production"): with a(f) the attribution of feature f at evaluation, and f'_1, f'_2, ... the features in the order of their
attributions in production, DCG = sum of a(f'_i) / log2(i + 1), divided by the same sum in the order at evaluation. 1: the same ranking.
Clarify logged a violation below 0.9. Next: findings.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from dataset import Rows
from evaluation import behaviour
from served import Served

#: As many features are named, the most important ones first.
SHOWN_FEATURES = 10


def of_evaluation(document: Mapping[str, Any]) -> dict[str, float]:
    """The mean absolute attribution of each raw column in explainability.json."""
    methods = list(document["explanations"].values())
    values: Mapping[str, float] = methods[0]["label0"]["global_shap_values"]
    return {name: float(value) for name, value in values.items()}


def ndcg(before: Mapping[str, float], now: Mapping[str, float]) -> float:
    """Of the same features. 1 where nothing is attributed to any. Equal attributions keep the order of evaluation."""
    ideal = sorted(before, key=lambda name: -before[name])
    live = sorted(ideal, key=lambda name: -now[name])
    best = _gain(before, ideal)
    return _gain(before, live) / best if best else 1.0


def _gain(before: Mapping[str, float], ranked: list[str]) -> float:
    gains = np.array([before[name] for name in ranked])
    return float((gains / np.log2(np.arange(len(gains)) + 2)).sum())


def judge(document: Mapping[str, Any], rows: Rows, served: Served, limits: Mapping[str, Any]) -> dict[str, Any] | None:
    """`limits`: reads `min_attribution_ndcg`. None for a window without rows, or a version whose evidence names other features."""
    before = of_evaluation(document)
    if not rows.count or set(before) != set(served.features):
        return None
    now = behaviour.attributions(rows, served)
    value, limit = ndcg(before, now), float(limits["min_attribution_ndcg"])
    named = sorted(before, key=lambda name: -max(before[name], now[name]))[:SHOWN_FEATURES]
    features = [{"feature": name, "at_evaluation": before[name], "now": now[name]} for name in named]
    return {"ndcg": value, "limit": limit, "breached": value < limit, "features": features}
