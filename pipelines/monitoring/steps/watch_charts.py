"""The pictures of the monitoring report, as SVG text inside the page.

Input: entries of history.json and distributions in Model Monitor's layout. Output: SVG. Used by watch_report.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from evaluation.charts import BLUE, GREY, ORANGE, RED, as_svg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

LINES = ("#b3261e", "#d9822b", "#1f5fa8", "#4b8b3b", "#7a4fa3", "#00838f")
MOST_LINES = len(LINES)
MOST_CATEGORIES = 12

WIDE = (8.2, 2.6)
#: Where neither lines nor marks are.
_BESIDE = {"frameon": False, "fontsize": 7, "loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}


def _ends(item: Mapping[str, Any]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(str(item["from"])), datetime.fromisoformat(str(item["to"]))


def _times(history: Sequence[Mapping[str, Any]]) -> list[datetime]:
    """The middle of each window: a point at its beginning would lie on the axis where there is but one."""
    return [start + (end - start) / 2 for start, end in map(_ends, history)]


def _mark(axes: Any, history: Sequence[Mapping[str, Any]], marks: Sequence[Mapping[str, str]]) -> None:
    """Deployments and trainings as upright lines, and windows without traffic as grey bands: a gap is not health."""
    spans = [_ends(item) for item in history]
    for mark in marks:
        at = datetime.fromisoformat(mark["at"])
        if spans and spans[0][0] <= at:
            axes.axvline(at, color=GREY, lw=1, ls=":" if mark["kind"] == "training" else "-", zorder=0)
            axes.annotate(
                mark["label"], (at, 1), xycoords=("data", "axes fraction"), fontsize=7, color="#5b6673", rotation=90, va="top", ha="right"
            )
    for item, span in zip(history, spans, strict=True):
        if item["status"] == "no traffic":
            axes.axvspan(*span, color="#eceff3", zorder=0)
    if spans:
        axes.set_xlim(spans[0][0], spans[-1][1])
    locator = AutoDateLocator(minticks=3, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def drift(history: Sequence[Mapping[str, Any]], limit: float, marks: Sequence[Mapping[str, str]]) -> str:
    """Effect of the features that moved most in any window, by window."""
    highest: dict[str, float] = {}
    for item in history:
        for feature, effect in item["drift"].items():
            highest[feature] = max(highest.get(feature, 0.0), effect)
    shown = sorted(highest, key=lambda feature: (-highest[feature], feature))[:MOST_LINES]
    times = _times(history)

    def draw(axes: Any) -> None:
        for feature, colour in zip(shown, LINES, strict=False):
            axes.plot(times, [item["drift"].get(feature, np.nan) for item in history], "o-", ms=3, lw=1.2, color=colour, label=feature)
        axes.axhline(limit, color=RED, lw=1, ls="--")
        axes.set(ylabel="Jensen–Shannon distance", ylim=(0, max([limit * 1.3, *highest.values()]) * 1.08))
        _mark(axes, history, marks)
        if shown:
            axes.legend(**_BESIDE)

    return as_svg("How far each feature is from training (dashed: the limit)", draw, WIDE)


def quality(history: Sequence[Mapping[str, Any]], metric: str, at_evaluation: float | None, marks: Sequence[Mapping[str, str]]) -> str:
    """The estimate with its interval, and the truth where labels came."""
    times = _times(history)

    def series(name: str, part: str) -> list[float]:
        return [np.nan if not item[name] or item[name][part] is None else item[name][part] for item in history]

    def draw(axes: Any) -> None:
        axes.fill_between(times, series("estimate", "lower"), series("estimate", "upper"), color=BLUE, alpha=0.15, lw=0)
        axes.plot(times, series("estimate", "value"), "o-", ms=3, color=BLUE, lw=1.2, label="estimated without labels")
        values = np.array(series("realised", "value"))
        if not np.isnan(values).all():
            spread = [values - np.array(series("realised", "lower")), np.array(series("realised", "upper")) - values]
            axes.errorbar(times, values, np.clip(spread, 0, None), fmt="D", ms=4, color=ORANGE, lw=1, label="realised, from labels")
        if at_evaluation is not None:
            axes.axhline(at_evaluation, color=GREY, lw=1, ls="--", label="at evaluation")
        axes.set(ylabel=metric)
        _mark(axes, history, marks)
        axes.legend(**_BESIDE)

    return as_svg(f"{metric} by window", draw, WIDE)


def traffic(history: Sequence[Mapping[str, Any]], marks: Sequence[Mapping[str, str]]) -> str:
    def draw(axes: Any) -> None:
        for item in history:
            axes.fill_between(_ends(item), [item["rows"]] * 2, color=BLUE, alpha=0.6, lw=0)
        axes.set(ylabel="answered rows", ylim=(0, max([1, *(item["rows"] for item in history)]) * 1.05))
        _mark(axes, history, marks)

    return as_svg("Traffic by window (grey: none)", draw, (WIDE[0], 1.9))


def distribution(baseline: Mapping[str, Any], window: Mapping[str, Any]) -> str | None:
    """Shares of one feature at training and in the window. None where either has nothing."""
    pairs = _categories(baseline, window) if "string_statistics" in baseline else _buckets(baseline, window)
    if pairs is None:
        return None
    names, before, now = pairs

    def draw(axes: Any) -> None:
        places = np.arange(len(names))
        axes.bar(places - 0.2, before, 0.4, color=GREY, label="training")
        axes.bar(places + 0.2, now, 0.4, color=RED, label="this window")
        axes.set_xticks(places, names, rotation=30 if max(map(len, names)) > 4 else 0, ha="right" if max(map(len, names)) > 4 else "center")
        axes.set(ylabel="share of rows")
        axes.legend(frameon=False, fontsize=7)

    return as_svg(str(baseline["name"]), draw, (4.3, 2.7))


Shares = tuple[list[str], list[float], list[float]]


def _shares(counts: Sequence[float], missing: float) -> list[float]:
    total = sum(counts) + missing
    return [count / total if total else 0.0 for count in (*counts, missing)]


def _missing(feature: Mapping[str, Any]) -> float:
    return float((feature.get("numerical_statistics") or feature.get("string_statistics") or {}).get("common", {}).get("num_missing", 0))


def _categories(baseline: Mapping[str, Any], window: Mapping[str, Any]) -> Shares | None:
    def counts(feature: Mapping[str, Any]) -> dict[str, float]:
        found = (feature.get("string_statistics") or {}).get("distribution", {}).get("categorical", {}).get("buckets", [])
        return {str(bucket["value"]): float(bucket["count"]) for bucket in found}

    before, now = counts(baseline), counts(window)
    ranked = sorted({*before, *now}, key=lambda value: (-max(before.get(value, 0), now.get(value, 0)), value))[:MOST_CATEGORIES]
    if not ranked:
        return None
    names = [*ranked, "missing"]
    return (
        names,
        _shares([before.get(value, 0.0) for value in ranked], _missing(baseline)),
        _shares([now.get(value, 0.0) for value in ranked], _missing(window)),
    )


def _buckets(baseline: Mapping[str, Any], window: Mapping[str, Any]) -> Shares | None:
    def buckets(feature: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = (
            (feature.get("numerical_statistics") or {}).get("distribution", {}).get("kll", {}).get("buckets", [])
        )
        return found

    before, now = buckets(baseline), buckets(window)
    if not before or len(before) != len(now):
        return None
    names = [f"≥ {bucket['lower_bound']:.3g}" for bucket in before]
    names[0] = f"< {before[0]['upper_bound']:.3g}" if len(before) > 1 else "all"
    return (
        [*names, "missing"],
        _shares([float(bucket["count"]) for bucket in before], _missing(baseline)),
        _shares([float(bucket["count"]) for bucket in now], _missing(window)),
    )
