"""What is known of a version outside of its evaluation, as sections: drift, staging, cost, what a yes does, who decided. Pure.

Used by view.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy_scripts import comparison
from deploy_scripts.review.sections import BAD, NONE, WARN, Row, Section, figure, measured, ms, usd

#: The drift evidence shows as many windows, the newest.
_MOST_WINDOWS = 5


def drift(facts: Mapping[str, Any]) -> Section | None:
    """What the watch over production said last, and what it had said when this version was trained for it."""
    found = facts["watch"] or facts["why"]
    if not found:
        return None
    if found.get("problem"):
        return Section("Drift in production", [f"what was found could not be read: {found['problem']}"])
    window, since = found.get("window") or {}, found.get("since")
    well = f"no limit is broken in the last window that was judged, {window.get('from', NONE)}"
    lines = [f"limits are broken since {since}" if since else well]
    for name, how in (("estimate", "estimated"), ("realised", "by labels")):
        value = found.get(name)
        if value:
            at = f", {figure(value['at_evaluation'])} at evaluation" if value.get("at_evaluation") is not None else ""
            lines.append(f"{value['metric']} of version {value['version']}, {how}: {measured(value)}{at}")
    rows = [
        Row((str(item["from"]), str(item["rows"]), "; ".join(filter(None, (breach["feature"], breach["detail"])))), WARN)
        for item in list(reversed(found.get("windows") or []))[:_MOST_WINDOWS]
        for breach in item["breaches"]
    ]
    return Section("Drift in production", lines, ("window", "rows", "what broke a limit") if rows else (), rows)


def shadow(facts: Mapping[str, Any]) -> Section | None:
    found = facts["shadow"]
    return Section("In production's shadow", list(comparison.lines(found))) if found else None


def staging(facts: Mapping[str, Any]) -> Section | None:
    found = facts["staging"]
    if not found:
        return Section("On staging", ["it has not been there yet: approving it in the registry takes it there"])
    rows = [Row(_load(load), BAD if load["errors"] else "") for load in found["load"]]
    lines = list(found["lines"])
    if rows:
        lines.append(f"load on {found['load'][0]['instances']} × {found['instance_type']}; of few requests p99 is the slowest answer:")
    headers = ("wanted", "answered", "requests", "errors", "p50", "p99") if rows else ()
    return Section(f"On {found['environment']}", lines, headers, rows)


def _load(load: Mapping[str, Any]) -> tuple[str, ...]:
    rates = f"{load['wanted_rps']:.0f} /s", f"{load['rps']:.1f} /s"
    return *rates, str(load["requests"]), str(load["errors"]), ms(load["p50_ms"]), ms(load["p99_ms"])


def cost(facts: Mapping[str, Any]) -> Section:
    cost = facts["cost"]
    if "lines" in cost:
        return Section("Cost of a day", [*([cost["note"]] if cost["note"] else []), *cost["lines"]])
    if "instance_hours" not in cost:
        hour = usd(cost["usd_per_hour"] and cost["usd_per_hour"] * cost["instance_count"])
        line = f"no instance runs; an hour of a job on {cost['instance_count']} × {cost['instance_type']} costs {hour}"
        return Section("Cost", [f"{line} ({cost['source']})"])
    need = f"{cost['instance_hours']:g} hours of {cost['instance_type']}"
    lines = [f"{cost['requests']:,.0f} requests in the last day need {need}: {usd(cost['usd'])}"]
    lines.append(f"a rollout runs both fleets for its time besides ({cost['source']})")
    return Section("Cost of a day", [*([cost["note"]] if cost["note"] else []), *lines])


def experiment(facts: Mapping[str, Any]) -> Section | None:
    """What it can find is said before it begins. Pages of before have none."""
    found = facts.get("experiment")
    if not found:
        return None
    share, labels, live = found["percent"], found["labels"], facts["production"]["number"]
    smallest = found["smallest_difference"]
    known = (
        f"a difference in {found['metric']} of {figure(smallest)} would be found in four of five such experiments, a smaller one less often"
        if smallest is not None
        else f"how small a difference in {found['metric']} it finds cannot be said: the evaluation has no interval"
    )
    return Section(
        "The experiment that a yes begins",
        [
            f"this version answers {share} % of the requests beside version {live}, which has the rest, for {found['days']} days at most",
            f"it is judged once, with {sum(labels.values()):,} labelled answers, about {labels['challenger']:,} of them of this version",
            known,
            *_too_small(facts, found["metric"], smallest),
            f"then somebody says whether it is rolled out; without a difference in its favour version {live} stays",
            _challengers_fleet(found),
        ],
    )


def _challengers_fleet(found: Mapping[str, Any]) -> str:
    (fewest, most), price, kind = found["instances"], found["usd_per_day"], found["instance_type"]
    if fewest == most:
        return f"its {most} × {kind} cost {usd(price and price * most)} a day"
    least, highest = (usd(price and price * count) for count in (fewest, most))
    return f"its {fewest} to {most} × {kind}, as many as its own requests need, cost {least} to {highest} a day"


def _too_small(facts: Mapping[str, Any], metric: str, smallest: float | None) -> list[str]:
    """What the evaluation says may be less than the experiment can find: then it takes weeks to say nothing."""
    rows = (facts.get("quality") or {}).get("rows") or []
    found = next((row["difference"]["value"] for row in rows if row["name"] == metric and row.get("difference")), None)
    if found is None or smallest is None or abs(found) >= smallest:
        return []
    return [
        f"the evaluation has a difference of {figure(abs(found))}: this experiment would rather miss that; more labelled_answers find it"
    ]


def if_yes(facts: Mapping[str, Any]) -> Section:
    said = facts["if_yes"]
    waits = f"waits of {said['seconds'] / 60:.0f} min in all, besides what the instances take to start" if said["seconds"] else ""
    who = ["two people have to say so, neither of whom pushed or wrote the commit"] if facts["approvers"] > 1 else []
    tried = ["first the experiment above; what follows comes with the yes at its end"] if facts.get("experiment") else []
    steps = [f"{number}. {step}" for number, step in enumerate(said["steps"], start=1)]
    return Section("If you say yes", [*who, *tried, *steps, *([waits] if waits else []), *(f"back: {way}" for way in said["back"])])


def decisions(facts: Mapping[str, Any]) -> Section | None:
    rows = [Row((item["at"], item["what"], item["where"], item["who"], item["words"])) for item in facts.get("decisions") or []]
    return Section("Decided so far", (), ("when", "what", "where", "who", "words"), rows) if rows else None


def more(facts: Mapping[str, Any]) -> Section:
    report = facts["version"]["report-url"]
    lines = [f"the evaluation's report: {report}"] if report else []
    return Section("More", [*lines, f"the version: {facts['version']['arn']}"])
