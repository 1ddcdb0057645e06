"""Reads what data capture wrote: JSON lines with the request, the answer, and when it was.

In: files at `<prefix><variant>/yyyy/mm/dd/hh/<name>.jsonl` (UTC). A file belongs to the window of its hour, so each is read in one
window, whenever it arrives. Layout and line: SageMaker Developer Guide, "Capture data from real-time endpoint" and "View captured data".
Which version answered stands in the content type of the answer (`model-version=12`, see inference.py).

What capture holds of a request that the model refused AWS does not document (the guide shows answered ones only). So all that can be
is read: an answer of no kind of answer_forms.py, as a refusal of inference.py is text, is a refused request; one without an answer is
refused if inference.py's rules refuse it. Where nothing is captured of them, there is nothing to count here, and
CloudWatch's Invocation4XXErrors has them.
Out: `Chunk`s; and `Seen`, what else is in the files. Next: `sketch.py`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import answers
import bodies
from answer_forms import KINDS
from chunks import MOST_BYTES, MOST_REQUESTS, Chunk, Seen, assembled
from request_forms import CSV
from store import GoneError, Item, Store, lines
from takes import Takes
from windows import Calendar, Window

_YEAR = re.compile(r"\d{4}/")
_HOUR = re.compile(r"(?P<hour>\d{4}/\d\d/\d\d/([01]\d|2[0-3]))/")
_FILE = re.compile(r"[^/]+\.jsonl")
_VERSION, _ANSWER_ID = (re.compile(rf";\s*{name}=([^;\s]+)") for name in ("model-version", "answer-id"))
#: Inference ids of requests that are no traffic: of a deployment's verification, whose rows are chosen, and of load tests
#: (build_scripts/invocation.py, packages/capacity/capacity/measure.py).
CHECKS = ("check--", "load-test--")

#: Folder of the variant in production's shadow (settings_schema/names.py): copies of requests, whose answers nobody got.
SHADOW = "Shadow/"

#: What is known of a version's requests; None where it has no evidence.
Known = Callable[[str], Takes | None]


def listed(
    store: Store, prefix: str, first: datetime, last: datetime, calendar: Calendar
) -> tuple[dict[Window, list[Item]], dict[Window | None, list[str]]]:
    """The files of each window whose hours are from `first` until before `last`, and what is no capture of this endpoint
    (None: whole folders).

    `prefix`: of the endpoint, with a slash at its end. Days are listed one by one: weeks of files stay unlisted.
    """
    found: dict[Window, list[Item]] = {}
    foreign: dict[Window | None, list[str]] = {}
    days = sorted({f"{hour:%Y/%m/%d}/" for hour in Window(first, last).hours()})
    for variant in (folder for folder in store.folders(prefix) if folder != prefix + SHADOW):
        others = [folder for folder in store.folders(variant) if not _YEAR.fullmatch(folder.removeprefix(variant))]
        foreign.setdefault(None, []).extend(others)
        for day, item in ((own, item) for own in days for item in store.list(variant + own)):
            below = item.key.removeprefix(variant)
            named = _HOUR.match(below)
            hour = datetime.strptime(named["hour"] if named else f"{day}12", "%Y/%m/%d/%H").replace(tzinfo=UTC)
            if named is None or not _FILE.fullmatch(below, named.end()):
                foreign.setdefault(calendar.of(hour), []).append(item.key)
            elif first <= hour < last:
                found.setdefault(calendar.of(hour), []).append(item)
    return found, foreign


@dataclass
class _Group:
    """Requests that are read together: of one version, and of one form."""

    bodies: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    places: list[str] = field(default_factory=list)


_Form = tuple[str, str, bool, str]


@dataclass(frozen=True)
class _Event:
    """One captured line. `kind` and `answer_kind` are content types without parameters; `answer` None: there is none."""

    body: str
    kind: str
    answer: str | None
    answer_kind: str
    version: str | None
    id: str
    time: float


class Captured:
    """Reads files and counts in `seen`. `deployed`: the version that a refused request is held against when none answered before it."""

    def __init__(self, store: Store, known: Known, deployed: str | None) -> None:
        self._store, self._known, self._deployed = store, known, deployed
        self._groups: dict[_Form, _Group] = {}
        self._requests = self._bytes = 0
        self.seen = Seen()

    def chunks(self, items: Sequence[Item]) -> Iterator[Chunk]:
        """In the order of the files' keys, so the same files give the same chunks."""
        for item in sorted(items, key=lambda item: item.key):
            yield from self._file(item)
        yield from self._flush()

    def _file(self, item: Item) -> Iterator[Chunk]:
        try:
            stream = self._store.read(item.key)
        except GoneError:
            self.seen.gone.append(item.key)
            return
        last = self._deployed
        for number, line in enumerate(lines(stream), start=1):
            if not line.strip():
                continue
            place = f"{item.key} line {number}"
            try:
                event = _event(line, place)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                self.seen.unreadable_lines += 1
                self.seen.note("unreadable", place)
                continue
            if event.id.startswith(CHECKS):
                self.seen.checks += 1
                continue
            last = event.version or last
            self._take(event, last, place)
            self._bytes += len(line)
            if self._requests >= MOST_REQUESTS or self._bytes >= MOST_BYTES:
                yield from self._flush()

    def _take(self, event: _Event, last: str | None, place: str) -> None:
        self.seen.requests += 1
        if event.answer is None or event.answer_kind not in KINDS:
            self._refusal(event, last, place)
            return
        takes = self._known(event.version) if event.version else None
        if event.version is None or takes is None:
            self.seen.unknown[event.version] += 1
            self.seen.note(f"unknown {event.version}", place)
            return
        group = self._groups.setdefault(
            (event.version, event.kind, event.kind == CSV and bodies.is_plain(event.body), event.answer_kind), _Group()
        )
        group.bodies.append(event.body)
        group.answers.append(event.answer)
        group.ids.append(event.id)
        group.times.append(event.time)
        group.places.append(place)
        self._requests += 1

    def _refusal(self, event: _Event, version: str | None, place: str) -> None:
        """Of a request that has no answer of the model: it was refused, or its answer was not captured."""
        takes = self._known(version) if version else None
        found = bodies.faults(event.body, event.kind, takes) if takes else None
        if event.answer is None and not (found and (found.any or not found.rows)):
            self.seen.unanswered += 1
            self.seen.note("unanswered", place)
            return
        self.seen.refused[version] += 1
        self.seen.note("refused", place)
        if version and found:
            self.seen.blame(version, found)

    def _flush(self) -> Iterator[Chunk]:
        groups, self._groups = self._groups, {}
        self._requests = self._bytes = 0
        for (version, kind, plain, answer_kind), group in groups.items():
            takes = self._known(version)
            if takes is None:  # `_take` lets none in
                raise AssertionError(version)
            read = bodies.read(group.bodies, kind, takes, plain=plain)
            answered = answers.read(group.answers, answer_kind, takes)
            chunk, unfit = assembled(version, read, answered, group.ids, group.times)
            for place in unfit:
                self.seen.mismatched[version] += 1
                self.seen.note(f"mismatched {version}", group.places[place])
                self.seen.blame(version, bodies.faults(group.bodies[place], kind, takes))
            self.seen.answered[version] += len(group.ids) - len(unfit)
            if chunk.rows.count:
                yield chunk


def _event(line: bytes, place: str) -> _Event:
    """Raises ValueError, KeyError, TypeError, AttributeError or RecursionError for what is no captured request."""
    record = json.loads(line)
    request, answer = record["captureData"]["endpointInput"], record["captureData"].get("endpointOutput")
    about: dict[str, Any] = record.get("eventMetadata") or {}
    said = (answer or {}).get("observedContentType") or ""
    version, answer_id = _VERSION.search(said), _ANSWER_ID.search(said)
    return _Event(
        body=_text(request),
        kind=_kind(request.get("observedContentType") or ""),
        answer=_text(answer) if answer else None,
        answer_kind=_kind(said),
        version=version[1] if version else None,
        id=_storable(str(about.get("inferenceId") or (answer_id and answer_id[1]) or about.get("eventId") or place)),
        time=_seconds(about.get("inferenceTime") or _hour(place)),
    )


def _text(captured: dict[str, Any]) -> str:
    """Base64 as the container decodes it, which puts U+FFFD in place of what is not UTF-8."""
    data: str = captured["data"]
    if captured.get("encoding") == "BASE64":
        try:
            return base64.b64decode(data, validate=True).decode("utf-8", errors="replace")
        except binascii.Error as error:
            raise ValueError(data) from error
    if not isinstance(data, str):
        raise TypeError(data)
    return data


def _storable(text: str) -> str:
    """Half of a surrogate pair, which JSON can hold, is `?`: no file takes it."""
    return text.encode(errors="replace").decode()


def _hour(place: str) -> str:
    year, month, day, hour = place.split("/")[-5:-1]
    return f"{year}-{month}-{day}T{hour}:00:00Z"


def _kind(content_type: str) -> str:
    """Without parameters."""
    return content_type.partition(";")[0].strip().lower()


@lru_cache(maxsize=100_000)
def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
