"""What labels say of judged windows: the realised metric, what groups were treated how, and the answers that a training may learn from.

Labels come long after a window was judged, and again when somebody corrects one. So they are asked of every window that is judged, and,
once the files of labels have changed, of every window with an answer that has one. What was asked of captured requests stays as it was.
Input: findings of a window, its answered rows, the files of labels. Output: the same findings with the truth; learned rows.
Next: realised.py, bias_checks.py, learned.py.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import bias_checks
import labels as given
import learned
import realised
import windows
from evidence import Versions
from findings import plural
from labels import Labels
from learned import Truth
from place import Place
from pyarrow import parquet
from store import GoneError, Store
from windows import Window

#: The digest of the files of labels that every window was asked about.
ASKED = "labels.json"
_NEEDS_TRUTH = {name for name, (_, needs_truth) in bias_checks.RULES.items() if needs_truth}


class LabelledWindows:
    """Of one model in one environment. `settings`: monitoring.json; `taught`: the project's data bucket, if answers are learned from."""

    def __init__(
        self, place: Place, settings: Mapping[str, Any], store: Store, versions: Versions, now: datetime, taught: Store | None = None
    ) -> None:
        self._place, self._settings, self._store, self._versions = place, settings, store, versions
        self._now, self._taught = now, taught

    @cached_property
    def labels(self) -> Labels:
        takes = self._versions.takes(self._place.deployed) if self._place.deployed else None
        if takes is None or not self._place.labels_prefix:
            return Labels()
        return given.read(self._store, self._place.labels_prefix, takes.classes, self._now)

    @cached_property
    def _digest(self) -> str:
        items = self._store.list(self._place.labels_prefix) if self._place.labels_prefix else ()
        return windows.digest({item.key: item.etag for item in items})

    def changed(self) -> list[Window]:
        """Windows with labels, if the files of labels are others than those that the last run has read."""
        try:
            before = json.loads(self._store.read(self._place.monitoring_prefix + ASKED).read())["digest"]
        except GoneError:
            before = windows.digest({})
        if before == self._digest:
            return []
        folders = realised.windows(self._store, f"{self._place.monitoring_prefix}windows/", self.labels)
        return [windows.named(folder.rstrip("/").rsplit("/", 1)[-1]) for folder, _ in folders]

    def remember(self) -> None:
        """Every window was asked."""
        document = {"digest": self._digest, "labels": len(self.labels.known), "unknown": self._unknown()}
        self._store.write(self._place.monitoring_prefix + ASKED, (json.dumps(document, indent=1) + "\n").encode(), "application/json")

    def _unknown(self) -> int:
        """How many labels are of no answer that was ever judged."""
        if not self.labels.known:
            return 0
        found = realised.unknown(self._store, f"{self._place.monitoring_prefix}windows/", self.labels)
        if found:
            named = ", ".join(found[:3])
            print(f"labels: {len(found)} are of no answer that was judged so far, such as {named}", flush=True)
        return len(found)

    def tell(self) -> None:
        """One line on what was sent, and one for each problem."""
        said = self.labels
        if said.files:
            extra = f"{said.corrected} corrected, {said.repeated} said again, {said.left_out} left out"
            print(f"labels: {len(said.known):,} answers in {plural(said.files, 'file')}: {extra}", flush=True)
            print("".join(f"  {problem}\n" for problem in said.problems[:10]), end="", flush=True)

    def add(self, findings: dict[str, Any], folder: str) -> None:
        """The truth, in place, of each version of a window (its folder)."""
        if not self.labels.known:
            return
        for version in findings["versions"]:
            evidence = self._versions.find(version["version"])
            estimator = evidence.documents.get("estimator.json") if evidence else None
            if evidence is None or estimator is None:
                continue
            labelled = realised.join(self._store, folder, version["version"], evidence.takes, self.labels)
            found = realised.judge(labelled, estimator, self._settings["monitoring"])
            version["realised"] = found.document() if found else None
            rows, predicted = labelled.with_truth()
            facet = self._settings.get("facet")
            if facet and version["bias"] is not None and rows.count >= realised.FEWEST_LABELS:
                checked = bias_checks.check(rows, predicted.decided, facet, self._settings["gate"], rows.target)
                others = [item for item in version["bias"] if item["metric"] not in _NEEDS_TRUTH]
                version["bias"] = [*others, *(item for item in checked if item["metric"] in _NEEDS_TRUTH)]

    def learn(self, window: Window, folder: str) -> None:
        """Writes the answers of a window whose truth is known, where the model learns from them."""
        takes = self._versions.takes(self._place.deployed) if self._place.deployed else None
        if self._taught is None or takes is None or not (self.labels.known and self._settings.get("learn_from_answers")):
            return
        parts = [item.key for item in self._store.list(f"{folder}answered/") if item.key.endswith(".parquet")]
        tables = [parquet.read_table(io.BytesIO(self._store.read(key).read())) for key in parts]
        features, target = takes.features, str(takes.dataset["target"])
        rows = learned.learn(tables, self._truths(takes.classes), features=features, target=target, now=self._now.timestamp())
        new = learned.keep(self._taught, self._place.learned_prefix, window.name, rows)
        if new:
            left = "".join(f"; {count} left out: {why}" for why, count in rows.left_out.items())
            print(f"{window.name}: {new:,} answers to learn from{left}", flush=True)

    def _truths(self, classes: Sequence[str] | None) -> dict[tuple[str, int], Truth]:
        known = {key: label for key, label in self.labels.known.items() if label.is_known}
        if classes is None:
            return {key: Truth(label.truth, label.observed_at) for key, label in known.items()}
        return {key: Truth(classes[int(label.truth)], label.observed_at) for key, label in known.items()}
