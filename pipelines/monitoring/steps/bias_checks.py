"""Whether production treats a group worse than the gate allows, by the metrics of evaluation/fairness.py.

Input: rows, decisions, and the truth where it is known; the model's facet and the limits of its gate. Output: one entry per limit, each
with a bootstrap interval: a breach is a whole interval beyond the limit, so that few rows of a group cry no wolf. DPPL and DI need no
labels, EOD does. Next: findings.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from dataset import Rows
from evaluation import fairness
from numpy.typing import NDArray
from resampling import RESAMPLES, SEED, interval

Mask = NDArray[np.bool_]

#: Metric -> the setting of the model's Gate, and whether it needs the truth.
RULES = {
    "DPPL": ("max_difference_in_proportions", False),
    "DI": ("min_disparate_impact", False),
    "EOD": ("max_equal_opportunity_difference", True),
}


def check(
    rows: Rows, decided: NDArray[np.float64], facet: Mapping[str, str], gate: Mapping[str, Any], truth: NDArray[np.float64] | None = None
) -> list[dict[str, Any]]:
    """`decided`, `truth`: indices of the classes, 1 is the favourable outcome. Without a truth what needs none, with it what needs one."""
    group = np.array([value == facet["disadvantaged"] for value in rows.texts(facet["column"])], dtype=bool)
    found = []
    for name, (setting, needs_truth) in RULES.items():
        limit = gate.get(setting)
        if limit is None or needs_truth == (truth is None):
            continue
        positive = np.ones(rows.count, dtype=bool) if truth is None else truth == 1
        value = fairness.measures(group, positive, decided == 1)[name] if rows.count else None
        lower, upper = (None, None) if value is None else interval(_resampled(name, group, positive, decided == 1))
        found.append(
            {
                "metric": name,
                "facet": facet["column"],
                "group": facet["disadvantaged"],
                "rows": int(group.sum()),
                "value": value,
                "lower": lower,
                "upper": upper,
                "limit": limit,
                "why": _why(value, group),
                "breached": _is_breached(name, lower, upper, float(limit)),
            }
        )
    return found


def facet_of(contract: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Of a version's contract.json; None where there is nothing to check: no facet, or not two classes."""
    dataset = contract["dataset"]
    return dataset.get("facet") if dataset["problem"] == "binary" else None


def _why(value: float | None, group: Mask) -> str | None:
    """Where there is no value: which rows are missing."""
    if value is not None:
        return None
    if not len(group):
        return "the window has no rows"
    if not group.any():
        return "no row of the group: it has vanished"
    return "every row is of the group: there is nothing to compare it with" if group.all() else "a group has no row to divide by"


def _resampled(name: str, group: Mask, positive: Mask, decided: Mask) -> NDArray[np.float64]:
    """Of bootstrap resamples of the rows, which eight counts say all about."""
    cells = np.bincount(group * 4 + positive * 2 + decided * 1, minlength=8)
    kind = np.arange(8)
    of_group, is_positive, is_decided = kind & 4 > 0, kind & 2 > 0, kind & 1 > 0
    drawn = np.random.default_rng(SEED).multinomial(int(cells.sum()), cells / cells.sum(), RESAMPLES)
    among = is_positive if name == "EOD" else np.ones(8, dtype=bool)

    def share(side: Mask) -> NDArray[np.float64]:
        rows = drawn[:, side & among].sum(axis=1)
        return np.asarray(drawn[:, side & among & is_decided].sum(axis=1) / np.where(rows > 0, rows, np.nan), dtype=np.float64)

    disadvantaged, others = share(of_group), share(~of_group)
    if name == "DI":
        return np.asarray(disadvantaged / np.where(others > 0, others, np.nan), dtype=np.float64)
    return np.asarray(others - disadvantaged, dtype=np.float64)


def _is_breached(name: str, lower: float | None, upper: float | None, limit: float) -> bool:
    """The whole interval is on one side outside of what the gate allows: -limit to limit, of DI limit to its inverse."""
    if lower is None or upper is None:
        return False
    least, most = (limit, 1 / limit) if name == "DI" else (-limit, limit)
    return upper < least or lower > most
