"""The configured scaling side by side with its parts, with a static fleet and with what perfect foresight would need.

Inputs as for `simulate.py`. Output: rows for the table and the page. Next: `page.py`, `recommend.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from capacity.model import RANDOM, Assumptions, Configuration, StepPolicy, TargetTrackingPolicy
from capacity.queueing import GRID, P99_BUDGET, LatencyTable
from capacity.service import ServiceTime
from capacity.simulate import TICK_SECONDS, Counts, Floats, Replay, judge, simulate
from capacity.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What configurations are judged on."""

    traffic: Traffic
    service: ServiceTime
    slo_seconds: float
    usd_per_hour: float
    assumptions: Assumptions
    _tables: dict[str, LatencyTable] = field(default_factory=dict, repr=False, compare=False)  # by routing strategy

    def table(self, routing: str) -> LatencyTable:
        """Latencies with this routing strategy; made once."""
        if routing not in self._tables:
            self._tables[routing] = LatencyTable.of(self.service, self.slo_seconds, routing, self.assumptions)
        return self._tables[routing]

    def replay(self, configuration: Configuration, name: str) -> Replay:
        return simulate(
            configuration,
            self.traffic,
            self.service,
            slo_seconds=self.slo_seconds,
            assumptions=self.assumptions,
            name=name,
            table=self.table(configuration.routing),
        )


def parts(configuration: Configuration) -> dict[str, Configuration]:
    """Each kind of scaling alone, where it is configured, and all together."""
    tracking = tuple(p for p in configuration.policies if isinstance(p, TargetTrackingPolicy))
    steps = tuple(p for p in configuration.policies if isinstance(p, StepPolicy))
    actions = configuration.scheduled_actions
    found = {
        "target tracking": replace(configuration, policies=tracking, scheduled_actions=()) if tracking else None,
        "step": replace(configuration, policies=steps, scheduled_actions=()) if steps else None,
        "scheduled": replace(configuration, policies=(), scheduled_actions=actions) if actions else None,
        "combination": configuration,
    }
    return {name: part for name, part in found.items() if part is not None}


def compare(configuration: Configuration, situation: Situation) -> list[Replay]:
    """Replays of the parts, the combination, the cheapest static fleet and the clairvoyant optimum, in this order."""
    replays = [situation.replay(part, name) for name, part in parts(configuration).items()]
    return [*replays, static_fleet(situation, configuration.routing), clairvoyant(situation, configuration.routing)]


def static_fleet(situation: Situation, routing: str = RANDOM, budget: float = P99_BUDGET) -> Replay:
    """The smallest constant number of instances that keeps the SLO, found by bisection."""
    table = situation.table(routing)
    peak = float(situation.traffic.rate.max())
    high = max(1, math.ceil(peak / situation.service.max_requests_per_second))
    while _constant(situation, table, high).breach_share > budget:
        high *= 2
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _constant(situation, table, middle).breach_share > budget else (low, middle)
    return _constant(situation, table, high)


def _constant(situation: Situation, table: LatencyTable, count: int) -> Replay:
    load = situation.traffic.at_ticks(TICK_SECONDS)
    return _known_counts(situation, table, np.full(len(load), count, np.int64), load, f"static fleet of {count}")


def clairvoyant(situation: Situation, routing: str = RANDOM, budget: float = P99_BUDGET) -> Replay:
    """The fewest instances in each minute that keep that minute's SLO, known ahead and changed at no cost.

    No policy can be cheaper and keep the SLO in every minute; one that spends the 1 % on the peaks can be a little.
    """
    load, table = situation.traffic.at_ticks(TICK_SECONDS), situation.table(routing)
    full = situation.service.max_requests_per_second
    alone = max(float(GRID[1]), table.highest_utilisation(budget))
    most = max(1, math.ceil(float(load.max()) / (alone * full)))  # a larger fleet needs no more than as many single instances
    carried = np.array([count * full * table.highest_utilisation(budget, count) for count in range(1, most + 1)])
    counts = 1 + np.minimum(np.searchsorted(carried, load - 1e-9), most - 1)
    return _known_counts(situation, table, counts.astype(np.int64), load, "clairvoyant optimum")


def _known_counts(situation: Situation, table: LatencyTable, counts: Counts, load: Floats, name: str) -> Replay:
    waiting, lost = backlog_of(load, counts, situation.service.max_requests_per_second, situation.assumptions.client_timeout_seconds)
    return judge(name, situation.traffic.start, TICK_SECONDS, load, counts, counts, waiting, lost, (), table)


def backlog_of(load: Floats, counts: Counts, per_instance: float, timeout_seconds: float) -> tuple[Floats, Floats]:
    """Waiting and lost requests for each tick, when the instance counts are known."""
    surplus = (load - counts * per_instance) * TICK_SECONDS
    waiting, lost = np.zeros(len(load)), np.zeros(len(load))
    if float(surplus.max(initial=0.0)) <= 0:
        return waiting, lost
    most = counts * per_instance * timeout_seconds
    level = 0.0
    for i, change in enumerate(surplus.tolist()):
        level = max(0.0, level + change)
        if level > most[i]:
            lost[i] = level - most[i]
            level = float(most[i])
        waiting[i] = level
    return waiting, lost


def table_rows(replays: list[Replay], situation: Situation) -> list[tuple[str, ...]]:
    """Text cells: name, instances, scaling activities, SLO breaches, lost, instance-hours, cost."""
    show: Callable[[Replay], tuple[str, ...]] = lambda r: (  # noqa: E731  # one row is one expression
        r.name,
        f"{r.running.min()}-{r.running.max()}",
        str(sum(d.changes_capacity for d in r.decisions)),
        f"{100 * r.breach_share:.2f} %",
        "yes" if r.breach_share <= P99_BUDGET else "no",
        f"{r.breached_hours:,}",
        f"{r.lost:,.0f}",
        f"{r.instance_hours:,.1f}",
        f"{r.cost(situation.usd_per_hour):,.2f}",
    )
    return [show(replay) for replay in replays]


TABLE_HEADER = ("scaling", "instances", "activities", "slower than SLO", "p99 held", "hours broken", "lost", "instance-hours", "USD")
