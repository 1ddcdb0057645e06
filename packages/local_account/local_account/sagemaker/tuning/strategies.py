"""What a tuning job tries next. Pure: a strategy answers points of the unit cube, by the trial's number alone.

So the trials are the same whatever runs in parallel. Bayesian is a random search here, which says so in the account's log: what a model
of earlier trials would choose is AWS's own secret, and what follows a search does not depend on it.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from local_account.sagemaker.tuning.ranges import Categorical, HyperparameterRange

_log = logging.getLogger(__name__)


class Strategy(Protocol):
    """Decides on trials."""

    def propose(self, index: int) -> tuple[float, ...]:
        """The point of trial `index`."""


def hyperparameters(ranges: Sequence[HyperparameterRange], point: Sequence[float]) -> dict[str, str]:
    return {item.name: item.value(unit) for item, unit in zip(ranges, point, strict=True)}


class Random:
    """Every trial uniform on the ranges' scales."""

    def __init__(self, dimensions: int, seed: int) -> None:
        self.dimensions, self.seed = dimensions, seed

    def propose(self, index: int) -> tuple[float, ...]:
        generator = random.Random(f"{self.seed}/{index}")
        return tuple(generator.random() for _ in range(self.dimensions))


class Grid:
    """Every combination of categorical values once, as SageMaker's Grid."""

    def __init__(self, ranges: Sequence[Categorical]) -> None:
        axes = [[(number + 0.5) / len(item.values) for number in range(len(item.values))] for item in ranges]
        self.points = list(itertools.product(*axes))

    def propose(self, index: int) -> tuple[float, ...]:
        return self.points[index]


def choose(name: str, ranges: Sequence[HyperparameterRange], seed: int) -> Strategy:
    """Strategy by its API name. Raises ValueError for one that is not emulated or does not fit the ranges."""
    if name == "Bayesian":
        _log.warning("tuning strategy Bayesian: the local account searches at random")
    if name in ("Random", "Bayesian"):
        return Random(len(ranges), seed)
    if name == "Grid":
        categorical = [item for item in ranges if isinstance(item, Categorical)]
        if len(categorical) != len(ranges):
            raise ValueError("Strategy Grid takes categorical ranges only")
        return Grid(categorical)
    raise ValueError(f"the local account does not implement tuning strategy {name!r}; it has Random, Grid and Bayesian")


def number_of_trials(strategy: Strategy, limits: Mapping[str, Any]) -> int:
    """MaxNumberOfTrainingJobs, or all combinations of a grid that does not say."""
    asked = limits.get("MaxNumberOfTrainingJobs")
    if isinstance(strategy, Grid):
        return min(len(strategy.points), int(asked or len(strategy.points)))
    return int(asked or 1)
