"""Searches for the cheapest settings that hold the SLO, also when the traffic turns out a little different.

Input: traffic, instance options, SLO. Every candidate is replayed (`batch.py`) on the given traffic and on seeded variations
of it; the cheapest whose worst replay holds the SLO wins and is judged once more on variations that the search has not seen.
Output: `Recommendation`, with the trade-off curve and a block to paste into settings.py. Next: `advice.py`, `page.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from capacity import batch
from capacity.candidates import Candidate, InstanceOption, Space
from capacity.model import Assumptions, require
from capacity.queueing import P99_BUDGET, LatencyTable
from capacity.traffic import Traffic

SEEN_SEEDS, HELD_OUT_SEEDS = (1, 2, 3, 4), (101, 102, 103, 104)
SEARCH_TICK_SECONDS = 20.0
ROUNDS, CHANGES_PER_ROUND, PARENTS = 3, 200, 12
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A candidate over several replays. Shape of `breaches` and `broken_hours`: (replays,)."""

    candidate: Candidate
    usd: float  # mean
    breaches: tuple[float, ...]  # share of requests slower than the SLO
    broken_hours: tuple[float, ...]  # hours in which more than 1 % were
    most_instances: int

    @property
    def worst_breach(self) -> float:
        return max(self.breaches)

    @property
    def worst_hours(self) -> float:
        return max(self.broken_hours)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How often the SLO may be broken: a share of the requests, and hours in which more than 1 % of them are slower.

    on_average: judge the mean of the replays instead of the worst; to do no worse than settings whose mean is known.
    margin: prefer a candidate that uses at most this part of slow_share, because other days are worse than those replayed.
    """

    slow_share: float = P99_BUDGET
    broken_hours: float = math.inf
    on_average: bool = False
    margin: float = 0.75

    def __post_init__(self) -> None:
        require(0 < self.slow_share < 1, f"share of slow requests is {100 * self.slow_share:g} %; allowed: between 0 and 100 %")
        require(self.broken_hours >= 0, f"hours broken is {self.broken_hours:g}; allowed: 0 or more")

    def used(self, outcome: Outcome) -> tuple[float, float]:
        """Share of slow requests and hours broken, as this budget counts them."""
        count = (lambda values: float(np.mean(values))) if self.on_average else max
        return count(outcome.breaches), count(outcome.broken_hours)

    def holds(self, outcome: Outcome, margin: float = 1.0) -> bool:
        slow, hours = self.used(outcome)
        return slow <= margin * self.slow_share and hours <= self.broken_hours

    def excess(self, outcome: Outcome) -> float:
        """0 within the margin, else how far beyond it: the share relative to its limit, plus hours."""
        slow, hours = self.used(outcome)
        return max(0.0, slow / (self.margin * self.slow_share) - 1) + max(0.0, hours - self.broken_hours)


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """`best` is None when no candidate holds the SLO; `closest` is then the one that breaks it least."""

    best: Outcome | None
    closest: Outcome
    held_out: Outcome  # `best`, or else `closest`, on traffic that the search has not seen
    sample: Outcome  # AWS's sample notebook defaults, on the search's traffic
    sample_held_out: Outcome
    budget: Budget
    curve: Sequence[Outcome] = field(default_factory=tuple)  # cheapest for each level of breaches, cheapest first
    tried: int = 0

    @property
    def chosen(self) -> Outcome:
        return self.best or self.closest

    @property
    def holds_unseen(self) -> bool:
        """Whether the choice keeps the budget on the traffic that the search has not seen, too."""
        return self.best is not None and self.budget.holds(self.held_out)


def recommend(
    traffic: Traffic,
    options: Sequence[InstanceOption],
    slo_seconds: float,
    assumptions: Assumptions,
    *,
    time_zone: str = "Etc/UTC",
    min_capacity: int = 1,
    max_capacity: int | None = None,
    budget: Budget = Budget(),
    rounds: int = ROUNDS,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Recommendation:
    """Search over settings and instance options: a grid, then `rounds` of small changes to the best so far.

    progress: called with (replays done, replays to do). workers: processes; 1 stays in this one.
    """
    spaces = [Space(traffic, option, assumptions, time_zone, min_capacity, max_capacity) for option in options]
    seen = [traffic, *[traffic.varied(seed) for seed in SEEN_SEEDS]]
    with _Replays(slo_seconds, assumptions, workers, progress) as replays:
        outcomes = replays.of([[*space.grid(), space.sample()] for space in spaces], seen)
        sample = min((o for o in outcomes if o.candidate.label), key=lambda o: o.usd)
        for seed in range(rounds):
            parents = [o.candidate for o in sorted(outcomes, key=lambda o: o.usd * (1 + budget.excess(o)))[:PARENTS]]
            space = next(space for space in spaces if space.option == parents[0].option)
            alike = [parent for parent in parents if parent.option == space.option]
            outcomes += replays.of([list(space.neighbours(alike, CHANGES_PER_ROUND, seed))], seen)
        chosen = choose(outcomes, budget)
        fresh = [traffic.varied(seed) for seed in HELD_OUT_SEEDS]
        held_out, sample_held_out = replays.of([[chosen.candidate], [sample.candidate]], fresh)
    return Recommendation(
        best=chosen if budget.holds(chosen) else None,
        closest=chosen,
        held_out=held_out,
        sample=sample,
        sample_held_out=sample_held_out,
        budget=budget,
        curve=pareto(outcomes),
        tried=len(outcomes),
    )


def choose(outcomes: Sequence[Outcome], budget: Budget) -> Outcome:
    """The cheapest that holds with a margin, else the cheapest that holds, else the one that breaks the SLO least."""
    for margin in (budget.margin, 1.0):
        holding = [o for o in outcomes if budget.holds(o, margin)]
        if holding:
            return min(holding, key=lambda o: (o.usd, o.worst_breach))
    return min(outcomes, key=lambda o: (budget.excess(o), o.usd))


def pareto(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Candidates that no other beats in both cost and breaches, cheapest first."""
    front: list[Outcome] = []
    for outcome in sorted(outcomes, key=lambda o: (o.usd, o.worst_breach)):
        if not front or outcome.worst_breach < front[-1].worst_breach - 1e-6:
            front.append(outcome)
    return tuple(front)


@dataclass(frozen=True)
class _Task:
    """One instance option's candidates on one traffic: what a worker process does."""

    group: int
    candidates: Sequence[Candidate]
    traffic: Traffic
    table: LatencyTable
    assumptions: Assumptions

    def run(self) -> batch.BatchResult:
        lanes = [candidate.configuration() for candidate in self.candidates]
        return batch.run(lanes, self.traffic, self.table, self.assumptions, tick_seconds=SEARCH_TICK_SECONDS)[0]


def _run_task(task: _Task) -> batch.BatchResult:
    return task.run()


class _Replays:
    """Replays groups of candidates, in this process or spread over several."""

    def __init__(self, slo_seconds: float, assumptions: Assumptions, workers: int, progress: Callable[[int, int], None] | None) -> None:
        self._slo_seconds, self._assumptions, self._progress = slo_seconds, assumptions, progress
        self._tables: dict[int, LatencyTable] = {}  # by id of the service time; each takes longer to make than a short replay
        self._pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else None

    def __enter__(self) -> _Replays:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def _table(self, option: InstanceOption) -> LatencyTable:
        if id(option.service) not in self._tables:
            self._tables[id(option.service)] = LatencyTable.of(option.service, self._slo_seconds)
        return self._tables[id(option.service)]

    def of(self, groups: Sequence[Sequence[Candidate]], traffics: Sequence[Traffic]) -> list[Outcome]:
        """One outcome for each candidate, over all traffics. The candidates of a group share an instance type."""
        tasks = [_Task(i, group, t, self._table(group[0].option), self._assumptions) for i, group in enumerate(groups) for t in traffics]
        to_do, done = sum(len(task.candidates) for task in tasks), 0
        results: list[list[batch.BatchResult]] = [[] for _ in groups]
        for task, result in zip(tasks, self._pool.map(_run_task, tasks) if self._pool else map(_run_task, tasks), strict=True):
            results[task.group].append(result)
            done += len(task.candidates)
            if self._progress and to_do > 100:
                self._progress(done, to_do)
        return [outcome for group, found in zip(groups, results, strict=True) for outcome in _outcomes(group, found)]


def _outcomes(group: Sequence[Candidate], results: Sequence[batch.BatchResult]) -> list[Outcome]:
    hours = np.mean([result.instance_hours for result in results], axis=0)
    most = np.max([result.most_instances for result in results], axis=0)
    return [
        Outcome(
            candidate=c,
            usd=float(hours[i]) * c.option.usd_per_hour,
            breaches=tuple(float(result.breach_share[i]) for result in results),
            broken_hours=tuple(float(result.breached_hours[i]) for result in results),
            most_instances=int(most[i]),
        )
        for i, c in enumerate(group)
    ]
