"""Searches for the cheapest settings that hold the SLO, also when the traffic turns out a little different.

Input: traffic, instance options, SLO. Every candidate is replayed (`batch.py`) on the given traffic and on seeded variations
of it. The best of them are replayed on more variations, because the best of a thousand is in part the luckiest; the cheapest
that holds there wins and is judged on variations that nothing before has seen.
Output: `Recommendation`, with the trade-off curve and the chosen `Candidate`. Next: `declaration.py`, `advice.py`, `page.py`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from capacity.candidates import InstanceOption, Space
from capacity.model import LEAST_OUTSTANDING_REQUESTS, Assumptions, Configuration
from capacity.outcome import WITHIN_P99, Budget, Outcome, Trial
from capacity.replays import Replays
from capacity.traffic import Traffic

SEEN_SEEDS, CHECK_SEEDS, HELD_OUT_SEEDS = tuple(range(1, 7)), tuple(range(21, 77)), tuple(range(101, 109))
ROUNDS, CHANGES_PER_ROUND, PARENTS = 3, 200, 12
FINALISTS, FINALS = 45, 4
LITTLE_MORE, RESERVE = 0.02, 0.3  # of the cost, and of what is saved: may be spent on safety


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """`best` is None when no candidate holds the SLO; `closest` is then the one that breaks it least."""

    best: Trial | None
    closest: Trial
    held_out: Outcome  # `best`, or else `closest`, on traffic that the search has not seen
    sample_held_out: Outcome  # AWS's sample notebook defaults, on the same traffic as `held_out`
    budget: Budget
    reference_held_out: Outcome | None = None  # what it was asked to be no worse than, on that traffic
    curve: Sequence[Trial] = field(default_factory=tuple)  # cheapest for each level of breaches, cheapest first
    tried: int = 0

    @property
    def chosen(self) -> Trial:
        return self.best or self.closest

    @property
    def chosen_on_curve(self) -> Trial:
        """The choice by the replays that made the curve; the finals gave it more."""
        return self.chosen.part(0, len(self.curve[0].breaches))

    @property
    def holds_unseen(self) -> bool:
        """Whether the choice keeps the budget on the traffic that the search has not seen, too."""
        budget = Budget.of(self.reference_held_out) if self.reference_held_out else self.budget
        return self.best is not None and budget.holds(self.held_out)


def recommend(
    traffic: Traffic,
    options: Sequence[InstanceOption],
    slo_seconds: float,
    assumptions: Assumptions,
    *,
    time_zone: str = "Etc/UTC",
    min_capacity: int = 1,
    max_capacity: int | None = None,
    routing: str = LEAST_OUTSTANDING_REQUESTS,
    budget: Budget = WITHIN_P99,
    no_worse_than: Configuration | None = None,
    rounds: int = ROUNDS,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Recommendation:
    """Search over settings and instance options: a grid, then `rounds` of small changes to the best so far, then the finals.

    no_worse_than: take the budget from what this configuration does on the same traffic, on the first of `options`.
    progress: called with (replays done, replays to do). workers: processes; 1 stays in this one.
    """
    spaces = [Space(traffic, option, assumptions, time_zone, min_capacity, max_capacity, routing) for option in options]
    seen, check, fresh = ([traffic.varied(seed) for seed in seeds] for seeds in (SEEN_SEEDS, CHECK_SEEDS, HELD_OUT_SEEDS))
    seen = [traffic, *seen]
    samples = [space.sample() for space in spaces]
    with Replays(slo_seconds, assumptions, workers, progress) as replays:
        first = final = budget  # of the search and of the finals
        reference = replays.reference(no_worse_than, options[0], [*seen, *check, *fresh]) if no_worse_than else None
        if reference:
            first, final = Budget.of(reference.part(0, len(seen))), Budget.of(reference.part(0, len(seen) + len(check)))
        trials = _search(spaces, seen, first, replays, rounds)
        chosen = _finals(trials, check, first, final, replays)
        [held_out] = replays.of([chosen.candidate], fresh)
        sample_held_out = min(replays.of(samples, fresh), key=lambda trial: trial.usd)
    return Recommendation(
        best=chosen if final.holds(chosen) else None,
        closest=chosen,
        held_out=held_out,
        sample_held_out=sample_held_out,
        budget=final,
        reference_held_out=reference.part(-len(fresh), None) if reference else None,
        curve=pareto(trials, final),
        tried=len(trials),
    )


def _search(spaces: Sequence[Space], seen: Sequence[Traffic], budget: Budget, replays: Replays, rounds: int) -> list[Trial]:
    """The grid, then small changes to the cheapest; what is beyond the budget counts as that much dearer."""
    trials = replays.of([candidate for space in spaces for candidate in space.grid()], seen)
    for seed in range(rounds):
        ranked = sorted(trials, key=lambda trial: trial.usd * (1 + budget.excess(trial)))
        parents = [trial.candidate for trial in ranked[:PARENTS]]
        space = next(space for space in spaces if space.option == parents[0].option)
        alike = [parent for parent in parents if parent.option == space.option]
        trials += replays.of(list(space.neighbours(alike, CHANGES_PER_ROUND, seed)), seen)
    return trials


def _finals(trials: Sequence[Trial], check: Sequence[Traffic], first: Budget, final: Budget, replays: Replays) -> Trial:
    """The choice among the best, after more traffic. While none holds there, those that had more to spare before are tried."""
    checked: list[Trial] = []
    left = list(trials)
    for turn in range(FINALS):
        best = _finalists(left, replace(first, margin=first.margin * 0.7**turn))
        taken = {id(trial) for trial in best}
        left = [trial for trial in left if id(trial) not in taken]
        more = replays.of([trial.candidate for trial in best], check)
        checked += [trial.joined(other) for trial, other in zip(best, more, strict=True)]
        if any(final.holds(trial, with_margin=True) for trial in checked):
            break
    return choose(checked, final)


def _finalists(trials: Sequence[Trial], budget: Budget) -> list[Trial]:
    """The cheapest within the margin, or next to it; the safest that do not cost much more; the cheapest without a margin."""
    third = FINALISTS // 3
    cheapest = sorted(trials, key=lambda trial: (budget.excess(trial) > 0, trial.usd * (1 + budget.excess(trial))))[:third]
    limit = _limit(cheapest[0].usd, budget.usd)
    affordable = [trial for trial in trials if trial.usd <= limit and budget.excess(trial) == 0]
    holding = [trial for trial in trials if budget.holds(trial)]
    groups = [cheapest, sorted(affordable, key=_safety)[:third], sorted(holding, key=lambda trial: trial.usd)[:third]]
    return list({id(trial): trial for group in groups for trial in group}.values())


def choose(trials: Sequence[Trial], budget: Budget) -> Trial:
    """The cheapest that holds with a margin, else the cheapest that holds, else the one that breaks the SLO least.

    A margin that makes it dearer than the budget would like is left out, if that helps. Of those that do not cost much more than
    the cheapest, the safest is taken.
    """
    for usd, with_margin in itertools.product((budget.usd, math.inf), (True, False)):
        holding = [trial for trial in trials if trial.usd < usd and budget.holds(trial, with_margin=with_margin)]
        if holding:
            limit = _limit(min(trial.usd for trial in holding), usd)
            return min((trial for trial in holding if trial.usd <= limit), key=_safety)
    return min(trials, key=lambda trial: (budget.excess(trial), trial.usd))


def _limit(cheapest_usd: float, usd: float) -> float:
    """What safety may cost: a little more than the cheapest or, where `usd` is to be undercut, a part of what that saves."""
    return cheapest_usd + (LITTLE_MORE * cheapest_usd if math.isinf(usd) else RESERVE * (usd - cheapest_usd))


def _safety(trial: Trial) -> tuple[float, float]:
    """Fewer hours that are broken or nearly so, then fewer slow requests."""
    return sum(trial.strained_hours), sum(trial.breaches)


def pareto(trials: Sequence[Trial], budget: Budget = WITHIN_P99) -> tuple[Trial, ...]:
    """Candidates that no other beats in both cost and slow requests, cheapest first."""
    front: list[Trial] = []
    for trial in sorted(trials, key=lambda trial: (trial.usd, budget.slow(trial))):
        if not front or budget.slow(trial) < budget.slow(front[-1]) - 1e-6:
            front.append(trial)
    return tuple(front)
