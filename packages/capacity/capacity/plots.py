"""Draws the plots of the capacity page with matplotlib, as SVG text to put into HTML.

Input: replays and outcomes. Imported by `page.py` only, so that the engine and the simulator need numpy alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.dates as dates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from capacity.compare import Situation
from capacity.outcome import Budget, Outcome
from capacity.recommend import Recommendation
from capacity.simulate import Floats, Replay

LOAD, CAPACITY, RUNNING, LATENCY, LIMIT = "#4c6b8a", "#b9c9d9", "#1b6e53", "#8a4c6b", "#c0392b"
SAMPLE = "#d17a00"
KINDS = {"target tracking": "#1b6e53", "step scaling": "#d17a00", "scheduled": "#5b4bb5", "bounds": "#666666"}
_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")  # 200, not 2 x 10^2
_POINTS = 1500  # a plot is no wider than this


def timeline(replay: Replay, situation: Situation) -> str:
    """Load and capacity, instances with every decision in the colour of its rule, latency and SLO, in one column."""
    figure = Figure(figsize=(10, 8.4), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 2))
    times, every = _times(replay)
    full = situation.service.max_requests_per_second
    top.xaxis_date()
    top.fill_between(times, _most(replay.running * full, every), step="post", color=CAPACITY, label="capacity at full use")
    top.plot(times, _most(replay.load, every), color=LOAD, lw=1.2, label="load")
    top.set_ylabel("requests/s")
    _legend(top)
    _instances(middle, replay, times, every)
    p99 = 1000 * _most(replay.p99_seconds, every)
    slo_ms = 1000 * situation.slo_seconds
    bottom.plot(times, p99, color=LATENCY, lw=1.2, label="p99 latency")
    bottom.fill_between(times, slo_ms, p99, where=p99 > slo_ms, color=LIMIT, alpha=0.35, label="SLO breached")
    bottom.axhline(slo_ms, color=LIMIT, ls="--", lw=1, label=f"SLO {slo_ms:g} ms")
    bottom.set_yscale("log")
    bottom.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    bottom.yaxis.set_minor_formatter(NullFormatter())
    bottom.yaxis.set_major_formatter(_PLAIN)
    bottom.set_ylabel("p99 latency, ms")
    _legend(bottom)
    _time_axis(bottom, replay)
    return _svg(figure)


def _instances(axes: Axes, replay: Replay, times: Floats, every: int) -> None:
    axes.step(times, _most(replay.desired, every), where="post", color="#999999", lw=1, label="asked for")
    axes.step(times, _most(replay.running, every), where="post", color=RUNNING, lw=1.6, label="serving")
    for kind, colour in KINDS.items():
        made = [d for d in replay.decisions if d.kind == kind]
        acts = [d for d in made if d.changes_capacity]
        if made:
            shown = acts or made
            axes.scatter(
                _days(np.array([d.time for d in shown])),
                [d.new for d in shown],
                s=22,
                color=colour,
                zorder=3,
                label=f"{kind} ({len(acts)})",
            )
    axes.set_ylabel("instances")
    axes.set_ylim(bottom=0)
    _legend(axes)


def side_by_side(replays: Sequence[Replay], situation: Situation) -> str:
    """Cost and breaches of each way to scale."""
    figure = Figure(figsize=(10, 0.55 * len(replays) + 1.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names = [replay.name for replay in replays][::-1]
    costs = [replay.cost(situation.usd_per_hour) for replay in replays][::-1]
    breaches = [100 * replay.breach_share for replay in replays][::-1]
    bars = left.barh(names, costs, color=LOAD)
    left.bar_label(bars, labels=[f" {cost:,.2f}" for cost in costs])
    left.set_xlabel("USD")
    left.margins(x=0.18)
    colours = [LIMIT if breach > 1 else RUNNING for breach in breaches]
    bars = right.barh(names, breaches, color=colours)
    right.bar_label(bars, labels=[f" {breach:.2f} %" for breach in breaches])
    right.axvline(1, color=LIMIT, ls="--", lw=1)
    right.set_xscale("symlog", linthresh=1)  # half a percent matters, and one bar may be at 80
    right.xaxis.set_major_formatter(_PLAIN)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    right.set_xlabel("requests slower than the SLO, % (dashed: p99 just held)")
    right.set_xlim(0, 10 ** (0.4 + np.log10(max(1.5, *breaches))))
    return _svg(figure)


def trade_off(found: Recommendation, replays: Sequence[Replay], situation: Situation) -> str:
    """Cost against the worst share of slow requests, for the candidates that no other beats."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots()
    budget = found.budget
    axes.plot(*_points(found.curve, budget), color=LOAD, marker="o", ms=3, lw=1, label="best for each cost")
    axes.scatter(*_points([found.chosen_on_curve], budget), color=RUNNING, s=70, zorder=4, label="recommended" if found.best else "closest")
    axes.scatter(*_points([found.held_out], budget), color=RUNNING, s=70, facecolors="none", zorder=4, label="the same on unseen traffic")
    sample = _points([found.sample_held_out], budget)
    axes.scatter(*sample, color=SAMPLE, marker="s", facecolors="none", zorder=3, label="AWS sample notebook on unseen traffic")
    optimum = next(r for r in replays if r.name.startswith("clairvoyant"))
    axes.axvline(optimum.cost(situation.usd_per_hour), color="#666666", lw=1, ls=":", label="clairvoyant optimum")
    allowed = 100 * budget.slow_share
    axes.axhline(allowed, color=LIMIT, ls="--", lw=1, label=f"{allowed:.3g} % allowed")
    axes.set_yscale("symlog", linthresh=0.1)
    axes.yaxis.set_major_formatter(_PLAIN)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("USD for the length of the traffic")
    axes.set_ylabel(f"slower than the SLO {'on average' if budget.on_average else 'at worst'}, %")
    _legend(axes)
    return _svg(figure)


def _points(outcomes: Sequence[Outcome], budget: Budget) -> tuple[list[float], list[float]]:
    return [outcome.usd for outcome in outcomes], [100 * budget.slow(outcome) for outcome in outcomes]


def _days(unix_seconds: Floats) -> Floats:
    """matplotlib's dates: days since the epoch."""
    return np.asarray(unix_seconds / 86400.0)


def _times(replay: Replay) -> tuple[Floats, int]:
    """Times of the points shown, and how many ticks each stands for."""
    every = max(1, -(-len(replay.load) // _POINTS))
    return _days(replay.start + np.arange(0, len(replay.load), every) * replay.tick_seconds), every


def _most(values: np.typing.NDArray[np.generic], every: int) -> Floats:
    """The largest of each `every` values, so that a short peak stays visible."""
    padded = np.pad(np.asarray(values, dtype=float), (0, -len(values) % every), mode="edge")
    return np.asarray(padded.reshape(-1, every).max(axis=1))


def _time_axis(axes: Axes, replay: Replay) -> None:
    locator = dates.AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    axes.set_xlabel("time (UTC)")
    axes.margins(x=0.01)


def _legend(axes: Axes) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.2)


def _svg(figure: Figure) -> str:
    """SVG without the XML prologue; the same figure gives the same text."""
    with mpl.rc_context({"svg.hashsalt": "capacity", "svg.fonttype": "none", "font.family": "sans-serif"}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return re.sub(r'(<svg[^>]*?) width="[^"]*pt" height="[^"]*pt"', r"\1", text[text.index("<svg") :], count=1)
