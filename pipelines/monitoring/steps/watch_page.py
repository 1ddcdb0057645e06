"""Puts together what the report of a window shows: examples of what moved, distributions before and now, and marks in the history.

Input: findings.json, the history up to this window, and the `Case` of each version. Output: the page. Next: watch_report.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import examples
import numpy as np
import statistics_file
import watch_report
from history import Entry
from judges import Case
from numpy.typing import NDArray
from sketch import PREDICTION, Sample

#: Windows that the pictures show.
MOST_SHOWN = 24 * 7
#: One feature in Model Monitor's layout: at training, and in the window.
BeforeAndNow = tuple[Mapping[str, Any], Mapping[str, Any]]
_WITH_ROWS = ("drift", "joint", "contract")


def shown(findings: Mapping[str, Any], cases: Mapping[str, Case]) -> dict[str, Any]:
    """What the page shows beside findings and history, kept with the window: its requests may have expired when labels come.

    `cases`: by version, those with rows.
    """
    breaches = findings["breaches"]
    examples_of = [[_key(breach), _examples(breach, cases.get(breach["version"]))] for breach in breaches]
    return {
        "examples": [[key, found] for key, found in examples_of if found],
        "distributions": _distributions(breaches, cases),
        "made_at": {version: case.evidence.made_at for version, case in cases.items() if case.evidence.made_at},
    }


def page(findings: Mapping[str, Any], entries: Sequence[Entry], kept: Mapping[str, Any], limits: Mapping[str, Any]) -> str:
    """`entries`: oldest first, this window's own the last. `kept`: what `shown` made. `limits`: of monitoring.json."""
    recent = entries[-MOST_SHOWN:]
    examples_of = {tuple(key): found for key, found in kept["examples"]}
    breaches = [{**breach, "examples": examples_of.get(tuple(_key(breach)), [])} for breach in findings["breaches"]]
    return watch_report.render(
        {**findings, "breaches": breaches},
        recent,
        limits=limits,
        distributions={name: (before, now) for name, (before, now) in kept["distributions"].items()},
        marks=_marks(recent, kept["made_at"]),
        title=f"{findings['model']} in {findings['environment']}",
    )


def _key(breach: Mapping[str, Any]) -> list[str | None]:
    return [breach["kind"], breach["feature"], breach["version"]]


def _examples(breach: Mapping[str, Any], case: Case | None) -> list[dict[str, Any]]:
    if case is None or breach["kind"] not in _WITH_ROWS or breach["feature"] is None or not case.sketch.rows:
        return []
    sample = case.sample
    places = _places(breach, case, sample)[: examples.MOST_EXAMPLES].tolist()
    return [
        {
            "inference_id": sample.ids[place],
            "row": int(sample.row_in_request[place]),
            "time": f"{datetime.fromtimestamp(sample.times[place], UTC):%Y-%m-%dT%H:%M:%SZ}",
            "shown": examples.shown(sample.rows, place, breach["feature"]),
            "answer": _answer(case, sample, place),
        }
        for place in places
    ]


def _places(breach: Mapping[str, Any], case: Case, sample: Sample) -> NDArray[np.int64]:
    """Positions of the rows that show it, in the order of the sample, which is random."""
    feature = breach["feature"]
    if feature in case.sketch.categorical:
        counted = case.sketch.categorical[feature]
        values = sample.rows.texts(feature)
        if breach.get("check") == "missing":
            return np.array([place for place, value in enumerate(values) if value is None], dtype=np.int64)
        return examples.of_category(values, (counted.known, counted.known_missing), (counted.counts, counted.missing))
    counted_numbers = case.sketch.numeric[feature]
    numbers = sample.predicted.scores if feature == PREDICTION else sample.rows.numeric[feature]
    if numbers.ndim > 1:
        numbers = numbers.max(axis=1)
    if breach.get("check") == "missing":
        return np.flatnonzero(np.isnan(numbers))
    if breach.get("check") == "out of range":
        return np.flatnonzero((numbers < counted_numbers.lowest_known) | (numbers > counted_numbers.highest_known))
    coarse = counted_numbers.coarse
    return examples.of_number(numbers, coarse.edges, coarse.counts, counted_numbers.buckets, (coarse.missing, counted_numbers.missing))


def _answer(case: Case, sample: Sample, place: int) -> str:
    scores, classes = sample.predicted.scores[place], case.evidence.takes.classes
    if classes is None:
        return f"{float(scores):.4g}"
    return f"{classes[int(sample.predicted.decided[place])]} {float(np.max(scores)):.3g}"


def _distributions(
    breaches: Sequence[Mapping[str, Any]], cases: Mapping[str, Case]
) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Of each feature that moved, in the version in which it was found first: at training, and here."""
    found: dict[str, BeforeAndNow] = {}
    for breach in breaches:
        case, feature = cases.get(breach["version"]), breach["feature"]
        if case is None or feature is None or feature in found:
            continue
        here = {item["name"]: item for item in statistics_file.document([case.sketch])["features"]}
        before = case.evidence.features
        if feature in here and feature in before:
            found[feature] = (before[feature], here[feature])
    return found


def _marks(entries: Sequence[Entry], made_at: Mapping[str, str]) -> list[dict[str, str]]:
    """The first window in which a version answered, unless the history begins with it; and when that version was made."""
    marks, known = [], set(entries[0]["versions"]) if entries else set()
    for entry in entries[1:]:
        for version in entry["versions"]:
            if version not in known:
                known.add(version)
                marks.append({"at": str(entry["from"]), "kind": "deployment", "label": f"version {version}"})
    marks += [{"at": at, "kind": "training", "label": f"{version} trained"} for version, at in made_at.items()]
    return sorted(marks, key=lambda mark: mark["at"])
