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
from store import GoneError, Store, document
from takes import Takes
from teach import Teacher
from windows import Window

#: The digest of the files of labels that every window was asked about.
ASKED = "labels.json"
#: As many problems and ids are in the log, and as many of each in that file.
MOST_TOLD, MOST_KEPT = 5, 1_000
_NOTHING = windows.digest({})
_NEEDS_TRUTH = {name for name, (_, needs_truth) in bias_checks.RULES.items() if needs_truth}


class LabelledWindows:
    """Of one model in one environment. `settings`: monitoring.json; `teacher`: tells the project's account."""

    def __init__(
        self,
        place: Place,
        settings: Mapping[str, Any],
        store: Store,
        versions: Versions,
        now: datetime,
        teacher: Teacher | None = None,
        answered: Sequence[str] = (),
    ) -> None:
        """`answered`: the versions that have, the newest first."""
        self._place, self._settings, self._store, self._versions = place, settings, store, versions
        self._now, self._teacher, self._answered = now, teacher, answered
        self._given: dict[tuple[str, ...] | None, Labels] = {}
        self._has_looked_everywhere = self._has_added = False
        self._newly_answered = 0

    def _labels(self, takes: Takes) -> Labels:
        """All that there are, read once for all versions with the same classes."""
        if takes.classes not in self._given:
            self._given[takes.classes] = given.read(self._store, self._place.labels_prefix, takes.classes, self._now)
        return self._given[takes.classes]

    @cached_property
    def _takes(self) -> Takes | None:
        """What the version takes that is deployed, or the newest one that answered and has evidence: a version goes on serving when it was
        deleted from the registry. None where nobody ever sent labels, or no version has any.
        """
        if (self._digest, self._asked) == (_NOTHING, _NOTHING):
            return None
        versions = dict.fromkeys([*([self._place.deployed] if self._place.deployed else []), *self._answered])
        found = next((takes for version in versions if (takes := self._versions.takes(version)) is not None), None)
        if found is None:
            print("labels wait: no version that is deployed or has answered has evidence, by which they could be read", flush=True)
        return found

    @cached_property
    def _digest(self) -> str:
        items = given.sent(self._store, self._place.labels_prefix, self._now) if self._place.labels_prefix else ()
        return windows.digest({item.key: item.etag for item in items})

    @cached_property
    def _before(self) -> Mapping[str, Any]:
        """What the last run said of the files of labels. Of what is damaged nothing is known: every window is asked again."""
        try:
            return document(self._store, self._place.monitoring_prefix + ASKED, "files", "unknown", "unknown_ids")
        except GoneError:
            return {"files": _NOTHING, "unknown": 0, "unknown_ids": []}

    @property
    def _asked(self) -> str:
        """The digest of the files that the last run has read."""
        return str(self._before["files"])

    def changed(self, entries: Sequence[Entry]) -> list[Window]:
        """Windows with labels, and those that had some, if the files of labels are others than those that the last run has read."""
        takes = self._takes
        if self._asked == self._digest or takes is None:
            return []
        labelled = {windows.named(folder.rstrip("/").rsplit("/", 1)[-1]) for folder in self._look_everywhere(takes)}
        return sorted(labelled | {history.window_of(entry) for entry in entries if entry["realised"]})

    def _look_everywhere(self, takes: Takes) -> list[str]:
        """The folders of the windows in which an answer has a label."""
        self._has_looked_everywhere = True
        return list(realised.windows(self._store, f"{self._place.monitoring_prefix}windows/", self._labels(takes)))

    def remember(self) -> None:
        """Every window was asked. Says what the files of labels hold, and which answers nobody got; nothing if nothing has changed."""
        takes = self._takes
        if takes is None or (self._asked == self._digest and not self._has_added):
            return
        said, (unknown_count, unknown) = self._labels(takes), self._unknown(takes)
        counted = {name: getattr(said, name) for name in ("rows", "corrected", "repeated", "left_out")}
        extra = f"{said.corrected} corrected, {said.repeated} said again, {said.left_out} left out, {unknown_count} of unknown answers"
        print(f"labels of {len(said.known):,} answers in {plural(said.files, 'file')}: {extra}", flush=True)
        for line in (*said.problems[:MOST_TOLD], *([f"unknown: {', '.join(unknown[:MOST_TOLD])}"] if unknown else ())):
            print(f"  {line}", flush=True)
        ids = {"unknown": unknown_count, "unknown_ids": unknown}
        about = {"files": self._digest, **counted, **ids, "problems": said.problems[:MOST_KEPT]}
        content = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
        self._store.write(self._place.monitoring_prefix + ASKED, content.encode(), "application/json")

    def _unknown(self, takes: Takes) -> tuple[int, list[str]]:
        """How many labels belong to no answered row of any judged window, and the ids of the first. Of files that were read before only
        the windows of this run can have them: not every window is read in every run. Where there were more than were named, a late file
        of a window that was judged before counts only once the files of labels have changed.
        """
        known = self._labels(takes).known
        if self._asked == self._digest:
            count, named = known.unmet(MOST_KEPT, self._before["unknown_ids"])
            is_whole = self._before["unknown"] == len(self._before["unknown_ids"])
            return count if is_whole else max(count, self._before["unknown"] - self._newly_answered), named
        if not self._has_looked_everywhere:
            self._look_everywhere(takes)
        return known.unmet(MOST_KEPT)

    def add(self, findings: dict[str, Any], folder: str, before: Mapping[str, str]) -> bool:
        """The truth, in place, of each version of a window (its folder). Whether it is another one than the one that all was told of.

        `before`: `labels` of the window's entry in the history, which comes last of all that is written: what a run that failed on its way
        has written of the same labels is written, learned and told again. Raises GoneError where answered rows are gone.
        """
        if (takes := self._takes) is None:
            return False
        self._has_added = True
        answered = realised.answered(self._store, folder, self._labels(takes))
        self._newly_answered += 0 if before else answered
        digests = {}
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
        takes = self._takes
        if self._teacher is None or takes is None:
            return
        target, now = str(takes.dataset["target"]), self._now.timestamp()
        known = self._labels(takes).known
        self._teacher.rows(folder, known, classes=takes.classes, features=takes.features, target=target, now=now)
