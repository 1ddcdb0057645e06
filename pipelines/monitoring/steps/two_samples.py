"""Tests of two rows of counts: could both have been drawn from the same distribution?

Every choice (scores, merged cells) depends on the pooled counts alone, as in a permutation test, so looking at the data first costs
nothing. Tails are not taken from the normal curve: at the levels that two hundred features need (1e-5), and with rare values, that
would be wrong by factors of ten. Input: counts of baseline and window over the same cells. Output: p-values. Used by `drift.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from feature_counts import Floats, Indices
from scipy.optimize import brentq
from scipy.special import chdtrc, gammaincc, logsumexp, ndtr, ndtri
from scipy.stats import hypergeom

#: Below this many standard deviations a normal tail is near enough, and the saddlepoint's formula loses its digits.
CENTRAL = 1.0
#: Cells nearer to what is expected than this many standard deviations are no evidence by themselves.
UNREMARKABLE = 2.0

__all__ = ["benjamini_hochberg", "cells", "location_and_spread", "normal_scores", "scores_test", "table"]


def normal_scores(pooled: Floats) -> Floats:
    """Of each bin: the standard normal quantile of its middle rank (van der Waerden 1952); rows of a bin are tied."""
    ranks = (np.cumsum(pooled) - pooled / 2) / pooled.sum()
    return np.asarray(ndtri(np.clip(ranks, 1e-12, 1 - 1e-12)), dtype=np.float64)


def location_and_spread(baseline: Floats, window: Floats) -> tuple[float, float] | None:
    """P-values of the normal scores and of their squares (Klotz 1962): has it moved, has it widened? For bins in their order.

    No rank test finds a shift of normal values sooner, and none of these needs them to be normal (Chernoff and Savage 1958).
    """
    filled = baseline + window > 0
    if not (baseline.any() and window.any() and np.count_nonzero(filled) > 2):
        return None  # of two values, `cells` says all there is to say, and exactly
    scores = normal_scores((baseline + window)[filled])
    location, spread = (scores_test(baseline[filled], window[filled], each) for each in (scores, scores**2))
    return location, spread


def scores_test(baseline: Floats, window: Floats, scores: Floats) -> float:
    """Two-sided p-value of the difference of the mean scores, by the saddlepoint of Lugannani and Rice (1980).

    The difference is one of two multinomial means, whose distribution is the pooled one; its cumulants are known, so its tail is too,
    skewed as it is where a value is rare or the samples differ in size.
    """
    rows, base = float(window.sum()), float(baseline.sum())
    share = (baseline + window) / (rows + base)
    centred = scores - share @ scores
    spread = float(np.sqrt(share @ centred**2))
    if spread <= 1e-9:
        return 1.0
    centred = centred / spread
    difference = float(centred @ (window / rows - baseline / base))
    if abs(difference) < CENTRAL * np.sqrt(1 / rows + 1 / base):
        return float(2 * ndtr(-abs(difference) / np.sqrt(1 / rows + 1 / base)))
    if difference < 0:
        centred, difference = -centred, -difference
    return min(1.0, 2 * _upper_tail(np.log(share), centred, rows, base, difference))


def _upper_tail(log_share: Floats, scores: Floats, rows: float, base: float, difference: float) -> float:
    def tilted(size: float, slope: float) -> tuple[float, float, float]:
        """Log moment-generating function of one row's score at `slope`, its mean and its variance there."""
        exponents = log_share + slope * scores
        total = float(logsumexp(exponents))
        weight = np.exp(exponents - total)
        mean = float(weight @ scores)
        return size * total, mean, float(weight @ (scores - mean) ** 2)

    def excess(slope: float) -> float:
        return tilted(rows, slope / rows)[1] - tilted(base, -slope / base)[1] - difference

    if difference > (scores.max() - scores.min()) * (1 - 1e-9):  # as far apart as two samples can be: no slope leads there
        return float(np.exp(rows * log_share[scores.argmax()] + base * log_share[scores.argmin()]))
    highest = 2 * difference / (1 / rows + 1 / base)
    while excess(highest) < 0:
        highest *= 2
    slope = float(brentq(excess, 0.0, highest, xtol=1e-9 * highest))
    (above, _, wide), (below, _, narrow) = tilted(rows, slope / rows), tilted(base, -slope / base)
    exponent = slope * difference - above - below
    root, step = np.sqrt(2 * max(exponent, 0.0)), slope * np.sqrt(wide / rows + narrow / base)
    if step <= 0 or root <= 0:
        return float(np.exp(-exponent))
    tail = ndtr(-root) + np.exp(-exponent) / np.sqrt(2 * np.pi) * (1 / step - 1 / root)
    return float(np.clip(tail, 0.0, np.exp(-exponent)))  # never above Chernoff's bound


def table(baseline: Floats, window: Floats) -> float:
    """Pearson's chi-squared test of the two rows of counts; cells without any row do not count.

    The statistic's variance is the multinomial one rather than that of its limit, which is too small where a cell is rare.
    """
    pooled = baseline + window
    filled = pooled > 0
    count, rows, base = int(np.count_nonzero(filled)), float(window.sum()), float(baseline.sum())
    if count < 2 or not rows or not base:
        return 1.0
    share = pooled[filled] / (rows + base)
    smaller = rows * base / (rows + base)
    statistic = float(smaller * np.sum((window[filled] / rows - baseline[filled] / base) ** 2 / share))
    excess = smaller**2 * (rows**-3 + base**-3) * (np.sum(1 / share) - count**2 - 2 * count + 2)
    variance = 2 * (count - 1) + max(0.0, float(excess))
    if variance <= 2 * (count - 1):
        return float(chdtrc(count - 1, statistic))
    scale = variance / (2 * (count - 1))
    return float(gammaincc((count - 1) / (2 * scale), statistic / (2 * scale)))


def cells(baseline: Floats, window: Floats) -> float:
    """Fisher's exact test of each cell against all others, the smallest p-value times the number of cells: has one value become frequent?

    Exact at every size, so it also judges the cells that are too rare for the other tests.
    """
    pooled = baseline + window
    rows, total = float(window.sum()), float(pooled.sum())
    filled = pooled > 0
    share = pooled / total if total else pooled
    spread = np.sqrt(rows * share * (1 - share) * (total - rows) / max(total - 1, 1))
    remarkable = np.flatnonzero(np.abs(window - rows * share) > UNREMARKABLE * spread)
    if not len(remarkable):
        return 1.0
    drawn = window[remarkable], int(total), pooled[remarkable].astype(np.int64), int(rows)
    above = hypergeom.sf(drawn[0] - 1, *drawn[1:])
    below = hypergeom.cdf(*drawn)
    return min(1.0, float(2 * np.minimum(above, below).min() * np.count_nonzero(filled)))


def merged(pooled: Floats, least: float) -> Indices:
    """For bins in their order: which cell each belongs to, neighbours together until they hold `least` rows."""
    places, place, held = np.zeros(len(pooled), dtype=np.int64), 0, 0.0
    for index, count in enumerate(pooled.tolist()):
        places[index] = place
        held += count
        if held >= least:
            place, held = place + 1, 0.0
    return np.minimum(places, max(place - 1, 0))  # what is left over joins the last cell


def pooled_rare(pooled: Floats, least: float) -> Indices:
    """For categories: which cell each belongs to; those with fewer than `least` rows share the last one."""
    kept = pooled >= least
    places = np.full(len(pooled), int(np.count_nonzero(kept)), dtype=np.int64)
    places[kept] = np.arange(np.count_nonzero(kept))
    return places


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """The false discovery rate at which each would just be a discovery (Benjamini and Hochberg 1995), in the order given.

    Where nothing has drifted, that a limit on these values raises an alarm at all is no likelier than the limit, for independent features
    and for positively dependent ones (Simes 1986; Sarkar 1998).
    """
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    steps = np.asarray(p_values, dtype=np.float64)[order] * count / np.arange(1, count + 1)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return [float(value) for value in adjusted]
