"""What replays of a configuration came to, and how much of the SLO it may break. Used by `replays.py` and `recommend.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from capacity.candidates import Candidate
from capacity.model import require
from capacity.queueing import P99_BUDGET

AS_GOOD_AS_NONE = 1e-5  # share of slow requests
_EACH = ("costs", "breaches", "broken_hours", "strained_hours")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A configuration over several replays. Each tuple has one value for each replay."""

    costs: tuple[float, ...]  # USD
    breaches: tuple[float, ...]  # share of requests slower than the SLO
    broken_hours: tuple[float, ...]  # hours in which more than 1 % were
    strained_hours: tuple[float, ...]  # hours in which that was nearly so, or so
    most_instances: int

    def part(self, begin: int, end: int | None) -> Self:
        """Some of its replays."""
        return replace(self, **{name: getattr(self, name)[begin:end] for name in _EACH})

    def joined(self, other: Outcome) -> Self:
        """Both sets of replays as one."""
        each = {name: getattr(self, name) + getattr(other, name) for name in _EACH}
        return replace(self, most_instances=max(self.most_instances, other.most_instances), **each)

    @property
    def usd(self) -> float:
        """Mean cost."""
        return float(np.mean(self.costs))

    @property
    def worst_breach(self) -> float:
        return max(self.breaches)

    @property
    def worst_hours(self) -> float:
        return max(self.broken_hours)


@dataclass(frozen=True, kw_only=True)
class Trial(Outcome):
    """What a candidate of the search did."""

    candidate: Candidate


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How often the SLO may be broken: a share of the requests, and hours in which more than 1 % of them are slower.

    on_average: judge the mean of the replays instead of the worst; to do no worse than settings whose mean is known.
    margin: a candidate is preferred if it uses at most this part of both, and if hours that are nearly broken count, too: other
    days may be worse than those replayed.
    usd: what it should cost less than; only a preference.
    """

    slow_share: float = P99_BUDGET
    broken_hours: float = math.inf
    on_average: bool = False
    margin: float = 0.75
    usd: float = math.inf

    def __post_init__(self) -> None:
        require(0 < self.slow_share < 1, f"share of slow requests is {100 * self.slow_share:g} %; allowed: between 0 and 100 %")
        require(self.broken_hours >= 0, f"hours broken is {self.broken_hours:g}; allowed: 0 or more")

    @classmethod
    def of(cls, reference: Outcome) -> Budget:
        """No more slow requests and no more broken hours than the reference has on the same traffic.

        The margin is small: on other days the reference has other traffic, too.
        """
        slow, hours = float(np.mean(reference.breaches)), float(np.mean(reference.broken_hours))
        return cls(slow_share=max(slow, AS_GOOD_AS_NONE), broken_hours=hours, on_average=True, margin=0.95, usd=reference.usd)

    def holds(self, outcome: Outcome, *, with_margin: bool = False) -> bool:
        slow, hours = self._used(outcome, with_margin)
        return slow <= self.slow_share and hours <= self.broken_hours

    def excess(self, outcome: Outcome) -> float:
        """0 within the margin, else how far beyond it: the share relative to its limit, plus hours."""
        slow, hours = self._used(outcome, with_margin=True)
        return max(0.0, slow / self.slow_share - 1) + max(0.0, hours - self.broken_hours)

    def slow(self, outcome: Outcome) -> float:
        """Share of slow requests, as this budget counts it."""
        return self._count(outcome.breaches)

    def _used(self, outcome: Outcome, with_margin: bool) -> tuple[float, float]:
        if with_margin:
            return self.slow(outcome) / self.margin, self._count(outcome.strained_hours) / self.margin
        return self.slow(outcome), self._count(outcome.broken_hours)

    def _count(self, values: Sequence[float]) -> float:
        return float(np.mean(values)) if self.on_average else max(values)


WITHIN_P99 = Budget()  # 99 % of the requests are in time, whatever the hours
