"""The report that an on-call engineer reads in a minute: `report.html` of a window, one file without outside parts.

What moved, since when, what it is estimated to cost, which requests show it, what to do now; then the history.
Input: findings.json of the window, the history, and the distributions of what moved. Output: HTML, from watch_report.html.j2.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import words
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

MOST_DISTRIBUTIONS = 4
MOST_NAMED = 5
MOST_EXAMPLES = 3

#: What to do now, by the kind of what was found: the first thing that tells causes apart, then what mends it.
ADVICE = {
    "contract": "Ask whoever sends the requests what changed in {feature}: a new source, a unit, a column that is no longer filled. "
    "The model cannot mend this.",
    "drift": "Find out whether {feature} really changed, or how it is measured. If it is real and quality suffers, send labels and "
    "retrain; if it is real and harmless, raise Monitoring.max_drift.",
    "joint": "Columns moved together that look healthy one by one: compare the requests below with training rows, "
    "beginning with {feature}.",
    "estimate": "Get labels for this window (deploy_scripts.send_labels) before anything else: the estimate cannot see a changed relation "
    "between features and truth. If they confirm it, retrain, or go back to the version before by rejecting this one.",
    "quality": "The truth says so. Go back to the version before by rejecting this one if that one was better on these rows; else retrain "
    "with the new labels.",
    "bias": "Compare the groups in the table below; do not retrain on these answers alone, or the model learns its own bias.",
    "attributions": "The model decides by other columns than at evaluation. Look at {feature} in the drift table; then as for drift.",
}
#: Instead of it where more is known.
OF_MOVED_COLUMNS = "The columns above, seen together: what is true of them is true of this."
TRUTH_CONFIRMS = "The labels that came confirm it: see realised quality."
TRUTH_DISAGREES = "The labels that came do not confirm it: {truth}. Go by them; if they are few, or of chosen answers, get more."


def render(
    findings: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    *,
    limits: Mapping[str, Any],
    distributions: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]],
    marks: Sequence[Mapping[str, str]] = (),
    title: str,
) -> str:
    """`history`: entries of history.py up to this window, oldest first. `distributions`: a feature's at training and in the window,
    in Model Monitor's layout. `marks`: deployments and trainings, each with `at` (ISO 8601), `kind` and `label`. `title`: what is watched.

    Values are escaped: names, categories and reasons come from requests.
    """
    found = words.together(findings["breaches"])
    versions = [{**_EMPTY, **version} for version in findings["versions"]]
    return _template().render(
        findings=findings,
        versions=versions,
        kinds=[_of_kind(kind, found, versions) for kind in ADVICE if any(same[0]["kind"] == kind for same in found)],
        examples=_once_a_feature(found),
        verdict=_verdict(findings, found),
        pictures=_pictures(findings, history, limits, [distributions[name] for name in _features(found) if name in distributions], marks),
        marks=marks,
        title=title,
    )


@functools.cache
def _template() -> Template:
    """Compiled once: a run that catches up writes a page for each window that was missed."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(figure=words.figure, count=_count, percent=_percent, when=_when)
    return environment.get_template("watch_report.html.j2")


def _of_kind(kind: str, found: Sequence[Sequence[words.Breach]], versions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is broken of one kind, the largest first, with one advice for all of it."""
    own = [same for same in found if same[0]["kind"] == kind]
    features = _features(own)
    named = ", ".join(features[:MOST_NAMED]) + (f" and {len(features) - MOST_NAMED} more" if len(features) > MOST_NAMED else "")
    lines = [
        {"name": words.name(same), "detail": words.detail(same, len(versions)), "since": min(str(breach["since"]) for breach in same)}
        for same in own
    ]
    return {"lines": lines, "advice": _advice(kind, own, found, versions).format(feature=named or "the columns")}


def _advice(
    kind: str, own: Sequence[Sequence[words.Breach]], found: Sequence[Sequence[words.Breach]], versions: Sequence[Mapping[str, Any]]
) -> str:
    broken = {breach["kind"] for same in found for breach in same}
    if kind == "joint" and "drift" in broken:
        return OF_MOVED_COLUMNS
    realised = {version["version"]: version["realised"] for version in versions if version["realised"]}
    known = [realised[breach["version"]] for same in own for breach in same if breach["version"] in realised]
    if kind != "estimate" or not known:
        return ADVICE[kind]
    if "quality" in broken:
        return TRUTH_CONFIRMS
    truth = [f"{item['metric']} is {words.figure(item['value'])}, known of {_percent(item['coverage'])} of the answers" for item in known]
    return TRUTH_DISAGREES.format(truth="; ".join(truth))


def _features(found: Sequence[Sequence[words.Breach]]) -> list[str]:
    """Each once."""
    return list(dict.fromkeys(str(same[0]["feature"]) for same in found if same[0]["feature"]))


def _once_a_feature(found: Sequence[Sequence[words.Breach]]) -> list[words.Breach]:
    """Breaches with examples, the largest of each feature: the others would show much the same requests."""
    shown: dict[Any, words.Breach] = {}
    for breach in (breach for same in found for breach in same):
        if breach.get("examples"):
            shown.setdefault(breach["feature"], breach)
    return list(shown.values())[:MOST_EXAMPLES]


_EMPTY: dict[str, Any] = {
    "contract": [],
    "drift": [],
    "joint": None,
    "estimate": None,
    "realised": None,
    "bias": None,
    "attributions": None,
}


def _verdict(findings: Mapping[str, Any], found: Sequence[Sequence[words.Breach]]) -> tuple[str, str]:
    """Class of the banner, and its sentence."""
    status, rows = findings["status"], _count(findings["rows"])
    if status == "no traffic":
        return "unknown", "No traffic: nobody asked in this window, so nothing is known. That is not healthy."
    if status == "too few rows":
        return "unknown", f"{rows} rows are too few to judge, also together with the windows before."
    if status == "not judged":
        return "unknown", "Not judged: " + ("; ".join(findings["reasons"]) or "no reason was given")
    if found:
        features, cost = _features(found), words.cost(findings["versions"])
        what = f": {', '.join(features[:MOST_NAMED])}{' and more' if len(features) > MOST_NAMED else ''}" if features else ""
        are = "limits are" if len(found) > 1 else "limit is"
        return "breached", f"{len(found)} {are} broken{what}.{f' {cost}.' if cost else ''}"
    return "healthy", f"All limits are kept on {rows} rows."


def _pictures(
    findings: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    limits: Mapping[str, Any],
    moved: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    marks: Sequence[Mapping[str, str]],
) -> dict[str, list[str]]:
    """`moved`: distributions before and now, of what moved most first."""
    import watch_charts as charts  # draws with matplotlib, which takes a second to import

    over_time = []
    if any(item["drift"] for item in history):
        over_time.append(charts.drift(history, limits["max_drift"], marks))
    measured = next((item[name] for item in reversed(history) for name in ("estimate", "realised") if item[name]), None)
    if measured:
        at_evaluation = next((version["estimate"]["at_evaluation"] for version in findings["versions"] if version.get("estimate")), None)
        over_time.append(charts.quality(history, measured["metric"], at_evaluation, marks))
    if history:
        over_time.append(charts.traffic(history, marks))
    drawn = [charts.distribution(*before_and_now) for before_and_now in moved[:MOST_DISTRIBUTIONS]]
    return {"history": over_time, "moved": [picture for picture in drawn if picture]}


def _count(number: int) -> str:
    return f"{number:,}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _when(text: str) -> str:
    """`Fri 27 Nov 14:00`, in UTC as everywhere here."""
    return f"{datetime.fromisoformat(text):%a %d %b %H:%M}"
