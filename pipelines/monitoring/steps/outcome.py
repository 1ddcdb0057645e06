"""What was found, in the words of findings.json and of constraint_violations.json (Model Monitor's layout).

Input: what the judges say of each version. Output: breaches, the status of the window, violations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import history
from cells import shown
from chunks import Seen
from findings import plural
from windows import Window

#: Model Monitor's name for a violation, by what is broken (Developer Guide, "Schema for Violations (constraint_violations.json file)").
CHECK_TYPES = {
    "missing": "completeness_check",
    "out of range": "baseline_drift_check",
    "unseen category": "categorical_values_check",
    "wrong type": "data_type_check",
    "refused": "data_type_check",
    # Clarify's ("Bias Drift Violations", "Model Feature Attribution Drift Violations").
    "bias": "bias_drift_check",
    "attributions": "feature_attribution_drift_check",
}
DRIFT_CHECK = "baseline_drift_check"
#: As many names of files or versions stand in one line.
MOST_NAMED = 3


def breaches(versions: Sequence[Mapping[str, Any]], entries: Sequence[history.Entry], window: Window) -> list[dict[str, Any]]:
    """Every limit that is broken, by version and kind. `entries`: the history, which says since when."""
    found = [breach for version in versions for breach in _of_version(version)]
    return [{**breach, "since": history.since(entries, breach, window)} for breach in found]


def _of_version(version: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    number = version["version"]

    def breach(kind: str, feature: str | None, effect: Any, limit: Any, detail: str, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "feature": feature, "version": number, "effect": effect, "limit": limit, "detail": detail, **more}

    for check in version["contract"]:
        if check["breached"]:
            increase = check["share"] - check["baseline"]
            about = f"{check['kind']} in {check['share']:.1%} of the {'requests' if check['feature'] is None else 'rows'}"
            detail = f"{about}, {check['baseline']:.1%} in training (limit: {check['limit']:.1%} more)"
            yield breach("contract", check["feature"], increase, check["limit"], detail, check=check["kind"])
    for moved in version["drift"]:
        if moved["breached"]:
            detail = f"moved by {moved['effect']:.3f} (Jensen-Shannon distance; limit {moved['limit']:g}, PSI {moved['psi']:.3f})"
            yield breach("drift", moved["feature"], moved["effect"], moved["limit"], detail)
    joint = version["joint"]
    if joint and joint["breached"]:
        given_away = ", ".join(item["feature"] for item in joint["features"][:MOST_NAMED])
        detail = f"production is told from training with AUC {joint['auc']:.3f} (limit {joint['limit']:g}), by {given_away}"
        yield breach("joint", joint["features"][0]["feature"] if joint["features"] else None, joint["auc"], joint["limit"], detail)
    for kind, name in (("estimate", "estimate"), ("quality", "realised")):
        measured = version[name]
        if measured and measured["breached"]:
            interval = f"{measured['lower']:.4g} to {measured['upper']:.4g}, at evaluation {measured['at_evaluation']:.4g}"
            detail = f"{measured['metric']} {'is estimated at' if name == 'estimate' else 'is'} {measured['value']:.4g} ({interval})"
            yield breach(kind, None, measured["value"], measured.get("limit"), detail)
    for item in version["bias"] or ():
        if item.get("breached"):
            interval = f"{item['lower']:.3g} to {item['upper']:.3g}; limit {item['limit']:g}"
            detail = f"{item['metric']} of {item['group']} is {item['value']:.3g} ({interval})"
            yield breach("bias", item.get("facet"), item["value"], item.get("limit"), detail, check=item["metric"])
    attributions = version["attributions"]
    if attributions and attributions["breached"]:
        detail = f"NDCG of the attributions' ranking is {attributions['ndcg']:.3f} (limit {attributions['limit']:g})"
        yield breach("attributions", None, attributions["ndcg"], attributions["limit"], detail)


def unread(seen: Seen, foreign: Sequence[str]) -> bool:
    """Whether there is something that may hold requests and was not read. `foreign`: files in the places of the window."""
    return bool(seen.unreadable_lines or seen.gone or foreign)


def status(requests: int, versions: Sequence[Mapping[str, Any]], *, is_broken: bool, is_unread: bool) -> str:
    """`requests`: of the window itself. `versions`: those with evidence, with what was judged of them. `is_unread`: files that cannot be
    read are no sign that there was no traffic.
    """
    if not requests:
        return "not judged" if is_unread else "no traffic"
    if is_broken:
        return "breached"
    if any(version["contract"] for version in versions):
        return "ok"
    return "too few rows" if versions else "not judged"


def reasons(
    seen: Seen, foreign: Sequence[str], missing: Mapping[str, str], versions: Sequence[Mapping[str, Any]], min_rows: int
) -> list[str]:
    """One line for each thing that is not as it should be."""
    found = []
    if seen.checks:
        found.append(f"{plural(seen.checks, 'request')} of verifications and load tests left out: they are no traffic")
    if seen.unreadable_lines:
        lines = plural(seen.unreadable_lines, "line")
        found.append(f"{lines} cannot be read as captured requests, such as {seen.places['unreadable']}")
    if foreign:
        more = f" and {len(foreign) - MOST_NAMED} more" if len(foreign) > MOST_NAMED else ""
        found.append(f"not read, because they are not where this model's requests are captured: {', '.join(foreign[:MOST_NAMED])}{more}")
    found += [f"{key} was listed and is gone" for key in seen.gone[:MOST_NAMED]]
    if seen.unanswered:
        given = plural(seen.unanswered, "request")
        found.append(f"{given} without an answer, such as {seen.places['unanswered']}: capture input and output")
    for version, count in seen.unknown.items():
        place, given = seen.places[f"unknown {version}"], plural(count, "request")
        if version is None:
            found.append(f"{given} {'does' if count == 1 else 'do'} not say which version answered, such as {place}")
        else:
            why, was = missing.get(version, "has no evidence"), "was" if count == 1 else "were"
            found.append(f"version {shown(version)} {why}; {given} {was} judged against nothing, such as {place}")
    for version, count in seen.mismatched.items():
        place, given = seen.places[f"mismatched {version}"], plural(count, "request")
        found.append(f"{given} of version {version} not as its contract has them, such as {place}")
    for judged in versions:
        if judged["rows"] < min_rows:
            rows = plural(judged["rows"], "row")
            few = f"version {judged['version']} has {rows}, also with the windows before: fewer than min_rows ({min_rows})"
            found.append(f"{few}, so {'only its contract' if judged['contract'] else 'nothing'} was judged")
    return found


def summary(findings: Mapping[str, Any]) -> list[str]:
    """What a log shows of a window: its name and status, then a line for each breach and reason."""
    window = findings["window"]
    counted = f"{findings['rows']:,} rows of {findings['requests']:,} requests"
    lines = [f"{breach['feature'] or breach['kind']}: {breach['detail']}" for breach in findings["breaches"]]
    return [f"{window['from']}--{window['to']}: {counted}: {findings['status']}", *lines, *findings["reasons"]]


def violations(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`constraint_violations.json`. What concerns no single feature has the name of what was judged instead. The layout has no name for a
    check of quality or of all features together: those are drift from the baseline, too.
    """
    return {
        "violations": [
            {
                "feature_name": breach["feature"] or breach["kind"],
                "constraint_check_type": CHECK_TYPES.get(
                    str(breach["check"] if breach["kind"] == "contract" else breach["kind"]), DRIFT_CHECK
                ),
                "description": f"version {breach['version']}: {breach['detail']}",
            }
            for breach in found
        ]
    }
