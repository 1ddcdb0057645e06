"""Baselines for drift monitoring, in the layout of Model Monitor's `statistics.json` and `constraints.json`.

Input: raw training rows (written by `prepare.py`), and the predictions on the test rows (added by `evaluate.py` as
the feature `prediction`). Numeric features hold at most ten buckets of about equally many rows, whose outermost ones
are open for new values; categorical ones hold a count per value, in the one form of `cells.category`. The monitor compares
captured requests with them, and reads their cells by the same rule: a request's 4 and true are the baseline's "4" and "true".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numeric_summary
import numpy as np
from features import Floats, Labels
from numeric_summary import Summary

BUCKETS = 10
#: Of the quantiles between the buckets.
SHARES = tuple(np.linspace(0, 1, BUCKETS + 1).tolist())


def statistics(features: Sequence[Mapping[str, Any]], rows: int) -> dict[str, Any]:
    """The document of all features, of so many rows."""
    return {"version": 0.0, "dataset": {"item_count": rows}, "features": list(features)}


def numeric(name: str, values: Floats) -> dict[str, Any]:
    """One numeric feature."""
    return of_summary(name, numeric_summary.of([values], SHARES))


def of_summary(name: str, summary: Summary) -> dict[str, Any]:
    """`summary`: with the quantiles of `SHARES`. Equal quantiles are merged, so a bucket may hold more rows than others."""
    edges = sorted({summary.quantile(share) for share in SHARES})
    edges = edges if len(edges) > 1 else edges * 2
    below = [0, *(summary.ordered.smaller(edge) for edge in edges[1:-1]), summary.count]
    buckets = [
        {"lower_bound": lower, "upper_bound": upper, "count": end - begun}
        for lower, upper, begun, end in zip(edges[:-1], edges[1:], below[:-1], below[1:], strict=True)
    ]
    mean, deviation = summary.moments()
    return {
        "name": name,
        "inferred_type": "Fractional",
        "numerical_statistics": {
            "common": {"num_present": summary.count, "num_missing": summary.missing},
            "mean": mean,
            "sum": mean * summary.count,
            "std_dev": deviation,
            "min": summary.lowest,
            "max": summary.highest,
            "distribution": {"kll": {"buckets": buckets}},
        },
    }


def counts(labels: Labels) -> dict[str | None, int]:
    """How often each category occurs, None for missing. Counts of parts are added."""
    distinct, codes = labels
    return dict(zip(distinct, np.bincount(codes, minlength=len(distinct)).tolist(), strict=True))


def categorical(name: str, counts: Mapping[str | None, int]) -> dict[str, Any]:
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
