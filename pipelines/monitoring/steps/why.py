"""Why a model should be trained again, for the project's account: what the watch over one environment finds, in one small document.

Input: findings.json of the windows that were judged last. Output: `feedback/<model>/<environment>.json` of the project's data bucket.
Two read it: infra/model/start_retraining/handler.py, which may have had nothing to learn from when an alarm began, and
tabular/steps/evaluation/why_now.py for the approver's page. Called by monitor.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

#: Kinds of breaches by the alarm that they set off (infra/drift_metrics.py): training again may help against these.
ALARMS = {"drift": ("drift", "joint"), "quality": ("estimate", "quality", "attributions")}
#: As many windows are told, the newest.
MOST_WINDOWS = 24
#: As many limits of one window are told; its report has them all.
MOST_BREACHES = 20
_JUDGED = ("ok", "breached")
_KINDS = tuple(kind for kinds in ALARMS.values() for kind in kinds)


def why(findings: Sequence[Mapping[str, Any]], report: Callable[[Mapping[str, Any]], str], told_at: str) -> dict[str, Any] | None:
    """`findings`: of one model in one environment, in any order, each window once. `report`: the address of a window's, by its `window`.
    `told_at`: the time of the run that tells.

    None where nothing was judged yet. `alarms`: those that the newest judged window sets off, or the newest one whose truth is known, if
    the same version answers still; none: production is well again.
    """
    judged = sorted((found for found in findings if found["status"] in _JUDGED), key=lambda found: str(found["window"]["from"]))
    if not judged:
        return None
    newest = judged[-1]
    broken = [found for found in judged if _breaches(found)]
    standing = [*_breaches(newest), *_of_the_truth(judged, newest)]
    now = {breach["kind"] for breach in standing}
    return {
        "model": newest["model"],
        "environment": newest["environment"],
        "window": newest["window"],
        "judged_at": newest["judged_at"],
        "told_at": told_at,
        "alarms": [alarm for alarm, kinds in ALARMS.items() if now & set(kinds)],
        "since": min((str(breach["since"]) for breach in standing), default=None),
        "windows": [_window(found, report) for found in broken[-MOST_WINDOWS:]],
        "estimate": _newest(judged, "estimate"),
        "realised": _newest(judged, "realised"),
        "labels": sum(_labels(found) for found in judged),
        "answers": sum(found["rows"] for found in judged),
        "report": report(newest["window"]),
    }


def _of_the_truth(judged: Sequence[Mapping[str, Any]], newest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What labels say of the newest window that has some: they come when newer ones have been judged without."""
    answering = {version["version"] for version in newest["versions"]}
    for found in reversed(judged):
        if any(version.get("realised") for version in found["versions"]):
            return [breach for breach in found["breaches"] if breach["kind"] == "quality" and breach["version"] in answering]
    return []


def keep(store: Any, key: str, document: Mapping[str, Any] | None) -> bool:
    """Writes the document if it is another one than what is there: each write asks whether to train. `key`: ServingNames.feedback."""
    if document is None:
        return False
    content = (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()
    if any(item.key == key and _same(store.read(key).read(), document) for item in store.list(key)):
        return False
    store.write(key, content, "application/json")
    return True


def _same(content: bytes, document: Mapping[str, Any]) -> bool:
    """But for when it was told."""
    try:
        return bool({**json.loads(content), "told_at": document["told_at"]} == json.loads(json.dumps(document)))
    except (ValueError, TypeError, RecursionError):
        return False


def _breaches(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [breach for breach in found["breaches"] if breach["kind"] in _KINDS]


def _window(found: Mapping[str, Any], report: Callable[[Mapping[str, Any]], str]) -> dict[str, Any]:
    shown = [{name: breach[name] for name in ("kind", "feature", "version", "detail")} for breach in _breaches(found)]
    about = {**found["window"], "rows": found["rows"], "report": report(found["window"])}
    return {**about, "breaches": shown[:MOST_BREACHES], "more": max(0, len(shown) - MOST_BREACHES)}


def _newest(judged: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any] | None:
    """The last that was found, of the version that answered most of that window."""
    for found in reversed(judged):
        for version in sorted(found["versions"], key=lambda item: -item["rows"]):
            if version.get(name):
                return {**version[name], "version": version["version"], "window": found["window"]}
    return None


def _labels(found: Mapping[str, Any]) -> int:
    return sum((version.get("realised") or {}).get("labels", 0) for version in found["versions"])
