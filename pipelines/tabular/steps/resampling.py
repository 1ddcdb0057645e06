"""Bootstrap resamples as weights: how often each row was drawn, so that metrics of a thousand resamples are a few matrix products.

Input: a number of rows. Output: weights, resampled statistics, percentile intervals (Efron & Tibshirani 1993, chapter 13).
The same for the same rows, count and seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 1000
CONFIDENCE = 0.95
SEED = 20
LARGEST_BLOCK = 4_000_000  # weights held at once: 32 MB
#: Rows that stand for all: of more, this many drawn at random. A thousand resamples of them for each metric and comparison take minutes.
MOST_ROWS = 50_000


def drawn(rows: int, most: int) -> NDArray[np.bool_]:
    """Which rows are kept: at most so many, drawn at random with a fixed seed."""
    chosen = np.zeros(rows, dtype=bool)
    chosen[np.random.default_rng(SEED).permutation(rows)[:most]] = True
    return chosen


def sample(rows: int) -> NDArray[np.bool_]:
    """Which rows stand for all where all would take too long: MOST_ROWS of them, or every one."""
    return drawn(rows, MOST_ROWS)


def resamples(rows: int, count: int = RESAMPLES, seed: int = SEED) -> Iterator[Floats]:
    """Blocks of bootstrap weights (resamples x rows)."""
    generator = np.random.default_rng(seed)
    block = max(1, min(count, LARGEST_BLOCK // max(rows, 1)))
    for start in range(0, count, block):
        size = min(block, count - start)
        drawn = generator.integers(0, rows, (size, rows)) + np.arange(size)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)


def bootstrap(statistics: Mapping[str, Callable[[Floats], Floats]], rows: int, count: int = RESAMPLES) -> dict[str, Floats]:
    """Each statistic of the same resamples, so that differences between them are paired."""
    blocks = [{name: statistic(weight) for name, statistic in statistics.items()} for weight in resamples(rows, count)]
    return {name: np.concatenate([block[name] for block in blocks]) for name in statistics}


def as_of_all(resampled: Floats, of_drawn: float, of_all: float, share: float) -> Floats:
    """What resamples of drawn rows, a `share` of all, say about a statistic of all rows.

    An estimate from m rows is off by sqrt(n / m) times what one from n rows is ("m out of n bootstrap": Bickel, Götze & van Zwet 1997).
    """
    return resampled if share == 1 else of_all + (resampled - of_drawn) * np.sqrt(share)


def interval(values: Floats) -> tuple[float | None, float | None]:
    """The central 95 % of the resampled values; None where a metric is undefined."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None, None
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(known, [tail, 1 - tail])
    return float(lower), float(upper)
