"""What was found, in the words and the order in which people read it: in the message (publish.py) and in the report (watch_report.py).

Input: breaches and versions of findings.json. Output: texts, the largest breach first; what one feature did in several versions is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

KINDS = {
    "contract": "contract",
    "drift": "drift",
    "joint": "drift of all together",
    "estimate": "estimated quality",
    "quality": "realised quality",
    "bias": "bias",
    "attributions": "attribution drift",
}

Breach = Mapping[str, Any]


def together(breaches: Sequence[Breach]) -> list[list[Breach]]:
    """By what is broken, whichever versions answered. Ordered by how many times its limit it is, those and the versions in each."""
    found: dict[tuple[Any, ...], list[Breach]] = {}
    for breach in sorted(breaches, key=_excess, reverse=True):
        # All together and quality have no feature of their own: what is named beside them may be another one in each version.
        feature = breach["feature"] if breach["kind"] != "joint" else None
        found.setdefault((breach["kind"], feature, breach.get("check")), []).append(breach)
    return list(found.values())


def name(same: Sequence[Breach]) -> str:
    """`length (drift)`, or only the kind where no feature is named."""
    kind, feature = KINDS[same[0]["kind"]], same[0]["feature"]
    return f"{feature} ({kind})" if feature else kind


def detail(same: Sequence[Breach], versions: int) -> str:
    """`versions`: how many answered; a single one is not named."""
    if versions == 1:
        return str(same[0]["detail"])
    return "; ".join(f"version {breach['version'] or 'unknown'}: {breach['detail']}" for breach in same)


def cost(versions: Sequence[Mapping[str, Any]]) -> str:
    """What the version with the most rows is known, or else estimated, to have lost: `rmse is 2.9, 2.3 at evaluation`. Empty if unknown."""
    for version in sorted(versions, key=lambda version: -version["rows"]):
        for part, is_now in (("realised", "is"), ("estimate", "is estimated at")):
            found = version.get(part)
            if found and found["value"] is not None:
                before = found.get("at_evaluation") or (version.get("estimate") or {}).get("at_evaluation")
                evaluated = f", {figure(before)} at evaluation" if before is not None else ""
                return f"{found['metric']} {is_now} {figure(found['value'])}{evaluated}"
    return ""


def figure(value: float | None) -> str:
    """Four significant digits, or a dash where a value is undefined."""
    return "–" if value is None else f"{value:.4g}"


def _excess(breach: Breach) -> float:
    """How many times its limit."""
    return abs(float(breach["effect"])) / abs(float(breach["limit"])) if breach["effect"] is not None and breach["limit"] else 0.0
