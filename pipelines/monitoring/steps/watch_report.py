"""The report that an on-call engineer reads in a minute: `report.html` of a window, one file without outside parts.

What moved, since when, what it is estimated to cost, which requests show it, what to do now; then the history.
Input: findings.json of the window, the history, and the distributions of what moved. Output: HTML, from watch_report.html.j2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

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
WORDS = {
    "contract": "contract",
    "drift": "drift",
    "joint": "drift of all together",
    "estimate": "estimated quality",
    "quality": "realised quality",
    "bias": "bias",
    "attributions": "attribution drift",
}


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
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(figure=_figure, percent=_percent, when=_when)
    breaches = [{**breach, "word": WORDS[breach["kind"]]} for breach in sorted(findings["breaches"], key=_excess, reverse=True)]
    versions = [{**_EMPTY, **version} for version in findings["versions"]]
    return environment.get_template("watch_report.html.j2").render(
        findings=findings,
        versions=versions,
        kinds=[_of_kind(kind, breaches) for kind in ADVICE if any(breach["kind"] == kind for breach in breaches)],
        examples=_once_a_feature(breaches),
        verdict=_verdict({**findings, "breaches": breaches}),
        pictures=_pictures(findings, history, limits, distributions, marks),
        marks=marks,
        title=title,
    )


def _of_kind(kind: str, breaches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is broken of one kind, the largest first, with one advice for all of it."""
    found = sorted((breach for breach in breaches if breach["kind"] == kind), key=lambda breach: -abs(breach["effect"] or 0))
    features = list(dict.fromkeys(breach["feature"] for breach in found if breach["feature"]))
    named = ", ".join(features[:MOST_NAMED]) + (f" and {len(features) - MOST_NAMED} more" if len(features) > MOST_NAMED else "")
    return {"word": WORDS[kind], "breaches": found, "advice": ADVICE[kind].format(feature=named or "the columns")}


def _once_a_feature(breaches: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Breaches with examples, the first of each feature and the largest of all: the others would show much the same requests."""
    found: dict[tuple[Any, Any], Mapping[str, Any]] = {}
    for breach in breaches:
        if breach.get("examples"):
            found.setdefault((breach["feature"], breach["version"]), breach)
    return list(found.values())[:MOST_EXAMPLES]


def _excess(breach: Mapping[str, Any]) -> float:
    """How many times its limit."""
    return abs(breach["effect"] / breach["limit"]) if breach["effect"] is not None and breach["limit"] else 0.0


_EMPTY: dict[str, Any] = {
    "contract": [],
    "drift": [],
    "joint": None,
    "estimate": None,
    "realised": None,
    "bias": None,
    "attributions": None,
}


def _verdict(findings: Mapping[str, Any]) -> tuple[str, str]:
    """Class of the banner, and its sentence."""
    status, rows, breaches = findings["status"], findings["rows"], findings["breaches"]
    if status == "no traffic":
        return "unknown", "No traffic: nobody asked in this window, so nothing is known. That is not healthy."
    if status == "too few rows":
        return "unknown", f"{rows} rows are too few to judge, also together with the windows before."
    if status == "not judged":
        return "unknown", "Not judged: " + ("; ".join(findings["reasons"]) or "no reason was given")
    if breaches:
        features = list(dict.fromkeys(str(breach["feature"]) for breach in breaches if breach["feature"]))
        what = f": {', '.join(features[:MOST_NAMED])}{' and more' if len(features) > MOST_NAMED else ''}" if features else ""
        return "breached", f"{len(breaches)} limit{'s are' if len(breaches) > 1 else ' is'} broken{what}.{_cost(findings['versions'])}"
    return "healthy", f"All limits are kept on {rows} rows."


def _cost(versions: Sequence[Mapping[str, Any]]) -> str:
    """What the version with the most rows is estimated, or known, to have lost."""
    for version in sorted(versions, key=lambda version: -version["rows"]):
        for name, word in (("realised", "is"), ("estimate", "is estimated at")):
            found = version.get(name)
            if found and found["value"] is not None:
                before = (version.get("estimate") or {}).get("at_evaluation")
                return f" {found['metric']} {word} {_figure(found['value'])}" + (
                    f", {_figure(before)} at evaluation." if before is not None else "."
                )
    return ""


def _pictures(
    findings: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    limits: Mapping[str, Any],
    distributions: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]],
    marks: Sequence[Mapping[str, str]],
) -> dict[str, list[str]]:
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
    moved = list(dict.fromkeys(breach["feature"] for breach in findings["breaches"] if breach["feature"] in distributions))
    drawn = [charts.distribution(*distributions[feature]) for feature in moved[:MOST_DISTRIBUTIONS]]
    return {"history": over_time, "moved": [picture for picture in drawn if picture]}


def _figure(value: float | None) -> str:
    """Four significant digits, or a dash where a value is undefined."""
    return "–" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _when(text: str) -> str:
    """`Fri 27 Nov 14:00`, in UTC as everywhere here."""
    return f"{datetime.fromisoformat(text):%a %d %b %H:%M}"
