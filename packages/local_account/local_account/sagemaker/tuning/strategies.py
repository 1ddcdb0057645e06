"""What a tuning job tries. Pure: a strategy is the list of its trials' points in the unit cube, whatever runs in parallel.

Bayesian is a random search here, which says so in the account's log: what a model of earlier trials would choose is AWS's own secret, and
what follows a search does not depend on it. Hyperband draws at random, too, and stops some trials (`hyperband.py`).
Next: `ranges.py`, which makes values of a point.
"""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Sequence

from local_account.sagemaker.tuning.ranges import Categorical, HyperparameterRange

_log = logging.getLogger(__name__)

Point = tuple[float, ...]


def hyperparameters(ranges: Sequence[HyperparameterRange], point: Point) -> dict[str, str]:
    return {item.name: item.value(unit) for item, unit in zip(ranges, point, strict=True)}


def points(name: str, ranges: Sequence[HyperparameterRange], seed: int, most: int | None) -> list[Point]:
    """The points of a strategy by its API name; `most` is MaxNumberOfTrainingJobs. Raises ValueError for ranges that it does not take."""
    if name == "Grid":
        return _grid(ranges)[:most]
    if name == "Bayesian":
        _log.warning("tuning strategy Bayesian: the local account searches at random")
    generators = [random.Random(f"{seed}/{index}") for index in range(most or 1)]
    return [tuple(generator.random() for _ in ranges) for generator in generators]


def _grid(ranges: Sequence[HyperparameterRange]) -> list[Point]:
    """Every combination of categorical values once, as SageMaker's Grid."""
    categorical = [item for item in ranges if isinstance(item, Categorical)]
    if len(categorical) != len(ranges):
        raise ValueError("Strategy Grid takes categorical ranges only")
    axes = [[(number + 0.5) / len(item.values) for number in range(len(item.values))] for item in categorical]
    return list(itertools.product(*axes))
