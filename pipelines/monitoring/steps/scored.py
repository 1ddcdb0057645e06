"""Reads what a batch model scored: each line is an input row with its prediction at the end.

In: files below `<prefix>[<folder>/]version-<n>/<job>/<name>.out`, which infra/serving/start_scoring starts the jobs for. A file belongs
to the window in which it was written. Out: `Chunk`s; and `Seen`. The id of a row is its file's key, its number that of the line.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import datetime

import answers
import bodies
from captured import Known
from chunks import MOST_BYTES, MOST_REQUESTS, Chunk, Seen, assembled
from request_forms import CSV
from store import GoneError, Item, Store, lines
from takes import Takes
from windows import Calendar, Window

#: Folder in which a deployment is verified (infra/environment/verification.py): its rows are chosen, and no traffic.
CHECKS = "verification/"
_VERSION = re.compile(r"(?:^|/)version-([^/]+)/")


def listed(
    store: Store, prefix: str, first: datetime, last: datetime, calendar: Calendar
) -> tuple[dict[Window, list[Item]], dict[Window | None, list[str]]]:
    """The files of each window that were written from `first` until before `last`, and what no job has written."""
    found: dict[Window, list[Item]] = {}
    foreign: dict[Window | None, list[str]] = {}
    for item in store.list(prefix):
        if not first <= item.modified < last or item.key.startswith(f"{prefix}{CHECKS}"):
            continue
        if _VERSION.search(item.key.removeprefix(prefix)) and item.key.endswith(".out"):
            found.setdefault(calendar.of(item.modified), []).append(item)
        else:
            foreign.setdefault(calendar.of(item.modified), []).append(item.key)
    return found, foreign


class Scored:
    """Reads files and counts in `seen`."""

    def __init__(self, store: Store, known: Known, prefix: str) -> None:
        self._store, self._known, self._prefix = store, known, prefix
        self.seen = Seen()

    def chunks(self, items: Sequence[Item]) -> Iterator[Chunk]:
        """In the order of the files' keys."""
        for item in sorted(items, key=lambda item: item.key):
            named = _VERSION.search(item.key.removeprefix(self._prefix))
            version = named[1] if named else None
            takes = self._known(version) if version else None
            yield from self._file(item, version, takes)

    def _file(self, item: Item, version: str | None, takes: Takes | None) -> Iterator[Chunk]:
        try:
            stream = self._store.read(item.key)
        except GoneError:
            self.seen.gone.append(item.key)
            return
        held: list[tuple[int, str]] = []
        bytes_held = 0
        for number, line in enumerate(lines(stream), start=1):
            if not line.strip():
                continue
            self.seen.requests += 1
            if version is None or takes is None:
                self.seen.unknown[version] += 1
                self.seen.note(f"unknown {version}", f"{item.key} line {number}")
                continue
            held.append((number, line.decode("utf-8", errors="replace").removesuffix("\r")))
            bytes_held += len(line)
            if len(held) >= MOST_REQUESTS or bytes_held >= MOST_BYTES:
                yield from self._read(item, version, takes, held)
                held, bytes_held = [], 0
        if version is not None and takes is not None and held:
            yield from self._read(item, version, takes, held)

    def _read(self, item: Item, version: str, takes: Takes, held: Sequence[tuple[int, str]]) -> Iterator[Chunk]:
        """Plain lines together, and then those that have quotes."""
        for plain in (True, False):
            some = [(number, line) for number, line in held if bodies.is_plain(line) is plain]
            if not some:
                continue
            asked, said = zip(*(_halves(line, takes, plain=plain) for _, line in some), strict=True)
            read = bodies.read(asked, CSV, takes, plain=plain)
            numbers = [number for number, _ in some]
            ids, times = [item.key] * len(some), [item.modified.timestamp()] * len(some)
            chunk, unfit = assembled(version, read, answers.read(said, CSV, takes), ids, times, numbers)
            for place in unfit:
                self.seen.mismatched[version] += 1
                self.seen.note(f"mismatched {version}", f"{item.key} line {numbers[place]}")
                self.seen.blame(version, bodies.faults(asked[place], CSV, takes))
            self.seen.answered[version] += len(some) - len(unfit)
            if chunk.rows.count:
                yield chunk


def _halves(line: str, takes: Takes, *, plain: bool) -> tuple[str, str]:
    """The row and its prediction, each as CSV. What is no CSV is a row without a prediction."""
    width = len(takes.features)
    if plain:
        cells = line.split(",")
        return ",".join(cells[:width]), ",".join(cells[width:])
    try:
        cells = next(csv.reader(io.StringIO(line, newline=""), strict=True))
    except csv.Error:
        return line, ""
    return _as_csv(cells[:width]), _as_csv(cells[width:])


def _as_csv(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
