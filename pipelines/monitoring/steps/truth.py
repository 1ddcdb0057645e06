"""What labels say of judged windows: the realised metric, what groups were treated how, and the answers that a training may learn from.

Labels come long after a window was judged, and again when somebody corrects one. So they are asked of every window that is judged, and,
once the files of labels have changed, of every window with an answer that has one. What was asked of captured requests stays as it was.
Input: findings of a window, its answered rows, the files of labels. Output: the same findings with the truth; learned rows.
Next: realised.py, bias_checks.py, teach.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import bias_checks
import history
import labels as given
import realised
import windows
from evidence import Versions
from findings import plural
from history import Entry
from labels import Labels
from place import Place
from store import GoneError, Store
from takes import Takes
from teach import Teacher
from windows import Window

#: The digest of the files of labels that every window was asked about.
ASKED = "labels.json"
#: As many problems and ids are in the log, and as many ids in that file.
MOST_TOLD, MOST_KEPT = 5, 20
_NOTHING = windows.digest({})
_NEEDS_TRUTH = {name for name, (_, needs_truth) in bias_checks.RULES.items() if needs_truth}


class LabelledWindows:
    """Of one model in one environment. `settings`: monitoring.json; `teacher`: tells the project's account."""

    def __init__(
        self, place: Place, settings: Mapping[str, Any], store: Store, versions: Versions, now: datetime, teacher: Teacher | None = None
    ) -> None:
        self._place, self._settings, self._store, self._versions = place, settings, store, versions
        self._now, self._teacher = now, teacher
        self._given: dict[tuple[str, ...] | None, Labels] = {}

    def _labels(self, takes: Takes) -> Labels:
        """All that there are, read once for all versions with the same classes."""
        if takes.classes not in self._given:
            self._given[takes.classes] = given.read(self._store, self._place.labels_prefix, takes.classes, self._now)
        return self._given[takes.classes]

    @property
    def _of_today(self) -> Takes | None:
        """What the version takes that is deployed; None where nobody ever sent labels, or it has no evidence."""
        deployed = self._place.deployed
        return self._versions.takes(deployed) if deployed and (self._digest, self._asked) != (_NOTHING, _NOTHING) else None

    @cached_property
    def _digest(self) -> str:
        items = given.sent(self._store, self._place.labels_prefix, self._now) if self._place.labels_prefix else ()
        return windows.digest({item.key: item.etag for item in items})

    @cached_property
    def _asked(self) -> str:
        """The digest of the files that the last run has read."""
        try:
            return str(json.loads(self._store.read(self._place.monitoring_prefix + ASKED).read())["files"])
        except GoneError:
            return _NOTHING

    def changed(self, entries: Sequence[Entry]) -> list[Window]:
        """Windows with labels, and those that had some, if the files of labels are others than those that the last run has read."""
        takes = self._of_today
        if self._asked == self._digest or takes is None:
            return []
        folders = realised.windows(self._store, self._windows, self._labels(takes)) if self._labels(takes).known else ()
        labelled = {windows.named(folder.rstrip("/").rsplit("/", 1)[-1]) for folder, _ in folders}
        return sorted(labelled | {history.window_of(entry) for entry in entries if entry["realised"]})

    @property
    def _windows(self) -> str:
        return f"{self._place.monitoring_prefix}windows/"

    def remember(self) -> None:
        """Every window was asked. Says what the files of labels hold, and which answers nobody got."""
        takes = self._of_today
        if takes is None:
            return
        said = self._labels(takes)
        unknown = realised.unknown(self._store, self._windows, said)
        counted = {name: getattr(said, name) for name in ("rows", "corrected", "repeated", "left_out")}
        extra = f"{said.corrected} corrected, {said.repeated} said again, {said.left_out} left out, {len(unknown)} of unknown answers"
        print(f"labels of {len(said.known):,} answers in {plural(said.files, 'file')}: {extra}", flush=True)
        for line in (*said.problems[:MOST_TOLD], *([f"unknown: {', '.join(unknown[:MOST_TOLD])}"] if unknown else ())):
            print(f"  {line}", flush=True)
        ids = {"unknown": len(unknown), "unknown_ids": unknown[:MOST_KEPT]}
        document = {"files": self._digest, **counted, **ids, "problems": said.problems}
        content = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        self._store.write(self._place.monitoring_prefix + ASKED, content.encode(), "application/json")

    def add(self, findings: dict[str, Any], folder: str) -> bool:
        """The truth, in place, of each version of a window (its folder). Whether it is another one than what the findings had."""
        if self._of_today is None:
            return False
        before, digests = findings.get("labels", {}), {}
        for version in findings["versions"]:
            evidence = self._versions.find(version["version"])
            estimator = evidence.documents.get("estimator.json") if evidence else None
            if evidence is None or estimator is None:
                continue
            labelled = realised.join(self._store, folder, version["version"], evidence.takes, self._labels(evidence.takes))
            said = [[*key, label.truth if label.is_known else None, label.reason] for key, label in labelled.labels]
            digests[version["version"]] = hashlib.sha256(json.dumps(sorted(said, key=str)).encode()).hexdigest() if said else ""
            found = realised.judge(labelled, estimator, self._settings["monitoring"])
            version["realised"] = found.document() if found else None
            rows, predicted = labelled.with_truth()
            facet = bias_checks.facet_of(evidence.documents["contract.json"])
            if facet and version["bias"] is not None:
                enough = rows.count >= realised.FEWEST_LABELS
                checked = bias_checks.check(rows, predicted.decided, facet, self._settings["gate"], rows.target) if enough else []
                others = [item for item in version["bias"] if item["metric"] not in _NEEDS_TRUTH]
                version["bias"] = [*others, *(item for item in checked if item["metric"] in _NEEDS_TRUTH)]
        findings["labels"] = digests
        return bool(digests != before)

    def teach(self, folder: str) -> None:
        """Keeps the answers of a window (its folder) whose truth is known, where the model learns from them."""
        takes = self._of_today
        if self._teacher is None or takes is None:
            return
        target, now = str(takes.dataset["target"]), self._now.timestamp()
        known = self._labels(takes).known
        self._teacher.rows(folder, known, classes=takes.classes, features=takes.features, target=target, now=now)
