"""What is remembered of each judged window: one short entry, oldest first, in `history.json`.

It says which windows were judged, with which files (windows.py), and since when a limit has been broken. Input: findings.json of a window.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import windows
from failure import BadInput
from store import GoneError, Store
from windows import Judged, Window

FILE = "history.json"
#: Eight weeks of hourly windows; what was found in older ones stays in their folders.
MOST_WINDOWS = 24 * 7 * 8
#: What ends no row of windows with the same breach, for nothing was judged in it.
NOTHING_JUDGED = ("no traffic", "too few rows", "not judged")

#: What makes a breach the same as one of another window; `check`: which share of the contract, or which metric of bias.
_SAME = ("kind", "feature", "check")

Entry = Mapping[str, Any]


def load(store: Store, prefix: str) -> list[Entry]:
    """Raises BadInput for what is no history."""
    try:
        content = store.read(prefix + FILE).read()
    except GoneError:
        return []
    try:
        entries: list[Entry] = json.loads(content)["windows"]
        judged(entries)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        key = prefix + FILE
        raise BadInput(f"{key} holds no history ({error!r}); move it away, and the windows of the last days are judged again") from None
    return entries


def save(store: Store, prefix: str, entries: Sequence[Entry]) -> None:
    content = json.dumps({"windows": list(entries)}, indent=1, allow_nan=False) + "\n"
    store.write(prefix + FILE, content.encode(), "application/json")


def entry(findings: Mapping[str, Any], files: str, rows: Mapping[str, int]) -> Entry:
    """`files`: digest of what was read; `rows`: of each version, without those of other windows. Of several versions the one with
    the most rows speaks for drift and quality; breaches are those of all."""
    versions = sorted(findings["versions"], key=lambda version: -version["rows"])
    main: Mapping[str, Any] = versions[0] if versions else {}
    return {
        **findings["window"],
        **{name: findings[name] for name in ("judged_at", "status", "requests", "rows", "refused", "pooled_with")},
        "versions": [version["version"] for version in versions],
        "rows_by_version": dict(rows),
        "drift": {item["feature"]: round(item["effect"], 4) for item in main.get("drift") or ()},
        "joint": (main.get("joint") or {}).get("auc"),
        **{name: _numbers(main.get(name)) for name in ("estimate", "realised")},
        "breaches": [{name: breach.get(name) for name in (*_SAME, "version", "since")} for breach in findings["breaches"]],
        "files": files,
        "labels": findings.get("labels", {}),
    }


def _numbers(measured: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: measured.get(name) for name in ("metric", "value", "lower", "upper")} if measured else None


def with_entry(entries: Sequence[Entry], new: Entry) -> list[Entry]:
    """The entry in its place, instead of what an earlier judgement of the window left."""
    others = [item for item in entries if item["from"] != new["from"]]
    return sorted([*others, new], key=lambda item: str(item["from"]))[-MOST_WINDOWS:]


def window_of(item: Entry) -> Window:
    return windows.named(f"{item['from']}--{item['to']}")


def judged(entries: Sequence[Entry]) -> dict[Window, Judged]:
    return {window_of(item): Judged([windows.named(name) for name in item["pooled_with"]], item["files"]) for item in entries}


def since(entries: Sequence[Entry], breach: Mapping[str, Any], window: Window) -> str:
    """Beginning of the first of the windows in a row, up to this one, with the same breach."""
    began = window.first
    for item in sorted((item for item in entries if str(item["from"]) < window.first), key=lambda item: str(item["from"]), reverse=True):
        if item["status"] in NOTHING_JUDGED:
            continue
        if not any(all(known.get(name) == breach.get(name) for name in _SAME) for known in item["breaches"]):
            break
        began = str(item["from"])
    return began
