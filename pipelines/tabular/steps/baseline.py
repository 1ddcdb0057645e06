"""Baselines for drift monitoring, in the layout of Model Monitor's `statistics.json` and `constraints.json`.

Input: raw training rows (written by `prepare.py`), and the predictions on the test rows (added by `evaluate.py` as
the feature `prediction`). Numeric features hold at most ten buckets of about equally many rows, whose outermost ones
are open for new values; categorical ones hold a count per value, in the one form of `cells.category`. The monitor compares
captured requests with them, and reads their cells by the same rule: a request's 4 and true are the baseline's "4" and "true".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from dataset import Rows
from numpy.typing import NDArray

BUCKETS = 10


def statistics(rows: Rows) -> dict[str, Any]:
    features = [numeric(name, values) for name, values in rows.numeric.items()]
    for name, (distinct, codes) in rows.categorical.items():
        counts = np.bincount(codes, minlength=len(distinct)).tolist()
        features.append(_categorical(name, dict(zip(distinct, counts, strict=True))))
    return {"version": 0.0, "dataset": {"item_count": rows.count}, "features": features}


def numeric(name: str, values: NDArray[np.float64]) -> dict[str, Any]:
    """One numeric feature. Equal quantiles are merged, so a bucket may hold more rows than others."""
    present = values[~np.isnan(values)]
    edges = np.unique(np.quantile(present, np.linspace(0, 1, BUCKETS + 1)))
    if len(edges) == 1:
        edges = np.array([edges[0], edges[0]])
    inner = edges[1:-1]
    counts = np.bincount(np.searchsorted(inner, present, side="right"), minlength=len(inner) + 1)
    buckets = [
        {"lower_bound": float(lower), "upper_bound": float(upper), "count": int(count)}
        for lower, upper, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    return {
        "name": name,
        "inferred_type": "Fractional",
        "numerical_statistics": {
            "common": {"num_present": len(present), "num_missing": len(values) - len(present)},
            "mean": float(present.mean()),
            "sum": float(present.sum()),
            "std_dev": float(present.std()),
            "min": float(present.min()),
            "max": float(present.max()),
            "distribution": {"kll": {"buckets": buckets}},
        },
    }


def _categorical(name: str, counts: dict[str | None, int]) -> dict[str, Any]:
    present = {value: count for value, count in counts.items() if value is not None and count}
    ranked = sorted(present.items(), key=lambda item: (-item[1], item[0]))
    return {
        "name": name,
        "inferred_type": "String",
        "string_statistics": {
            "common": {"num_present": sum(present.values()), "num_missing": counts.get(None, 0)},
            "distinct_count": len(present),
            "distribution": {"categorical": {"buckets": [{"value": value, "count": count} for value, count in ranked]}},
        },
    }


def constraints(described: dict[str, Any]) -> dict[str, Any]:
    """What a captured request should keep: how complete a column is, its sign, and its categories."""
    features = []
    for feature in described["features"]:
        facts = feature.get("numerical_statistics") or feature["string_statistics"]
        common = facts["common"]
        total = common["num_present"] + common["num_missing"]
        constraint = {
            "name": feature["name"],
            "inferred_type": feature["inferred_type"],
            "completeness": common["num_present"] / total if total else 1.0,
        }
        if "numerical_statistics" in feature:
            constraint["num_constraints"] = {"is_non_negative": facts["min"] >= 0}
        else:
            values = [bucket["value"] for bucket in facts["distribution"]["categorical"]["buckets"]]
            constraint["string_constraints"] = {"domains": values}
        features.append(constraint)
    return {"version": 0.0, "features": features}
