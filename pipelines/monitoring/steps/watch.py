"""Judges windows of what one model was asked in one environment, and what labels say of them; writes and tells what was found.

Input: a `Store` with the environment's keys, the evidence of versions, the time. Output: see monitor.py. The order: a window's requests
(judges.py), its truth (truth.py), what is broken (outcome.py), its report (watch_page.py), metrics and people (publish.py).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import captured
import history
import judges
import outcome
import scored
import statistics_file
import watch_page
import why
import windows
from answered import FOLDER as ANSWERED
from answered import Keeper
from captured import Captured
from chunks import Seen
from dataset import Rows
from decisions import Predictions
from evidence import Versions
from failure import BadInput
from findings import plural
from history import Entry
from judges import Case, Tell
from place import Place
from scored import Scored
from sketch import Sketch
from store import GoneError, Item, Store, document
from teach import Teacher
from truth import LabelledWindows
from windows import Calendar, Window

FINDINGS, FILES = "findings.json", "files.json"
#: What the report shows beside the findings (watch_page.py).
SHOWN = "shown.json"
_FEWEST_ROWS = 200


@dataclass
class _Reading:
    """One window while it is read: its rows by version, and what else its files held."""

    reader: Captured | Scored
    sketches: dict[str, Sketch] = field(default_factory=dict)


@dataclass(frozen=True)
class _Files:
    """What a window was judged with: the digest of its files, its rows by version, and the cases; None where it was not judged now."""

    digest: str
    rows_by_version: Mapping[str, int]
    cases: Mapping[str, Case] | None


class Watch:
    """One model in one environment."""

    def __init__(
        self, place: Place, settings: Mapping[str, Any], store: Store, versions: Versions, now: datetime, teacher: Teacher | None = None
    ) -> None:
        """`settings`: monitoring.json. `now`: the time that counts. `teacher`: tells the project's account."""
        self.store = store
        self._place, self._settings, self.versions, self._now, self._teacher = place, settings, versions, now, teacher
        self._limits: Mapping[str, Any] = settings["monitoring"]
        self._calendar = Calendar(int(self._limits["window_hours"]))
        self._min_rows = int(self._limits.get("min_rows", _FEWEST_ROWS))
        self._references: dict[str, tuple[Rows, Predictions] | None] = {}
        self._unusable: dict[str, str] = {}
        self._files: dict[Window, list[Item]] = {}
        self._foreign: dict[Window | None, list[str]] = {}

    def run(self, asked: tuple[datetime, datetime] | None = None, tell: Tell | None = None) -> list[dict[str, Any]]:
        """Judges what is due, or what is asked for, the oldest first, and what labels have come for; returns the findings.

        A window is in the history once all is written and told of it: what fails on its way is judged again by the next run.
        """
        entries = history.load(self.store, self._place.monitoring_prefix)
        folder = f"{self._place.monitoring_prefix}windows/"
        there = (name.removeprefix(folder).rstrip("/") for name in self.store.folders(folder))
        self._calendar = Calendar.beside(self._calendar.hours, there)
        todo = self._todo(asked, entries)
        answered = [version for entry in reversed(entries) for version in entry["versions"]]
        labelled = LabelledWindows(self._place, self._settings, self.store, self.versions, self._now, self._teacher, answered)
        known = history.judged(entries)
        again = [] if asked else [window for window in labelled.changed(entries) if window in known and window not in todo]
        newest = max([*todo, *known], default=None)
        found, gone = [], []
        for window in sorted([*todo, *again]):
            try:
                findings, files = self._judge(window, entries) if window in todo else self._judged_before(window, entries)
                before: Mapping[str, Any] = next((entry.get("labels", {}) for entry in entries if entry["from"] == window.first), {})
                if not labelled.add(findings, self._prefix_of(window), before) and window in again:
                    continue  # the labels that have changed are of other windows
                entry = self._conclude(window, findings, files, entries)
            except GoneError as missing:
                if window in todo:
                    raise
                gone.append(missing)
                continue
            print("\n  ".join(outcome.summary(findings)), flush=True)
            labelled.teach(self._prefix_of(window))
            entries = history.with_entry(entries, entry)
            if tell:
                tell(findings, self._truth(entries) if window == newest else None)
            history.save(self.store, self._place.monitoring_prefix, entries)
            found.append(findings)
        relabelled = [findings for findings in found if windows.named(_name(findings["window"])) in again]
        if tell and relabelled and newest is not None and _name(found[-1]["window"]) != newest.name:
            # What labels said of an earlier window counts for now, too.
            with suppress(GoneError):
                tell(self._findings(newest), self._truth(entries))
        if not found:
            print("nothing is due: every window that is over was judged with the files that there are")
        if gone:
            print(f"{plural(len(gone), 'window')} stay as they were judged, whatever new labels say: {gone[0]} is gone, and the like")
        if not asked:
            labelled.remember()
        self._say_why(entries)
        return found

    def _conclude(self, window: Window, findings: dict[str, Any], files: _Files, entries: Sequence[Entry]) -> Entry:
        """What is broken, now that all is known; and writes it."""
        prefix = self._prefix_of(window)
        findings["breaches"] = outcome.breaches(findings["versions"], entries, window)
        findings["status"] = outcome.status(
            findings["requests"], findings["versions"], is_broken=bool(findings["breaches"]), is_unread=findings["unread"]
        )
        plain: dict[str, Any] = judges.plain(findings)
        findings.update(plain)
        if files.cases is None:
            kept = document(self.store, prefix + SHOWN, "examples", "distributions", "made_at")
        else:
            kept = judges.plain(watch_page.shown(findings, files.cases))
            self._write(prefix + SHOWN, kept)
        self._write(prefix + "constraint_violations.json", outcome.violations(findings["breaches"]))
        self._write(prefix + FINDINGS, findings)
        entry = history.entry(findings, files.digest, files.rows_by_version)
        until = [item for item in history.with_entry(entries, entry) if str(item["from"]) <= window.first]
        page = watch_page.page(findings, until, kept, self._limits)
        self.store.write(prefix + "report.html", page.encode(), "text/html; charset=utf-8")
        return entry

    def _judged_before(self, window: Window, entries: Sequence[Entry]) -> tuple[dict[str, Any], _Files]:
        """What was said of it, for labels to be added. Raises GoneError where some of what was kept of it is gone: that expires before the
        window's entry in the history, and rows that are gone have no truth that could be taken back.
        """
        entry = next(item for item in entries if item["from"] == window.first)
        prefix = self._prefix_of(window)
        findings = self._findings(window)
        there = {item.key for item in self.store.list(prefix)}
        for name in document(self.store, prefix + FILES, "answered")["answered"]:
            if prefix + ANSWERED + name not in there:
                raise GoneError(prefix + ANSWERED + name)
        return {**findings, "judged_at": self._judged_at}, _Files(entry["files"], entry["rows_by_version"], None)

    @property
    def _judged_at(self) -> str:
        return f"{self._now:%Y-%m-%dT%H:%M:%SZ}"

    def _say_why(self, entries: Sequence[Entry]) -> None:
        """To the project's account, which decides whether to train again; last, because it wakes what decides."""
        if self._teacher is None:
            return
        found = []
        for entry in entries[-why.MOST_WINDOWS :]:
            with suppress(GoneError):  # findings expire, and the history stays
                found.append(self._findings(history.window_of(entry)))
        self._teacher.explain(found, self._place.monitoring_prefix, self._judged_at)

    def _truth(self, entries: Sequence[Entry]) -> dict[str, Any]:
        """Findings of the newest window of which the truth is known: it comes late, and is the truth of what answers now all the same."""
        for entry in reversed(entries):
            if entry["realised"]:
                with suppress(GoneError):
                    return self._findings(history.window_of(entry))
        return {}

    def _todo(self, asked: tuple[datetime, datetime] | None, entries: Sequence[Entry]) -> list[Window]:
        """Lists the files, as far back as a window may be judged together with others. Raises BadInput if no window asked for is over."""
        judged, now = history.judged(entries), self._now
        first = self._calendar.of(asked[0] if asked else now - windows.CAUGHT_UP)
        listed = self._list([first, *self._calendar.pooled(first)][-1].start, self._calendar.of(asked[1] if asked else now).end)
        self._files, self._foreign = listed
        etags = {window: {item.key: item.etag for item in items} for window, items in self._files.items()}
        todo = self._calendar.between(*asked, now) if asked else windows.due(now, self._calendar, etags, judged)
        if asked and not todo:
            raise BadInput(f"no window of {self._calendar.hours} hours between --from and --to is over; the first ends at {first.last}")
        return [window for window in todo if window not in judged or self._has_its_files(window, etags)]

    def _has_its_files(self, window: Window, etags: Mapping[Window, Mapping[str, str]]) -> bool:
        """Whether all is still there that the window was judged with. If not, what was said of it stays, and so do its answered rows."""
        try:
            before = document(self.store, self._prefix_of(window) + FILES, "files", "pooled_with")
        except GoneError:  # what was written of the window expires, too
            return True
        there = windows.together(etags, [window, *map(windows.named, before["pooled_with"])])
        gone = [key for key in before["files"] if key not in there]
        if gone:
            print(f"{window.name} stays as it was judged: {gone[0]} is gone" + (f", and {len(gone) - 1} more" if len(gone) > 1 else ""))
        return not gone

    def _prefix_of(self, window: Window) -> str:
        return f"{self._place.monitoring_prefix}windows/{window.name}/"

    def _list(self, first: datetime, last: datetime) -> tuple[dict[Window, list[Item]], dict[Window | None, list[str]]]:
        if self._place.capture_prefix:
            return captured.listed(self.store, self._place.capture_prefix, first, last, self._calendar)
        return scored.listed(self.store, str(self._place.predictions_prefix), first, last, self._calendar)

    def _reader(self) -> Captured | Scored:
        if self._place.capture_prefix:
            return Captured(self.store, self.versions.takes, self._place.deployed)
        return Scored(self.store, self.versions.takes, str(self._place.predictions_prefix))

    def _judge(self, window: Window, entries: Sequence[Entry]) -> tuple[dict[str, Any], _Files]:
        """What is said of its requests; writes what is asked of them later."""
        prefix = self._prefix_of(window)
        keeper = Keeper(self.store, prefix)
        reading = _Reading(self._reader())
        self._read(reading, window, keeper)
        keeper.close()
        own = reading.sketches
        pooled, together, seen = self._pool(window, reading, entries)
        cases = {version: self._case(version, sketch, seen) for version, sketch in sorted(together.items())}
        versions = [self._version(version, case) for version, case in cases.items()]
        here = reading.reader.seen
        findings = {
            "model": self._place.model,
            "environment": self._place.environment,
            "window": {"from": window.first, "to": window.last},
            "judged_at": self._judged_at,
            "status": "",
            "reasons": [
                *outcome.reasons(here, self._others(window), self.versions.missing, versions, self._min_rows),
                *(f"version {version}: {self._unusable[version]}" for version in sorted(together) if version in self._unusable),
                *(f"version {version} {why}" for version, case in cases.items() for why in case.evidence.unusable),
            ],
            "requests": here.requests,
            "rows": sum(sketch.rows for sketch in own.values()),
            "refused": here.refused.total(),
            "unread": outcome.unread(here, self._foreign.get(window, [])),
            "versions": versions,
            "pooled_with": [added.name for added in pooled],
            "breaches": [],
        }
        etags = {each: {item.key: item.etag for item in items} for each, items in self._files.items()}
        files = windows.together(etags, [window, *pooled])
        self._write(prefix + "statistics.json", judges.plain(statistics_file.document(list(own.values()))))
        self._write(prefix + FILES, {"files": files, "pooled_with": findings["pooled_with"], "answered": keeper.written})
        by_version = {version: sketch.rows for version, sketch in sorted(own.items())}
        return findings, _Files(windows.digest(files), by_version, cases)

    def _others(self, window: Window) -> list[str]:
        """What is not this model's, in the places of this window or anywhere."""
        return sorted(self._foreign.get(None, []) + self._foreign.get(window, []))

    def _read(self, reading: _Reading, window: Window, keeper: Keeper | None = None, only: Sequence[str] | None = None) -> None:
        """`only`: the versions whose rows count."""
        for chunk in reading.reader.chunks(self._files.get(window, [])):
            version = str(chunk.version)
            if only is not None and version not in only:
                continue
            evidence = self.versions.find(version)
            if evidence is None:
                continue
            if version not in reading.sketches:
                reading.sketches[version] = Sketch.begin(evidence, self._reference(version))
            reading.sketches[version].add(chunk)
            if keeper:
                keeper.keep(chunk, evidence.takes)

    def _pool(self, window: Window, reading: _Reading, entries: Sequence[Entry]) -> tuple[list[Window], dict[str, Sketch], Seen]:
        """Adds the rows of the windows before to versions that have too few: those windows, the rows by version, and what was refused."""
        together = dict(reading.sketches)
        seen = reading.reader.seen
        for version in seen.refused:
            evidence = self.versions.find(version) if version else None
            if evidence and evidence.version not in together:  # nothing but refusals
                together[evidence.version] = Sketch.begin(evidence, self._reference(evidence.version))
        short = [version for version, sketch in together.items() if sketch.rows < self._min_rows]
        if not short:
            return [], together, seen
        together = {version: copy.deepcopy(sketch) if version in short else sketch for version, sketch in together.items()}
        seen, added = copy.deepcopy(seen), []
        known = {history.window_of(entry): entry["rows_by_version"] for entry in entries}
        for before in self._calendar.pooled(window):
            short = [version for version in short if together[version].rows < self._min_rows]
            if not short:
                break
            if before not in self._files or (before in known and not any(known[before].get(version) for version in short)):
                continue
            earlier = _Reading(self._reader(), {version: together[version] for version in short})
            rows = sum(together[version].rows for version in short)
            self._read(earlier, before, only=short)
            if sum(together[version].rows for version in short) > rows:
                seen.add(earlier.reader.seen)
                added.append(before)
        return added, together, seen

    def _case(self, version: str, sketch: Sketch, seen: Seen) -> Case:
        evidence = self.versions.find(version)
        if evidence is None:  # a sketch begins with the evidence
            raise AssertionError(version)
        refused = seen.refused[version]
        requests = refused + seen.answered[version] + seen.mismatched[version]
        return Case(
            evidence,
            sketch,
            self._reference(version),
            seen.faults.get(version),
            refused,
            requests,
            self._settings,
            partial(self.versions.served, version),
        )

    def _version(self, version: str, case: Case) -> dict[str, Any]:
        """What is said about it: nothing of few rows, and of few rows with many refused requests only what the contract says."""
        rows = case.sketch.rows
        kinds = judges.ALL if rows >= self._min_rows else judges.CONTRACT if case.requests >= self._min_rows else ()
        return {"version": version, "rows": rows, **judges.judge(case, kinds)}

    def _reference(self, version: str) -> tuple[Rows, Predictions] | None:
        if version not in self._references:
            evidence = self.versions.find(version)
            try:
                self._references[version] = judges.reference(evidence) if evidence else None
            except BadInput as unusable:
                self._references[version], self._unusable[version] = None, str(unusable)
        return self._references[version]

    def _write(self, key: str, document: Mapping[str, Any]) -> None:
        content = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        self.store.write(key, content.encode(), "application/json")

    def _findings(self, window: Window) -> dict[str, Any]:
        """What was said of a window. Raises GoneError."""
        return document(self.store, self._prefix_of(window) + FINDINGS, "window", "status", "versions", "breaches", "unread")


def _name(window: Mapping[str, str]) -> str:
    return f"{window['from']}--{window['to']}"
