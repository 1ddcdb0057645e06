"""What a window's rows were like, as `statistics.json` in Model Monitor's layout, with the buckets of the version's own baseline.

Input: the `Sketch` of each version. Output: the document; that of the version with the most rows has the usual place, and each one's is in
`versions`. Layout: SageMaker Developer Guide, "Schema for Statistics (statistics.json file)".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sketch import Categories, Numbers, Sketch


def document(sketches: Sequence[Sketch]) -> dict[str, Any]:
    """Without rows: no features."""
    described = {sketch.version: _of_version(sketch) for sketch in sketches if sketch.rows}
    most = max(described.values(), key=lambda own: own["dataset"]["item_count"], default={"dataset": {"item_count": 0}, "features": []})
    return {"version": 0.0, **most, "versions": described}


def _of_version(sketch: Sketch) -> dict[str, Any]:
    features = [_numeric(name, counted) for name, counted in sketch.numeric.items()]
    features += [_categorical(name, counted) for name, counted in sketch.categorical.items()]
    return {"dataset": {"item_count": sketch.rows}, "features": features}


def _numeric(name: str, counted: Numbers) -> dict[str, Any]:
    """The outermost buckets reach as far as the window's values do. Without a value only how many are missing is known."""
    common = {"num_present": counted.present, "num_missing": counted.missing}
    if not counted.present:
        return {"name": name, "inferred_type": "Fractional", "numerical_statistics": {"common": common}}
    edges = counted.coarse.edges.tolist()
    bounds = [min([counted.lowest, *edges[:1]]), *edges, max([counted.highest, *edges[-1:]])]
    buckets = [
        {"lower_bound": lower, "upper_bound": upper, "count": int(count)}
        for lower, upper, count in zip(bounds[:-1], bounds[1:], counted.buckets.tolist(), strict=True)
    ]
    return {
        "name": name,
        "inferred_type": "Fractional",
        "numerical_statistics": {
            "common": common,
            "mean": counted.mean,
            "sum": counted.mean * counted.present,
            "std_dev": math.sqrt(counted.squares / counted.present),
            "min": counted.lowest,
            "max": counted.highest,
            "distribution": {"kll": {"buckets": buckets}},
        },
    }


def _categorical(name: str, counted: Categories) -> dict[str, Any]:
    """Categories that were too many to tell apart are present, and in no bucket."""
    ranked = sorted(counted.counts.items(), key=lambda item: (-item[1], item[0]))
    return {
        "name": name,
        "inferred_type": "String",
        "string_statistics": {
            "common": {"num_present": counted.present, "num_missing": counted.missing},
            "distinct_count": len(ranked),
            "distribution": {"categorical": {"buckets": [{"value": value, "count": count} for value, count in ranked]}},
        },
    }
