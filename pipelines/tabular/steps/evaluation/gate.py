"""Whether a version may be registered, with every reason.

Input: the metric, the comparison with production and the bias metrics. Output: checks, each passed or failed, as the
report, the failure message and `evaluation.json` show them. The condition step of the pipeline reads `passed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from measures import LESS_IS_BETTER

#: A pipeline's failure message is cut at 3072 characters; this leaves room for its beginning.
LONGEST_REASONS = 2500


def decide(
    *,
    metric: str,
    value: float,
    threshold: float,
    comparison: Mapping[str, float | None] | None,
    bias: Mapping[str, float | None] | None,
    limits: Mapping[str, float | None],
) -> dict[str, Any]:
    """`comparison` None: nothing to compare with; `bias` None: no facet. `limits`: settings.Gate."""
    checks = [_threshold(metric, value, threshold)]
    if comparison is not None:
        checks.append(_champion(metric, comparison, float(limits["champion_significance"] or 0)))
    if bias is not None:
        checks += _bias(bias, limits)
    failed = [check["detail"] for check in checks if not check["passed"]]
    return {
        "passed": not failed,
        "reasons": ("; ".join(failed) or "every check passed")[:LONGEST_REASONS],
        "metric": metric,
        "value": value,
        "threshold": threshold,
        "checks": checks,
    }


def _threshold(metric: str, value: float, threshold: float) -> dict[str, Any]:
    less = metric in LESS_IS_BETTER
    passed = value <= threshold if less else value >= threshold
    word = "at most" if less else "at least"
    detail = f"{metric} is {value:.4g}; {word} {threshold:g} is needed (DataSet.threshold in settings.py, or the parameter MetricThreshold)"
    return {"name": f"{metric} {word} {threshold:g}", "passed": bool(passed), "detail": detail}


def _champion(metric: str, comparison: Mapping[str, float | None], significance: float) -> dict[str, Any]:
    share = comparison["p_not_worse"]
    passed = share is None or share >= significance
    gain = comparison["gain"] or 0.0
    verdict = "not significantly worse" if passed else "significantly worse"
    detail = (
        f"{metric} is {_against(gain)} production's {comparison['value']:.4g}: {verdict} "
        f"(as good in {share:.1%} of paired resamples; at least {significance:.0%} is needed, Gate.champion_significance)"
        if share is not None
        else "the comparison with production is undefined on these rows"
    )
    return {"name": "not significantly worse than production", "passed": passed, "detail": detail}


def _against(gain: float) -> str:
    if gain == 0:
        return "equal to"
    return f"{abs(gain):.4g} {'better' if gain > 0 else 'worse'} than"


def _bias(bias: Mapping[str, float | None], limits: Mapping[str, float | None]) -> list[dict[str, Any]]:
    rules = (
        ("DPPL", "max_difference_in_proportions", "at most {} in absolute value"),
        ("DI", "min_disparate_impact", "at least {} (and at most its inverse)"),
        ("EOD", "max_equal_opportunity_difference", "at most {} in absolute value"),
    )
    checks = []
    for name, setting, allowed in rules:
        value, limit = bias[name], limits[setting]
        if limit is None:
            continue
        wanted = allowed.format(f"{limit:g}")
        if value is None:
            detail = f"bias {name} is undefined: a group has no rows; {wanted} is needed (Gate.{setting})"
            checks.append({"name": f"bias {name} {wanted}", "passed": False, "detail": detail})
            continue
        holds = limit <= value <= 1 / limit if name == "DI" else abs(value) <= limit
        detail = f"bias {name} is {value:.3g}; {wanted} is needed (Gate.{setting} in settings.py)"
        checks.append({"name": f"bias {name} {wanted}", "passed": holds, "detail": detail})
    return checks
