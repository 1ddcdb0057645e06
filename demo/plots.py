"""The two pictures of the page as SVG text: the journey over real time, and load against instances over simulated time."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import matplotlib

matplotlib.use("svg")
from matplotlib import dates
from matplotlib.figure import Figure

from demo.facts import ScalingRecord
from demo.narrator import Stage
from demo.scaling_watch import OTHER, SCHEDULE, STEP, TARGET_TRACKING

# Okabe and Ito's palette: told apart with every kind of colour vision, and dark enough on white.
CHAPTER_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#8A6D00")
RULE_COLOURS = {SCHEDULE: "#AA4499", STEP: "#D55E00", TARGET_TRACKING: "#0072B2", OTHER: "#555555"}
RULE_MARKS = {SCHEDULE: "s", STEP: "^", TARGET_TRACKING: "o", OTHER: "x"}
INK = "#33383d"
STYLE = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and selected
    "font.family": "sans-serif",
    "font.sans-serif": ["system-ui", "Segoe UI", "Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#c3c8cd",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


def journey(stages: Sequence[Stage]) -> str:
    """A bar for each stage, from when it started to when it ended, in the order of their beginnings."""
    ordered = sorted(stages, key=lambda stage: stage.started)
    chapters = list(dict.fromkeys(stage.chapter for stage in ordered))
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "journey"}):
        figure = Figure(figsize=(10.5, 0.31 * len(ordered) + 0.9), layout="constrained")
        axes = figure.add_subplot()
        end = max(stage.started + stage.seconds for stage in ordered)
        for row, stage in enumerate(ordered):
            colour = CHAPTER_COLOURS[chapters.index(stage.chapter) % len(CHAPTER_COLOURS)]
            axes.barh(row, max(stage.seconds, end / 400), left=stage.started, color=colour, height=0.62)
            _label_bar(axes, row, stage, end)
        axes.set_yticks(range(len(ordered)), [stage.title for stage in ordered])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlim(0, end * 1.02)
        axes.set_ylim(len(ordered) - 0.4, -0.6)
        axes.set_xlabel("seconds since the start")
        axes.grid(axis="x", color="#e6e9ec")
        axes.set_axisbelow(True)
        return text_of(figure)


def _label_bar(axes: Any, row: int, stage: Stage, end: float) -> None:
    """Seconds beside the bar: on its right, or on its left where the right is at the edge."""
    right = stage.started + stage.seconds
    at_edge = right > end * 0.93
    place, side, gap = (stage.started, "right", -5) if at_edge else (right, "left", 5)
    axes.annotate(f"{stage.seconds:.1f} s", (place, row), xytext=(gap, 0), textcoords="offset points", va="center", ha=side, fontsize=9.5)


def scaling(record: ScalingRecord) -> str:
    """Above: answered requests per second. Below: instances, and a mark for each activity of a scaling rule."""
    zone = ZoneInfo(record.time_zone)
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "scaling"}):
        figure = Figure(figsize=(10.5, 5.6), layout="constrained")
        load, count = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
        _draw_load(load, record, zone)
        _draw_instances(count, record, zone)
        count.xaxis.set_major_formatter(dates.DateFormatter("%H:%M", tz=zone))
        count.set_xlabel(f"time of the simulated day ({record.time_zone})")
        for axes in (load, count):
            axes.grid(axis="y", color="#e6e9ec")
            axes.set_axisbelow(True)
        return text_of(figure)


def _draw_load(axes: Any, record: ScalingRecord, zone: ZoneInfo) -> None:
    last = max(record.requests, default=0)
    minutes = [record.start.astimezone(zone) + timedelta(minutes=minute) for minute in range(last + 1)]
    rates = [record.requests.get(minute, 0) * record.speed / 60 for minute in range(last + 1)]
    axes.fill_between(minutes, rates, step="post", color="#9fb8cc", linewidth=0)
    axes.set_ylabel("requests/s answered")
    axes.set_ylim(bottom=0)


def _draw_instances(axes: Any, record: ScalingRecord, zone: ZoneInfo) -> None:
    times = [sample.time.astimezone(zone) for sample in record.samples]
    counts = [sample.instances for sample in record.samples]
    axes.step(times, counts, where="post", color=INK, linewidth=2)
    axes.fill_between(times, counts, step="post", color="#eef1f4")
    for kind in RULE_COLOURS:
        acted = [activity for activity in record.activities if activity.kind == kind]
        for activity in acted:
            axes.axvline(activity.time.astimezone(zone), color=RULE_COLOURS[kind], linewidth=1, linestyle=":")
        if acted:
            height = [record.most + 0.7] * len(acted)
            moments = [activity.time.astimezone(zone) for activity in acted]
            axes.plot(moments, height, RULE_MARKS[kind], color=RULE_COLOURS[kind], markersize=8, label=kind)
    axes.set_ylabel("instances in service")
    axes.set_ylim(0, record.most + 1.3)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="lower left", frameon=False, ncols=len(RULE_COLOURS), bbox_to_anchor=(0, 1), borderaxespad=0.2, handletextpad=0.2)


def text_of(figure: Figure) -> str:
    """The `<svg>` element alone, as wide as the page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    return re.sub(r'<svg ([^>]*?)width="[^"]*"', r'<svg \1width="100%"', svg, count=1).replace("<svg ", '<svg aria-hidden="true" ', 1)
