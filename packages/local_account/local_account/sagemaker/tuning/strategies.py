"""What a tuning job tries next. Pure: a strategy sees trial numbers and results, and answers points of the unit cube.

Random and Grid decide on trial i without looking at others, so the trials are the same whatever runs in parallel. Bayesian
looks at the results of trials 0 … i - parallel, exactly, so a seed gives the same trials again for the same parallelism.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from local_account.sagemaker.tuning.ranges import Categorical, HyperparameterRange

_CANDIDATES = 1000  # points at which the expected improvement is compared
_RANDOM_STARTS = 3  # trials before there is something to learn from


class Strategy(Protocol):
    """Decides on trials. `needs` says how many earlier trials must have ended before trial `index` can be decided."""

    def needs(self, index: int, parallel: int) -> int: ...

    def propose(self, index: int, results: Sequence[tuple[tuple[float, ...], float]]) -> tuple[float, ...]:
        """A point for trial `index`. `results` holds points and objectives (less is better) of earlier trials that ended well."""


def hyperparameters(ranges: Sequence[HyperparameterRange], point: Sequence[float]) -> dict[str, str]:
    return {item.name: item.value(unit) for item, unit in zip(ranges, point, strict=True)}


class Random:
    """Every trial uniform on the ranges' scales."""

    def __init__(self, dimensions: int, seed: int) -> None:
        self.dimensions, self.seed = dimensions, seed

    def needs(self, index: int, parallel: int) -> int:
        return 0

    def propose(self, index: int, results: Sequence[tuple[tuple[float, ...], float]]) -> tuple[float, ...]:
        generator = random.Random(f"{self.seed}/{index}")
        return tuple(generator.random() for _ in range(self.dimensions))


class Grid:
    """Every combination of categorical values once, as SageMaker's Grid."""

    def __init__(self, ranges: Sequence[Categorical]) -> None:
        axes = [[(number + 0.5) / len(item.values) for number in range(len(item.values))] for item in ranges]
        self.points = list(itertools.product(*axes))

    def needs(self, index: int, parallel: int) -> int:
        return 0

    def propose(self, index: int, results: Sequence[tuple[tuple[float, ...], float]]) -> tuple[float, ...]:
        return self.points[index]


class Bayesian:
    """Gaussian process with a Matérn 5/2 kernel and expected improvement (Jones, Schonlau & Welch 1998)."""

    def __init__(self, dimensions: int, seed: int) -> None:
        self.dimensions, self.seed = dimensions, seed
        self._start = Random(dimensions, seed)

    def needs(self, index: int, parallel: int) -> int:
        return max(0, index - parallel + 1) if index >= _RANDOM_STARTS else 0

    def propose(self, index: int, results: Sequence[tuple[tuple[float, ...], float]]) -> tuple[float, ...]:
        if index < _RANDOM_STARTS or len(results) < 2:
            return self._start.propose(index, results)
        import numpy as np
        from scipy.stats import norm

        points = np.array([point for point, _ in results])
        objectives = np.array([objective for _, objective in results])
        scaled = (objectives - objectives.mean()) / (objectives.std() or 1.0)
        candidates = np.random.default_rng([self.seed, index]).random((_CANDIDATES, self.dimensions))
        mean, deviation = self._fit(points, scaled).predict(candidates, return_std=True)
        deviation = np.maximum(deviation, 1e-9)
        improvement = scaled.min() - mean
        z = improvement / deviation
        expected = improvement * norm.cdf(z) + deviation * norm.pdf(z)
        return tuple(float(unit) for unit in candidates[int(np.argmax(expected))])

    def _fit(self, points: Any, scaled: Any) -> Any:
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import Matern, WhiteKernel
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

        kernel = Matern(length_scale=[0.3] * self.dimensions, length_scale_bounds=(0.02, 10), nu=2.5) + WhiteKernel(1e-3, (1e-6, 1.0))
        model = GaussianProcessRegressor(kernel, n_restarts_optimizer=1, random_state=self.seed)
        # One thread: these matrices are tiny, and the trials want the CPUs. Warnings: with few points, some length scales
        # stay at their bounds, which is fine here.
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(points, scaled)


def choose(name: str, ranges: Sequence[HyperparameterRange], seed: int) -> Strategy:
    """Strategy by its API name. Raises ValueError for one that is not emulated or does not fit the ranges."""
    if name == "Random":
        return Random(len(ranges), seed)
    if name == "Bayesian":
        return Bayesian(len(ranges), seed)
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
