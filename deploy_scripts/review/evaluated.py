"""What the evaluation says of a version, as sections: beside production, gate, changes, for whom, what it took. Pure. Used by view.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy_scripts.review.sections import BAD, GOOD, NONE, WARN, Row, Section, figure, gain, measured, tone


def beside(facts: Mapping[str, Any]) -> Section:
    quality = facts["quality"]
    rows = [
        Row((row["name"], measured(row), measured(row["production"]), gain(row["difference"])), tone(row["difference"]))
        for row in quality["rows"]
    ]
    note = f"{quality['note']}. A difference above 0 is better; 95 % intervals, of differences paired on the same rows." if rows else ""
    lines = [note or quality["note"]]
    headers = ("metric", "this version", "production, at its own evaluation", "difference") if rows else ()
    return Section("Beside production", lines, headers, rows)


def gate(facts: Mapping[str, Any]) -> Section | None:
    checks = facts["gate"].get("checks") or []
    rows = [
        Row(
            ("passed" if check["passed"] else "FAILED" if check["refuses"] else "warning", check["detail"]),
            GOOD if check["passed"] else BAD if check["refuses"] else WARN,
        )
        for check in checks
    ]
    rows.sort(key=lambda row: row.tone == GOOD)  # what is wrong first
    return Section("Gate", (), ("", "check"), rows) if rows else None


def data(facts: Mapping[str, Any]) -> Section | None:
    """What the check of the data said, which no gate judges. Facts of before it was shown here have none."""
    split, warnings = facts.get("split") or {}, facts.get("data_warnings") or []
    by_time = "Split by time: rows from {test_from} on ({column}) test, and those from {validation_from} on validate."
    lines = [by_time.format(**split)] if split.get("by") == "time" else []
    rows = [Row((warning,), WARN) for warning in warnings]
    return Section("Data", lines, ("what the check of the data found, and what to do",) if rows else (), rows) if lines or rows else None


def changes(facts: Mapping[str, Any]) -> Section | None:
    if facts["production"]["number"] is None:
        return None
    rows = [Row((change["about"], change["what"], change["before"], change["after"])) for change in facts["changes"]]
    if not rows:
        return Section("What changed since production", ["nothing that the two versions say of themselves"])
    return Section("What changed since production", (), ("about", "what", "production", "this version"), rows)


def commits(facts: Mapping[str, Any]) -> Section | None:
    commits = facts["commits"]
    rows = [Row((commit["identifier"][:12], commit["title"], commit["built"])) for commit in commits["found"]]
    lines = [commits["note"]] if commits["note"] else []
    return Section("Commits since production's", lines, ("commit", "title", "built") if rows else (), rows) if rows or lines else None


def groups(facts: Mapping[str, Any]) -> Section | None:
    rows = [Row(_group(item), tone(item["difference"])) for item in facts["groups"]]
    rows.sort(key=lambda row: row.tone != BAD)  # who is worse off comes first
    headers = ("group", "test rows", facts["quality"]["metric"], "production", "difference")
    lines = ["A good average can hide a bad part."]
    if sampled := facts.get("sampled"):  # facts of before test rows were sampled do not have it
        lines.append(f"On a sample of {sampled['rows']} of {sampled['of']} test rows.")
    return Section("For whom", lines, headers, rows) if rows else None


def _group(item: Mapping[str, Any]) -> tuple[str, ...]:
    name = f"{item['column']} = {item['group']}"
    return name, str(item["rows"]), measured(item), figure(item["production"]), gain(item["difference"])


#: SageMaker Clarify's measures, as steps/evaluation/fairness.py takes them, and when nobody is disadvantaged by each.
_BIAS = {
    "CI": "class imbalance; 0: as many rows of both groups",
    "DPL": "difference in proportions of labels; 0: alike",
    "DPPL": "difference in proportions of predicted labels; 0: alike",
    "DI": "disparate impact; 1: both get the outcome equally often",
    "EOD": "equal-opportunity difference; 0: alike",
}


def bias(facts: Mapping[str, Any]) -> Section | None:
    bias, facet = facts["bias"], facts["facet"] or {}
    if not bias:
        return None
    rows = [Row((name, figure(bias.get(name)), meaning)) for name, meaning in _BIAS.items()]
    return Section(f"Bias: {facet.get('column')} = {facet.get('disadvantaged')} against everyone else", (), ("", "value", "meaning"), rows)


def making(facts: Mapping[str, Any]) -> Section | None:
    """What the run that made it took, cost and saved. Evidence of before has none."""
    made = facts.get("making")
    if not made:
        return None
    if made["problem"]:
        return Section("What it took to make", [made["problem"]])
    cost = (
        f"{made['usd']:.2f} USD at the prices noted {made['prices_noted']}"
        if made["usd"] is not None
        else f"what they cost is not known: no price of {', '.join(made['unpriced'])} in PRICES of settings.py"
    )
    line = f"{made['seconds'] / 60:.0f} min until its evaluation ended, {made['instance_hours']:.2f} instance-hours: {cost}"
    rows = [Row(_step(step), "" if step["saved"] is None else GOOD) for step in made["steps"]]
    return Section("What it took to make", [line], ("step", "instances", "ran", "billed", "spare capacity"), rows)


def _step(step: Mapping[str, Any]) -> tuple[str, ...]:
    """Seconds are those of each of a job's instances."""
    if step["cached"]:
        return step["name"], "from the cache", NONE, "0 s", ""
    jobs = "" if step["jobs"] == 1 else f"{step['jobs']} jobs, each "
    saved = "" if step["saved"] is None else f"saved {step['saved']:.0%}"
    return step["name"], f"{jobs}{step['instances']}", f"{step['ran_seconds']:,.0f} s", f"{step['billed_seconds']:,.0f} s", saved
