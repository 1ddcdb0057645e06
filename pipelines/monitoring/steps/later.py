"""What labels say about windows that were judged without them: the truth of an answer may come weeks later.

In: the label files, and the answered rows of windows that were judged. Out: the findings of each window with a label, with `realised` and
what of bias only the truth shows. Joined and judged by `labels.py`, `realised.py` and `bias_checks.py`. Used by `monitor.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import judges
import windows
from evidence import Evidence, Versions
from store import GoneError, Store
from windows import Window

#: As many ids that nobody was answered with are named.
MOST_IDS = 20


def digest(store: Store, prefix: str) -> str:
    """Changes when a label file comes, goes or is another; empty where labels are not read."""
    if not prefix or judges.module("labels") is None:
        return ""
    return windows.digest({item.key: item.etag for item in store.list(prefix)})


def known(store: Store, key: str) -> str:
    """The digest of the label files that were read last; empty if none were."""
    try:
        return str(json.loads(store.read(key).read())["files"])
    except GoneError:
        return ""


class Later:
    """`settings`: monitoring.json; `prefix`: of the label files."""

    def __init__(self, store: Store, versions: Versions, settings: Mapping[str, Any], prefix: str) -> None:
        self._store, self._versions, self._settings, self._prefix = store, versions, settings, prefix
        self._given: dict[tuple[str, ...] | None, Any] = {}

    def findings(self, prefixes: Sequence[str], now: datetime) -> Iterator[tuple[Window, dict[str, Any]]]:
        """Of each of these windows about which labels say something that its findings do not have."""
        for prefix in prefixes:
            try:
                before = json.loads(self._store.read(f"{prefix}findings.json").read())
            except GoneError:
                continue
            after = {**before, "versions": [self.version(version, prefix, now) for version in before["versions"]]}
            if after != before:
                yield windows.named(prefix.rstrip("/").rpartition("/")[2]), after

    def version(self, before: Mapping[str, Any], prefix: str, now: datetime) -> dict[str, Any]:
        """What findings.json has of a version in the window at `prefix`, with what labels say of its answered rows."""
        evidence = self._versions.find(before["version"])
        estimator = evidence.documents.get("estimator.json") if evidence else None
        if evidence is None or estimator is None:
            return dict(before)
        realised = judges.module("realised")
        given = self._labels(evidence, now)
        labelled = realised.join(self._store, prefix, before["version"], evidence.takes, given)
        found = realised.judge(labelled, estimator, self._settings["monitoring"])
        if found is None:
            return dict(before)
        rows, predicted = labelled.with_truth()
        bias = judges.bias(evidence, rows, predicted, self._settings, rows.target)
        # What needs no truth was judged on more rows.
        kept = [item for item in before["bias"] or () if not judges.needs_truth(item["metric"])]
        known = {item["metric"] for item in kept}
        together = [*kept, *(item for item in bias or () if item["metric"] not in known)]
        after: dict[str, Any] = judges.plain({**before, "realised": found.document(), "bias": together or None})
        return after

    def _labels(self, evidence: Evidence, now: datetime) -> Any:
        """All that there are, read once for all versions with the same classes."""
        classes = evidence.takes.classes
        if classes not in self._given:
            self._given[classes] = judges.module("labels").read(self._store, self._prefix, classes, now)
        return self._given[classes]

    def summary(self, files: str, folder: str) -> dict[str, Any]:
        """What was read of labels. `files`: their digest; `folder`: of all windows, which know who was answered."""
        given = list(self._given.values())
        counted = {name: sum(getattr(labels, name) for labels in given) for name in ("rows", "corrected", "repeated", "left_out")}
        unknown = sorted({each for labels in given for each in judges.module("realised").unknown(self._store, folder, labels)})
        problems = sorted({problem for labels in given for problem in labels.problems})
        return {"files": files, **counted, "unknown": len(unknown), "unknown_ids": unknown[:MOST_IDS], "problems": problems}
