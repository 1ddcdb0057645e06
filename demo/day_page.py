"""Writes the page of a day: load, instances, and which rule acted when, each on a line of its own.

In: a `LocalDay` that was lived. Out: one HTML file with its picture inside, that asks nothing of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import matplotlib
from matplotlib import dates
from matplotlib.figure import Figure

from demo import plots
from demo.day_stage import Declared
from demo.local_day import LocalDay
from demo.scaling_watch import OTHER, SCHEDULE, STEP, TARGET_TRACKING

#: Kinds as `capacity` names them, in the order of the picture's lines.
KINDS = {"scheduled": SCHEDULE, "step scaling": STEP, "target tracking": TARGET_TRACKING, "bounds": OTHER}
COLOURS = {kind: plots.RULE_COLOURS[name] for kind, name in KINDS.items()}
_DEPLOYMENT_COLOUR = "#000000"


def write(path: Path, day: LocalDay, declared: Declared, zone: ZoneInfo, *, simulator_agrees: bool, seconds: float) -> None:
    """Render `day.html.j2`; the file appears complete or not at all."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    changes = [decision for decision in day.decisions if decision.changes_capacity]
    acted = {kind: sum(decision.kind == kind for decision in changes) for kind in KINDS}
    html = environment.get_template("day.html.j2").render(
        day=day,
        declared=declared,
        zone=zone,
        date=f"{datetime.fromtimestamp(day.start, zone):%A}",
        picture=picture(day, zone),
        events=_events(day, zone),
        colours=COLOURS,
        acted={kind: count for kind, count in acted.items() if count or kind in declared.kinds},
        simulator_agrees=simulator_agrees,
        seconds=seconds,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(html, encoding="utf-8")
    temporary.replace(path)


def _events(day: LocalDay, zone: ZoneInfo) -> Sequence[tuple[str, Any]]:
    """Local time and decision, or the deployment, in order of time."""
    moments = [(decision.time, decision) for decision in day.decisions]
    moments.append((day.start + day.deployment.minute * 60, day.deployment))  # type: ignore[arg-type]  # the page shows both kinds
    return [(f"{datetime.fromtimestamp(time, zone):%H:%M}", event) for time, event in sorted(moments, key=lambda one: one[0])]


def picture(day: LocalDay, zone: ZoneInfo) -> str:
    """Three panels over the day: requests per second; instances; a line for each rule with a mark whenever it decided."""
    rules = _rules(day)
    with matplotlib.rc_context({**plots.STYLE, "svg.hashsalt": "day"}):
        figure = Figure(figsize=(10.5, 5.2 + 0.38 * len(rules)), layout="constrained")
        load, count, lines = figure.subplots(3, 1, sharex=True, height_ratios=(2, 3, 0.4 * (len(rules) + 1)))
        minutes = [datetime.fromtimestamp(day.start + minute * 60, zone) for minute in range(len(day.requests))]
        load.fill_between(minutes, [requests / 60 for requests in day.requests], step="post", color="#9fb8cc", linewidth=0)
        load.set_ylabel("requests/s")
        load.set_ylim(bottom=0)
        # A count is what the end of its minute left; the first one is drawn from the beginning.
        ends, counts = [*minutes, datetime.fromtimestamp(day.start + len(day.requests) * 60, zone)], [day.counts[0], *day.counts]
        count.step(ends, counts, where="post", color=plots.INK, linewidth=2)
        count.fill_between(ends, counts, step="post", color="#eef1f4")
        count.set_ylabel("instances")
        count.set_ylim(0, max(day.counts) + 1)
        count.yaxis.get_major_locator().set_params(integer=True)
        _draw_rules(lines, count, day, zone, rules)
        lines.xaxis.set_major_formatter(dates.DateFormatter("%H:%M", tz=zone))
        lines.set_xlabel(f"time of the simulated day ({zone.key})")
        lines.set_xlim(ends[0], ends[-1])
        for axes in (load, count):
            axes.grid(axis="y", color="#e6e9ec")
            axes.set_axisbelow(True)
        return plots.text_of(figure)


def _rules(day: LocalDay) -> list[tuple[str, str]]:
    """Kind and name of each rule that decided, by kind."""
    found = dict.fromkeys((decision.kind, decision.rule) for decision in day.decisions)
    return sorted(found, key=lambda rule: list(KINDS).index(rule[0]))


def _draw_rules(axes: Any, count: Any, day: LocalDay, zone: ZoneInfo, rules: Sequence[tuple[str, str]]) -> None:
    for row, (kind, rule) in enumerate(rules):
        axes.axhline(row, color="#e6e9ec", linewidth=1, zorder=0)
        for decision in day.decisions:
            if (decision.kind, decision.rule) == (kind, rule):
                moment = datetime.fromtimestamp(decision.time, zone)
                filled = COLOURS[kind] if decision.changes_capacity else "none"
                axes.plot(moment, row, plots.RULE_MARKS[KINDS[kind]], color=COLOURS[kind], markerfacecolor=filled, markersize=8)
                if decision.changes_capacity:
                    count.axvline(moment, color=COLOURS[kind], linewidth=1, linestyle=":")
    deployed = datetime.fromtimestamp(day.start + day.deployment.minute * 60, zone)
    axes.plot(deployed, len(rules), "D", color=_DEPLOYMENT_COLOUR, markersize=7)
    count.axvline(deployed, color=_DEPLOYMENT_COLOUR, linewidth=1.2, linestyle="--")
    count.annotate(
        f"deployed: {day.deployment.before} → {day.deployment.after}", (deployed, 0.05), xycoords=("data", "axes fraction"),
        xytext=(5, 0), textcoords="offset points", va="bottom", fontsize=9.5,
    )  # fmt: skip
    axes.set_yticks(range(len(rules) + 1), [*(f"{rule}\n({kind})" for kind, rule in rules), "deployment"], fontsize=9)
    for label, (kind, _) in zip(axes.get_yticklabels(), rules, strict=False):
        label.set_color(COLOURS[kind])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rules) + 0.6, -0.6)
