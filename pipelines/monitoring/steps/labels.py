"""The truth that came later, and what people said of answers: all files of labels together, the newest of which has the last word.

Columns: `inference_id` (of the request), `truth`; and where needed `row` (of a request with several, from 1), `reason` (a person's
feedback) and `observed_at` (ISO 8601). A truth is held to the version's contract: a class that it knows, or a finite number. Used by the
monitor on `labels/<model>/**.csv` of an environment's bucket, where a bad row is left out and named, and by the project's
send_labels.py, which uploads no file that has one. Each file: label_rows.py; where all are kept: known_labels.py. Next: `realised.py`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from cells import shown
from failure import BadInput
from known_labels import Key, KnownLabels, Label
from label_rows import ID, REASON, TRUTH, LabelFile
from store import GoneError
from windows import KEPT

#: Signs of a key that name the file on disk, whose names have up to 255 bytes.
LONGEST_FILE_NAME = 60
#: As many problems of all files together are kept; all are counted.
MOST_PROBLEMS = 1_000
_AT_ONCE = 10_000


@dataclass
class Labels:
    """What all files together say. The newest file has the last word about an answer.

    `corrected`: labels whose truth a newer file has changed. `repeated`: rows that say again what was known, in the same or a newer file.
    `left_out`: rows that say nothing that can be used; `problems`: why, by file, the first of them.
    """

    known: KnownLabels = field(default_factory=KnownLabels)
    files: int = 0
    rows: int = 0
    corrected: int = 0
    repeated: int = 0
    left_out: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, path: Path, classes: Sequence[str] | None, now: datetime, name: str = "", sent_at: float = 0.0) -> None:
        """The next newer file. What is wrong with the whole of it leaves it out. `name`: before each of its problems."""
        file, before = LabelFile(path, classes, now, MOST_PROBLEMS), f"{name}: " if name else ""
        self.files += 1
        try:
            self.known.stage(file.read())
        except BadInput as error:
            self.problems.append(before + str(error).removeprefix(f"{path.name}: "))
            return
        self.rows += file.rows
        self.left_out += file.problems
        self.repeated += self.known.take(sent_at)
        agreed = self._agreed(file, sent_at)
        while some := dict(islice(agreed, _AT_ONCE)):
            self._merge(some)
        self.problems += [before + problem for problem in file.told()[: max(0, MOST_PROBLEMS - len(self.problems))]]

    def _agreed(self, file: LabelFile, sent_at: float) -> Iterator[tuple[Key, Label]]:
        """What a file says of an answer twice, unless it contradicts itself, or otherwise than an older one."""
        for first, *others in self.known.contested(sent_at):
            different = [row for row in others if not row.label.says_the_same(first.label)]
            self.repeated += len(others) - len(different)
            if not different:
                yield first.key, first.label
                continue
            self.left_out += 1 + len(different)
            before = file.place(first.place)
            for row in different:
                file.say(row.place, f"{ID} {shown(row.key[0])} has another {TRUTH} or {REASON} than on {before}; say it once")

    def _merge(self, newer: Mapping[Key, Label]) -> None:
        """What a newer file leaves open stays as it was: feedback has no truth, and a truth no reason."""
        older = self.known.of(key[0] for key in newer)
        changed = {}
        for key, label in newer.items():
            before = older.get(key)
            if before is None:
                changed[key] = label
            elif before.says_the_same(label):
                self.repeated += 1
            else:
                self.corrected += before.is_known and label.is_known
                truth = label.truth if label.is_known else before.truth
                changed[key] = Label(truth, label.reason or before.reason, label.observed_at, label.sent_at)
        self.known.put(changed)


def read(store: Any, prefix: str, classes: Sequence[str] | None, now: datetime) -> Labels:
    """All files below a prefix, the oldest first. `classes`: of the version; None of a regression. `now`: nothing was observed later."""
    labels = Labels()
    for item in sorted(sent(store, prefix, now), key=lambda item: (item.modified, item.key)):
        if item.key.lower().endswith(".csv"):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / item.key.rsplit("/", 1)[-1][-LONGEST_FILE_NAME:]
                try:
                    stream = store.read(item.key)
                except GoneError:
                    continue  # deleted since it was listed: the next run sees other files
                with path.open("wb") as file:
                    shutil.copyfileobj(stream, file)
                labels.add(path, classes, now, item.key, item.modified.timestamp())
    return labels


def sent(store: Any, prefix: str, now: datetime) -> list[Any]:
    """The files that were there by `now`, which is when the run began: a later one is the next run's, whole, with what it says of later.

    Files from before the oldest answer that may be kept say nothing of any: a window may be judged again as long as its requests are kept,
    and its answered rows are kept as long from then on.
    """
    return [item for item in store.list(prefix) if now - 2 * KEPT < item.modified <= now]


def reasons(labels: Iterator[tuple[Key, Label]] | Sequence[tuple[Key, Label]], most: int = 20) -> list[dict[str, Any]]:
    """What people said of answers, the most frequent first: the reason, how often, and a few of the answers."""
    counted: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    for (name, _), label in labels:
        if label.reason:
            counted[label.reason] += 1
            some = examples.setdefault(label.reason, [])
            if len(some) < 3 and name not in some:
                some.append(name)
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [{"reason": reason, "count": count, "inference_ids": examples[reason]} for reason, count in ranked[:most]]
