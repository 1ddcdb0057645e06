"""Holds a window against what training has seen: missing values, out of range, unseen categories, wrong types, requests refused.

A share is broken when it is larger than the baseline's by more than a limit (the size that matters) and that is more than chance. The
baseline is a share of a sample, too: of how many rows training had, and of how many it would have found none by luck. So
- the baseline of values out of the range of n rows is 2 / (n + 1): so likely another of exchangeable rows lies outside of them all;
- that of unseen categories is the share of those that occurred once (Good 1953; Turing);
- the p-value is a binomial tail at the upper end of the baseline's own confidence interval (Clopper and Pearson 1934), by
  Berger and Boos 1994, which is valid whatever the true share is; Holm's correction (1979) holds for all checks of a version together.
A value out of a declared range, and a category that is not declared, are refused when asked (inference.py): what is counted here are
values that training has not seen, and those of refused requests where capture shows them.

Input: a `Sketch`, the `Evidence` and what was refused. Output: checks as findings.json has them. Reads max_missing_increase,
max_out_of_range_increase, max_unseen_increase, max_wrong_type_increase and max_refused_increase.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bodies import Faults
from evidence import Evidence
from evidence_layout import STATISTICS
from scipy import stats
from sketch import Sketch

#: How often a window of unchanged requests may break any check of a version at all.
LEVEL = 0.01
#: The part of it that is spent on not knowing the baselines' shares (Berger and Boos).
BASELINE_PART = 0.1
#: What the checks are called, and the setting that limits each.
LIMITS = {
    "missing": "max_missing_increase",
    "out of range": "max_out_of_range_increase",
    "unseen category": "max_unseen_increase",
    "wrong type": "max_wrong_type_increase",
    "refused": "max_refused_increase",
}
DEFAULT_LIMIT = 0.05


@dataclass(frozen=True)
class _Share:
    """`found` of `rows` in the window. In the baseline: `known` of `known_rows`, of which `share` is expected again."""

    feature: str | None
    kind: str
    found: int
    rows: int
    known: int
    known_rows: int
    share: float


def check(
    sketch: Sketch, evidence: Evidence, faults: Faults | None, refused: int, requests: int, limits: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Every check of one version, in the order of its columns. `refused` of `requests` were refused."""
    shares = [
        *(share for name in evidence.takes.features for share in _of_feature(name, sketch, evidence, faults)),
        _Share(None, "refused", refused, requests, 0, int(evidence.documents[STATISTICS]["dataset"]["item_count"]), 0.0),
    ]
    unsure = LEVEL * BASELINE_PART / len(shares)
    p_values = [_p_value(share, unsure) for share in shares]
    holds = _holm(p_values)
    return [
        _finding(share, p_value, is_certain, float(limits.get(LIMITS[share.kind], DEFAULT_LIMIT)))
        for share, p_value, is_certain in zip(shares, p_values, holds, strict=True)
    ]


def _of_feature(name: str, sketch: Sketch, evidence: Evidence, faults: Faults | None) -> Iterator[_Share]:
    is_number = name in evidence.takes.numeric
    baseline = evidence.features[name]
    common = (baseline.get("numerical_statistics") or baseline["string_statistics"])["common"]
    present, missing = int(common["num_present"]), int(common["num_missing"])
    known_rows = present + missing
    counted = sketch.numeric[name] if is_number else sketch.categorical[name]
    rows = counted.present + counted.missing
    yield _Share(name, "missing", counted.missing, rows, missing, known_rows, missing / known_rows if known_rows else 0.0)
    asked = rows + (faults.rows if faults else 0)
    if is_number:
        outside = sketch.numeric[name].outside + (faults.out_of_range[name] if faults else 0)
        yield _Share(name, "out of range", outside, asked, 0, present, 2 / (present + 1))
    else:
        once = sum(count == 1 for count in sketch.categorical[name].known.values())
        unseen = sketch.categorical[name].unseen + (faults.unseen[name] if faults else 0)
        yield _Share(name, "unseen category", unseen, asked, once, present, once / present if present else 0.0)
    yield _Share(name, "wrong type", faults.wrong_type[name] if faults else 0, asked, 0, known_rows, 0.0)


def _p_value(share: _Share, unsure: float) -> float:
    """That so many or more are found, if the window's share is the baseline's. `unsure`: how likely that is above its interval."""
    if not share.rows or not share.found:
        return 1.0
    upper = 1.0
    if share.known < share.known_rows:
        upper = float(stats.beta.ppf(1 - unsure, share.known + 1, share.known_rows - share.known))
    tail = float(stats.binom.sf(share.found - 1, share.rows, upper))
    return min(1.0, tail + unsure)


def _holm(p_values: Sequence[float]) -> list[bool]:
    """Which of them hold together at `LEVEL`."""
    holds = [False] * len(p_values)
    for rank, place in enumerate(np.argsort(p_values, kind="stable").tolist()):
        if p_values[place] > LEVEL / (len(p_values) - rank):
            break
        holds[place] = True
    return holds


def _finding(share: _Share, p_value: float, is_certain: bool, limit: float) -> dict[str, Any]:
    found = share.found / share.rows if share.rows else 0.0
    return {
        "feature": share.feature,
        "kind": share.kind,
        "share": found,
        "baseline": share.share,
        "limit": limit,
        "p_value": p_value,
        "breached": bool(is_certain and found - share.share > limit),
    }
