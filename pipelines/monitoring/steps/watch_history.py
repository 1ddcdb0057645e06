"""What the report and the next run remember of each judged window: one short entry, oldest first, in `history.json`.

Input: findings.json of a window. Output: entries of at most some hundred bytes a feature, so that a year of hourly windows is one small
file. Next: watch_report.py, which draws it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: Windows that are kept: more than a year of hourly ones would make a page that nobody opens.
MOST_WINDOWS = 24 * 7 * 8
_NUMBERS = ("metric", "value", "lower", "upper")


def entry(findings: Mapping[str, Any]) -> dict[str, Any]:
    """Of several versions in one window the one with the most rows speaks for estimate and drift; breaches are those of all."""
    versions = sorted(findings["versions"], key=lambda version: -version["rows"])
    main: Mapping[str, Any] = versions[0] if versions else {}
    return {
        "from": findings["window"]["from"],
        "to": findings["window"]["to"],
        "status": findings["status"],
        "requests": findings["requests"],
        "rows": findings["rows"],
        "versions": [version["version"] for version in versions],
        "drift": {item["feature"]: round(item["effect"], 4) for item in main.get("drift") or []},
        "joint": _rounded((main.get("joint") or {}).get("auc")),
        "estimate": _numbers(main.get("estimate")),
        "realised": _numbers(main.get("realised")),
        "breaches": [{name: breach[name] for name in ("kind", "feature", "version")} for breach in findings["breaches"]],
    }


def with_entry(history: Sequence[Mapping[str, Any]], findings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The history with this window in its place, instead of what an earlier judgement of it said."""
    new = entry(findings)
    others = [dict(item) for item in history if item["from"] != new["from"]]
    return sorted([*others, new], key=lambda item: str(item["from"]))[-MOST_WINDOWS:]


def since(history: Sequence[Mapping[str, Any]], breach: Mapping[str, Any], window_from: str) -> str:
    """Beginning of the first window in an unbroken row, up to this one, that had the same breach. Windows without traffic break no row."""
    began = window_from
    for item in reversed([item for item in history if item["from"] < window_from]):
        if item["status"] in ("no traffic", "too few rows", "not judged"):
            continue
        if not any((found["kind"], found["feature"]) == (breach["kind"], breach["feature"]) for found in item["breaches"]):
            break
        began = item["from"]
    return began


def _numbers(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not found or found.get("value") is None:
        return None
    return {name: _rounded(found.get(name)) if name != "metric" else found["metric"] for name in _NUMBERS}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
