"""Whether a version may be registered, with every reason; and what a person should know before approving it.

Input: what was measured. Output: checks, each passed or failed, as the report, the failure message and `evaluation.json` show them.
A failed check refuses the version, or warns where it is only advice. The condition step of the pipeline reads `passed`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import registry_text

#: A pipeline's failure message holds 3072 characters (API reference, PipelineExecutionFailureReason and FailStep); this leaves room
#: for its beginning.
LONGEST_REASONS = 2500
#: A text of the model card holds 2048 characters ("Model package model card schema" of the SageMaker guide).
LONGEST_CAVEATS = 1500
SHOWN_CLASSES = 5
ADVISED_SIGNIFICANCE = 0.1

Comparison = Mapping[str, float | None]
Check = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """What the gate judges. None, and no constants: there is nothing of the kind to judge.

    `champion`, `constants` (by metric) and `linear`: what `comparison.compare` found. `bias`: `fairness.measures`.
    `never_decided`: test rows of each class that is never predicted, by name; None for a regression. `calibration`: `calibration.error`.
    """

    metric: str
    more_is_better: bool
    value: float
    threshold: float
    champion: Comparison | None = None
    bias: Comparison | None = None
    never_decided: Mapping[str, int] | None = None
    constants: Mapping[str, Comparison] = field(default_factory=dict)
    linear: Comparison | None = None
    calibration: Mapping[str, float] | None = None


def decide(evidence: Evidence, limits: Mapping[str, Any]) -> dict[str, Any]:
    """`limits`: those of the model's Gate."""
    checks = [_threshold(evidence)]
    if evidence.champion is not None:
        checks.append(_champion(evidence.metric, evidence.champion, limits["champion_significance"]))
    if evidence.never_decided is not None:
        checks.append(_every_class(evidence.never_decided, limits["every_class_predicted"]))
    checks += [_constant(metric, found, limits["constant_significance"]) for metric, found in evidence.constants.items()]
    if evidence.bias is not None:
        checks += _bias(evidence.bias, limits)
    if evidence.linear is not None:
        checks.append(_linear(evidence.metric, evidence.value, evidence.linear))
    if evidence.calibration is not None and limits["max_calibration_error"] is not None:
        checks.append(_calibration(evidence.calibration, limits["max_calibration_error"]))
    refusals = [check["detail"] for check in checks if not check["passed"] and check["refuses"]]
    warnings = [check for check in checks if not check["passed"] and not check["refuses"]]
    return {
        "passed": not refusals,
        "reasons": ("; ".join(refusals) or "every check passed")[:LONGEST_REASONS],
        "warnings": [check["detail"] for check in warnings],
        # Two texts for the registry: subjects for the version's metadata, sentences for its model card.
        "warned_of": registry_text.metadata(" + ".join(dict.fromkeys(check["subject"] for check in warnings)) or "none"),
        "caveats": registry_text.card("; ".join(check["detail"] for check in warnings) or "none", LONGEST_CAVEATS),
        "metric": evidence.metric,
        "value": evidence.value,
        "threshold": evidence.threshold,
        "checks": checks,
    }


def _check(name: str, passed: bool, detail: str, *, subject: str = "", refuses: bool = True) -> Check:
    """`subject`: what a warning is about, in two words."""
    return {"name": name, "passed": bool(passed), "refuses": refuses, "subject": subject, "detail": detail}


def _threshold(evidence: Evidence) -> Check:
    metric, value, threshold = evidence.metric, evidence.value, evidence.threshold
    word = "at least" if evidence.more_is_better else "at most"
    detail = (
        f"{metric} is {value:.4g}; {word} {threshold:g} is needed (DataSet.threshold in the model's file, or the parameter MetricThreshold)"
    )
    return _check(f"{metric} {word} {threshold:g}", value >= threshold if evidence.more_is_better else value <= threshold, detail)


def _champion(metric: str, comparison: Comparison, significance: float) -> Check:
    name, share = "not significantly worse than production", comparison["p_not_worse"]
    if share is None:
        return _check(name, True, "the comparison with production is undefined on these rows")
    passed = share >= significance
    verdict = "not significantly worse" if passed else "significantly worse"
    detail = (
        f"{metric} is {_against(comparison['gain'] or 0.0)} production's {comparison['value']:.4g}: {verdict} "
        f"(as good in {share:.1%} of paired resamples; at least {significance:.0%} is needed, Gate.champion_significance)"
    )
    return _check(name, passed, detail)


def _against(gain: float) -> str:
    if gain == 0:
        return "equal to"
    return f"{abs(gain):.4g} {'better' if gain > 0 else 'worse'} than"


def _every_class(never_decided: Mapping[str, int], refuses: bool) -> Check:
    name = "every class is predicted"
    if not never_decided:
        return _check(name, True, "each class of the test rows is predicted for some of them")
    listed = [f"{label!r} ({rows} rows)" for label, rows in list(never_decided.items())[:SHOWN_CLASSES]]
    more = f" and {len(never_decided) - SHOWN_CLASSES} more" if len(never_decided) > SHOWN_CLASSES else ""
    word = "class" if len(never_decided) == 1 else "classes"
    where = "Gate.every_class_predicted in the model's file; DataSet.decision_metric is what the threshold of two classes is fitted for"
    detail = f"never predicted: {word} {', '.join(listed)}{more} of the test rows ({where})"
    return _check(name, False, detail, subject="class never predicted", refuses=refuses)


def _constant(metric: str, comparison: Comparison, significance: float | None) -> Check:
    """One-sided: the model has to show that it is better. Without a significance that is asked of it, this is advice."""
    level, share = 1 - (significance or ADVISED_SIGNIFICANCE), comparison["p_better"]
    detail = (
        f"{metric} is {_against(comparison['gain'] or 0.0)} the {comparison['value']:.4g} of a constant answer "
        f"(better in {share or 0:.1%} of paired resamples; at least {level:.0%} is needed, Gate.constant_significance)"
    )
    passed = share is not None and share >= level
    return _check(f"{metric} better than a constant", passed, detail, subject="constant answer", refuses=significance is not None)


def _linear(metric: str, value: float, comparison: Comparison) -> Check:
    gain, lower, upper = (
        math.nan if number is None else number for number in (comparison["gain"], comparison["lower"], comparison["upper"])
    )
    verdict = "worse" if lower > 0 else "better" if upper < 0 else "as good"
    found = f"{metric} {comparison['value']:.4g} against {value:.4g}, gain {gain:+.3g} with 95 % interval {lower:+.3g} to {upper:+.3g}"
    advice = "" if lower > 0 else "; it is easier to explain, so consider it or find what this model misses (Gate.compare_with_linear)"
    detail = f"a plain linear model is {verdict}: {found}{advice}"
    return _check("better than a linear model", lower > 0, detail, subject="linear model", refuses=False)


def _calibration(calibration: Mapping[str, float], limit: float) -> Check:
    error, by_chance = calibration["error"], calibration["by_chance"]
    passed = error <= max(limit, by_chance)
    verdict = "the probabilities are" if passed else "read the scores as ranks, not as probabilities: they are"
    detail = (
        f"{verdict} off by {error:.3f} on average (expected calibration error); up to {limit:g} is allowed (Gate.max_calibration_error), "
        f"and up to {by_chance:.3f} may be chance on these rows"
    )
    return _check("calibrated probabilities", passed, detail, subject="calibration", refuses=False)


def _bias(bias: Comparison, limits: Mapping[str, Any]) -> list[Check]:
    rules = (
        ("DPPL", "max_difference_in_proportions", "at most {} in absolute value"),
        ("DI", "min_disparate_impact", "at least {} (and at most its inverse)"),
        ("EOD", "max_equal_opportunity_difference", "at most {} in absolute value"),
    )
    checks = []
    for measured, setting, allowed in rules:
        value, limit = bias[measured], limits[setting]
        if limit is None:
            continue
        wanted = allowed.format(f"{limit:g}")
        name = f"bias {measured} {wanted}"
        if value is None:
            detail = f"bias {measured} is undefined: a group has no rows; {wanted} is needed (Gate.{setting})"
            checks.append(_check(name, False, detail))
            continue
        holds = limit <= value <= 1 / limit if measured == "DI" else abs(value) <= limit
        checks.append(_check(name, holds, f"bias {measured} is {value:.3g}; {wanted} is needed (Gate.{setting} in the model's file)"))
    return checks
