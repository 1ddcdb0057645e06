"""Watches what production was asked and has answered: judges the windows that are due, each version by its own baseline.

Input: files of captured requests, or of what a batch model scored (place.py says where); `--now`; `--from` and `--to` for windows that are
to be judged by hand, again if need be. Output: `windows/<from>--<to>/` with findings.json, statistics.json, constraint_violations.json,
answered/*.parquet and files.json, and history.json, below the model's prefix. A breach is no failure of this job: exit code 0.
Next: publish.py tells metrics and people.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import captured
import failure
import history
import judges
import later
import outcome
import place as places
import scored
import statistics_file
import windows
from answered import Keeper
from captured import Captured
from chunks import Seen
from dataset import Rows
from decisions import Predictions
from evidence import FolderSource, RegistrySource, Source, Versions
from failure import BadInput
from history import Entry
from judges import Case, Tell
from later import Later
from place import Place
from scored import Scored
from sketch import Sketch
from store import FolderStore, GoneError, Item, S3Store, Store
from windows import Window

#: What `--from` and `--to` are where nobody gave them.
DUE = ("", "due")
_FEWEST_ROWS = 200


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--now", required=True, help="the time that counts, ISO 8601 or epoch seconds")
    arguments.add_argument("--from", dest="start", default="due", help="judge windows from here, ISO 8601 in UTC; default: what is due")
    arguments.add_argument("--to", dest="end", default="due", help="and until here")
    arguments.add_argument("--settings", type=Path, help="monitoring.json; default: the one beside this script")
    arguments.add_argument("--folder", type=Path, help="a folder with the bucket's keys, instead of the bucket")
    arguments.add_argument("--evidence", type=Path, help="a folder with one of evidence for each version, instead of the registry")
    return arguments


def main(argv: list[str]) -> None:
    options = parser().parse_args(argv)
    now = _moment("--now", options.now)
    asked = _asked(options.start, options.end, now)
    place, settings = Place.of(os.environ), places.settings(options.settings)
    watch = _watch(options, place, settings)
    watch.run(now, asked, None if options.folder else judges.teller(watch.store, os.environ))


def _watch(options: argparse.Namespace, place: Place, settings: Mapping[str, Any]) -> Watch:
    if options.folder:
        source: Source = FolderSource(options.evidence or options.folder / "evidence")
        return Watch(place, settings, FolderStore(options.folder), Versions(source))
    import boto3  # takes long to import

    s3 = boto3.client("s3")
    versions = Versions(RegistrySource(boto3.client("sagemaker"), s3, place.package))
    return Watch(place, settings, S3Store(s3, place.bucket, place.key or None), versions)


def _moment(option: str, text: str) -> datetime:
    """Raises BadInput."""
    try:
        if text.replace(".", "", 1).isdecimal():
            return datetime.fromtimestamp(float(text), UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise BadInput(f"{option} is {text!r}; allowed: a time such as 2026-11-27T10:00Z") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _asked(start: str, end: str, now: datetime) -> tuple[datetime, datetime] | None:
    """Raises BadInput."""
    if start in DUE and end in DUE:
        return None
    if start in DUE or end in DUE:
        raise BadInput("give both --from and --to, or neither for the windows that are due")
    asked = _moment("--from", start), _moment("--to", end)
    if not asked[0] < asked[1]:
        raise BadInput(f"--from is {start} and --to is {end}; allowed: a --from before --to")
    if asked[0] >= now:
        raise BadInput(f"--from is {start}, which is not over at {now:%Y-%m-%dT%H:%MZ}")
    return asked


def _second(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class _Reading:
    """One window while it is read: its rows by version, and what else its files held."""

    reader: Captured | Scored
    sketches: dict[str, Sketch] = field(default_factory=dict)


class Watch:
    """One model in one environment."""

    def __init__(self, place: Place, settings: Mapping[str, Any], store: Store, versions: Versions) -> None:
        self.store = store
        self._place, self._settings, self._versions = place, settings, versions
        limits = settings["monitoring"]
        self._later = Later(store, versions, settings, place.labels_prefix)
        self._hours = int(limits["window_hours"])
        self._min_rows = int(limits.get("min_rows", _FEWEST_ROWS))
        self._references: dict[str, tuple[Rows, Predictions] | None] = {}
        self._unusable: dict[str, str] = {}
        self._files: dict[Window, list[Item]] = {}
        self._foreign: dict[Window | None, list[str]] = {}

    def run(self, now: datetime, asked: tuple[datetime, datetime] | None = None, tell: Tell | None = None) -> list[dict[str, Any]]:
        """Judges what is due, or what is asked for, the oldest first; returns the findings.

        A window is in the history once all is written and told of it: what fails on its way is judged again by the next run.
        """
        entries = history.load(self.store, self._place.monitoring_prefix)
        todo = self._todo(now, asked, entries)
        newest = max([*todo, *history.judged(entries)], default=None)
        found = []
        for window in todo:
            findings, entry = self._judge(window, now, entries)
            print("\n  ".join(outcome.summary(findings)), flush=True)
            if tell:
                tell(findings, window == newest)
            entries = history.with_entry(entries, entry)
            history.save(self.store, self._place.monitoring_prefix, entries)
            found.append(findings)
        self._add_truth(now, entries, newest, tell)
        if not todo:
            print("nothing is due: every window that is over was judged with the files that there are")
        return found

    def _add_truth(self, now: datetime, entries: Sequence[Entry], newest: Window | None, tell: Tell | None) -> None:
        """Where labels have come: what they say of all windows that were judged without them."""
        state, folder = f"{self._place.monitoring_prefix}labels.json", f"{self._place.monitoring_prefix}windows/"
        files = later.digest(self.store, self._place.labels_prefix)
        if not files or later.known(self.store, state) == files:
            return
        for window, changed in self._later.findings(self.store.folders(folder), now):
            found = outcome.breaches(changed["versions"], entries, window)
            calm = "ok" if changed["status"] == "breached" else changed["status"]
            findings = judges.plain({**changed, "judged_at": _second(now), "breaches": found, "status": "breached" if found else calm})
            self._write(self._prefix_of(window) + "constraint_violations.json", outcome.violations(findings["breaches"]))
            self._write(self._prefix_of(window) + "findings.json", findings)
            print("with labels: " + "\n  ".join(outcome.summary(findings)), flush=True)
            if tell:
                tell(findings, window == newest)
            old = next((entry for entry in entries if history.window_of(entry) == window), None)
            if old:
                entries = history.with_entry(entries, history.entry(findings, old["files"], old["rows_by_version"]))
                history.save(self.store, self._place.monitoring_prefix, entries)
        self._write(state, self._later.summary(files, folder))

    def _todo(self, now: datetime, asked: tuple[datetime, datetime] | None, entries: Sequence[Entry]) -> list[Window]:
        """Lists the files, as far back as a window may be judged together with others. Raises BadInput if no window asked for is over."""
        judged = history.judged(entries)
        first = windows.of(asked[0] if asked else now - windows.CAUGHT_UP, self._hours)
        listed = self._list(windows.pooled(first)[-1].start, windows.of(asked[1] if asked else now, self._hours).end)
        self._files, self._foreign = listed
        etags = {window: {item.key: item.etag for item in items} for window, items in self._files.items()}
        todo = windows.between(*asked, self._hours, now) if asked else windows.due(now, self._hours, etags, judged)
        if asked and not todo:
            raise BadInput(f"no window of {self._hours} hours between --from and --to is over; the first ends at {first.last}")
        return [window for window in todo if window not in judged or self._has_its_files(window, etags)]

    def _has_its_files(self, window: Window, etags: Mapping[Window, Mapping[str, str]]) -> bool:
        """Whether all is still there that the window was judged with. If not, what was said of it stays, and so do its answered rows."""
        try:
            before = json.loads(self.store.read(f"{self._prefix_of(window)}files.json").read())
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
            return captured.listed(self.store, self._place.capture_prefix, first, last, self._hours)
        return scored.listed(self.store, str(self._place.predictions_prefix), first, last, self._hours)

    def _reader(self) -> Captured | Scored:
        if self._place.capture_prefix:
            return Captured(self.store, self._versions.takes, self._place.deployed)
        return Scored(self.store, self._versions.takes, str(self._place.predictions_prefix))

    def _judge(self, window: Window, now: datetime, entries: Sequence[Entry]) -> tuple[dict[str, Any], Entry]:
        prefix = self._prefix_of(window)
        keeper = Keeper(self.store, prefix)
        reading = _Reading(self._reader())
        self._read(reading, window, keeper)
        keeper.close()
        own = reading.sketches
        pooled, together, seen = self._pool(window, reading, entries)
        versions = [self._version(version, sketch, seen) for version, sketch in sorted(together.items())]
        if later.digest(self.store, self._place.labels_prefix):
            versions = [self._later.version(version, prefix, now) for version in versions]
        found = outcome.breaches(versions, entries, window)
        rows = sum(sketch.rows for sketch in own.values())
        here = reading.reader.seen
        findings = judges.plain(
            {
                "model": self._place.model,
                "environment": self._place.environment,
                "window": {"from": window.first, "to": window.last},
                "judged_at": _second(now),
                "status": outcome.status(here.requests, versions, bool(found)),
                "reasons": [
                    *outcome.reasons(here, self._others(window), self._versions.missing, versions, self._min_rows),
                    *(f"version {version}: {self._unusable[version]}" for version in sorted(together) if version in self._unusable),
                ],
                "requests": here.requests,
                "rows": rows,
                "refused": here.refused.total(),
                "versions": versions,
                "pooled_with": [added.name for added in pooled],
                "breaches": found,
            }
        )
        etags = {each: {item.key: item.etag for item in items} for each, items in self._files.items()}
        files = windows.together(etags, [window, *pooled])
        self._write(prefix + "statistics.json", judges.plain(statistics_file.document(list(own.values()))))
        self._write(prefix + "constraint_violations.json", outcome.violations(findings["breaches"]))
        self._write(prefix + "findings.json", findings)
        self._write(prefix + "files.json", {"files": files, "pooled_with": findings["pooled_with"], "answered": keeper.written})
        by_version = {version: sketch.rows for version, sketch in sorted(own.items())}
        return findings, history.entry(findings, windows.digest(files), by_version)

    def _others(self, window: Window) -> list[str]:
        """What is not this model's, in the places of this window or anywhere."""
        return sorted(self._foreign.get(None, []) + self._foreign.get(window, []))

    def _read(self, reading: _Reading, window: Window, keeper: Keeper | None = None, only: Sequence[str] | None = None) -> None:
        """`only`: the versions whose rows count."""
        for chunk in reading.reader.chunks(self._files.get(window, [])):
            version = str(chunk.version)
            if only is not None and version not in only:
                continue
            evidence = self._versions.find(version)
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
            evidence = self._versions.find(version) if version else None
            if evidence and evidence.version not in together:  # nothing but refusals
                together[evidence.version] = Sketch.begin(evidence, self._reference(evidence.version))
        short = [version for version, sketch in together.items() if sketch.rows < self._min_rows]
        if not short:
            return [], together, seen
        together = {version: copy.deepcopy(sketch) if version in short else sketch for version, sketch in together.items()}
        seen, added = copy.deepcopy(seen), []
        known = {history.window_of(entry): entry["rows_by_version"] for entry in entries}
        for before in windows.pooled(window):
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

    def _version(self, version: str, sketch: Sketch, seen: Seen) -> dict[str, Any]:
        """What is said about it: nothing of few rows, and of few rows with many refused requests only what the contract says."""
        evidence = self._versions.find(version)
        if evidence is None:  # a sketch begins with the evidence
            raise AssertionError(version)
        refused = seen.refused[version]
        requests = refused + seen.answered[version] + seen.mismatched[version]
        case = Case(evidence, sketch, self._reference(version), seen.faults.get(version), refused, requests, self._settings)
        kinds = judges.ALL if sketch.rows >= self._min_rows else judges.CONTRACT if requests >= self._min_rows else ()
        return {"version": version, "rows": sketch.rows, **judges.judge(case, kinds)}

    def _reference(self, version: str) -> tuple[Rows, Predictions] | None:
        if version not in self._references:
            evidence = self._versions.find(version)
            try:
                self._references[version] = judges.reference(evidence) if evidence else None
            except BadInput as unusable:
                self._references[version], self._unusable[version] = None, str(unusable)
        return self._references[version]

    def _write(self, key: str, document: Mapping[str, Any]) -> None:
        content = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        self.store.write(key, content.encode(), "application/json")


if __name__ == "__main__":
    failure.run(main)
