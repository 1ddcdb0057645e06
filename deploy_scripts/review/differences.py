"""What changed since the version in production: data, columns, preparation, code, libraries, hyperparameters. Pure.

Input: the `Evidence` of both. Output: `Change`s, only of what differs. Used by facts.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from build_scripts.recorded_lineage import pairs
from deploy_scripts.review.evidence import Evidence

NONE = "–"
_LONGEST = 60
#: What a version says of its data, its code and itself, in the words of the page.
_FACTS = {
    "data-url": ("data", "from"),
    "data-versions": ("data", "files"),
    "data-sources": ("data", "rows by source"),
    "data-split": ("data", "split"),
    "data-sha256": ("data", "content (sha256)"),
    "algorithm": ("model", "algorithm"),
    "fitted-on": ("model", "fitted on rows of"),
    "decision-metric": ("model", "threshold fitted for"),
    "decision-threshold": ("model", "decision threshold"),
    "threshold": ("model", "limit of the gate"),
    "code-sha256": ("code", "content (sha256)"),
    "image": ("code", "image"),
}
#: Of the data set in the contract; what it says of columns is compared column by column.
_DATASET = ("problem", "target", "positive_class", "facet", "identifier", "metric")


class Change(NamedTuple):
    """`about`: data, columns, preparation, model, code, libraries, hyperparameters."""

    about: str
    what: str
    before: str
    after: str


def changes(production: Evidence, candidate: Evidence) -> list[Change]:
    """None without a version to compare with."""
    if production.version is None or candidate.version is None:
        return []
    both = production, candidate
    found = [
        *_rows(*both),
        *(Change(*_FACTS[name], before, after) for name, before, after in _differing(production.facts, candidate.facts, _FACTS)),
        *_columns(*(item.contract.get("dataset") or {} for item in both)),
        *_settings(*(item.contract for item in both)),
        *_listed("libraries", *(item.facts for item in both)),
        *_listed("hyperparameters", *(item.facts for item in both)),
        *_scripts(candidate),
    ]
    return [change._replace(before=_short(change.before), after=_short(change.after)) for change in found]


def _differing(before: Mapping[str, Any], after: Mapping[str, Any], names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for name in names:
        if before.get(name) != after.get(name):
            yield name, _text(before.get(name)), _text(after.get(name))


def _rows(production: Evidence, candidate: Evidence) -> Iterator[Change]:
    before, after = (item.evaluation.get("rows") or {} for item in (production, candidate))
    for name, was, now in _differing(before, after, sorted({*before, *after})):
        yield Change("data", f"{name} rows", was, now)


def _columns(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """New ones, gone ones, and what one may hold. Without both contracts there is nothing to compare."""
    if not before or not after:
        return
    old, new = (_by_name(dataset) for dataset in (before, after))
    for name in (*new, *(name for name in old if name not in new)):
        if name not in old or name not in new:
            yield Change("columns", name, _kind(old.get(name)), _kind(new.get(name)))
            continue
        for field, was, now in _differing(old[name], new[name], sorted({*old[name], *new[name]})):
            yield Change("columns", f"{name}: {field}", was, now)
    for field, was, now in _differing(before, after, _DATASET):
        yield Change("columns", field.replace("_", " "), was, now)


def _by_name(dataset: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {column["name"]: {**column, "kind": kind} for kind in ("numeric", "categorical") for column in dataset.get(kind) or []}


def _kind(column: Mapping[str, Any] | None) -> str:
    return str(column["kind"]) if column else NONE


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    if not before or not after:
        return
    old, new = (_flat(contract.get("preparation") or {}) for contract in (before, after))
    for name, was, now in _differing(old, new, sorted({*old, *new})):
        yield Change("preparation", name, was, now)
    if before.get("classes") != after.get("classes"):
        yield Change("columns", "classes", _text(before.get("classes")), _text(after.get("classes")))


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """`{"split": {"test": 0.15}}` as `{"split.test": 0.15}`."""
    if not isinstance(value, Mapping):
        return {path: value}
    found: dict[str, Any] = {}
    for name, item in value.items():
        found |= _flat(item, f"{path}.{name}" if path else str(name))
    return found


def _listed(kind: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    """Where the registry had to cut the text (256 characters), only that it differs can be said."""
    if before.get(kind) == after.get(kind):
        return
    old, new = (pairs(facts.get(kind, "")) for facts in (before, after))
    if old is None or new is None:
        yield Change(kind, "as recorded", _text(before.get(kind)), _text(after.get(kind)))
        return
    for name, was, now in _differing(old, new, sorted({*old, *new})):
        yield Change(kind, name, was, now)


def _scripts(candidate: Evidence) -> Iterator[Change]:
    """The files of code that differ, which the evaluation found in both archives."""
    rows = candidate.review.get("changes") or []
    yield from (Change("code", "scripts", NONE, row["candidate"]) for row in rows if row.get("what") == "Changed scripts")


def _text(value: Any) -> str:
    if value in (None, "", [], {}):
        return NONE
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items())
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
