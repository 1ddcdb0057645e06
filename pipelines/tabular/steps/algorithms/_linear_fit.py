"""Fits linear models a batch of rows at a time: the sums that the solution needs, over all batches of all hosts.

In: batches of dense rows and the strength of the L2 penalty, which intercepts are free of. Out: coefficients (columns x scores),
intercepts (scores) and the mean of the columns. `signs`: of each column the sign that its coefficients must have, 0 for any, None for all
0. Memory is bounded by a batch of float64 and by columns x columns. Used by `linear.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from dataset import Batches, Part
from features import CHUNK_ROWS
from hosts import total
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Fitted = tuple[Floats, Floats, Floats]
Signs = Sequence[int] | None

#: Where L-BFGS stops: the largest slope of the mean loss, or so many steps (scikit-learn's default stops at 1e-4).
LARGEST_SLOPE, MOST_STEPS = 1e-6, 2000
#: Of a count's logarithm. Beyond it the loss goes on as a straight line, so that a step too far is no infinite number.
LARGEST_LOGARITHM = 30.0
#: By how much the corner of a quantile's loss is rounded, in standard deviations of the answers: L-BFGS needs slopes.
CORNER = 0.02


def ridge(train: Batches, penalty: float, signs: Signs = None) -> Fitted:
    """Weighted least squares with an L2 penalty, by the normal equations of centred columns (Hoerl & Kennard 1970)."""
    means = _sum(train, lambda x, y, w: np.concatenate([[w.sum()], w @ x, [w @ y], x.sum(axis=0), [len(x)]]))
    weight, columns = means[0], train.columns
    centre, middle = means[1 : columns + 1] / weight, means[columns + 1] / weight

    def products(x: Floats, y: Floats, w: Floats) -> Floats:
        moved = x - centre
        return np.column_stack([moved.T @ (moved * w[:, None]), moved.T @ (w * (y - middle))])

    both = _sum(train, products)
    products_with_penalty = both[:, :-1] + penalty * np.eye(columns)
    coefficients = _solved(products_with_penalty, both[:, -1:], signs)
    return coefficients, middle - centre @ coefficients, means[columns + 2 : -1] / means[-1]


def _solved(matrix: Floats, right: Floats, signs: Signs) -> Floats:
    if signs is None:
        return np.asarray(np.linalg.solve(matrix, right))
    from scipy.optimize import lsq_linear  # not needed to serve

    root = np.linalg.cholesky(matrix)
    low, high = _bounds(signs)
    found = lsq_linear(root.T, np.linalg.solve(root, right[:, 0]), (low, high), method="bvls")
    return np.asarray(found.x)[:, None]


def _bounds(signs: Sequence[int]) -> tuple[Floats, Floats]:
    given = np.array(signs)
    return np.where(given > 0, 0.0, -np.inf), np.where(given < 0, 0.0, np.inf)


def logistic(train: Batches, penalty: float, classes: int, signs: Signs = None) -> Fitted:
    """Least log loss with an L2 penalty; two classes have one score, more have one each."""
    scores = 1 if classes == 2 else classes
    return _least(train, penalty, _loss, np.zeros((train.columns + 1, scores)), signs)


def poisson(train: Batches, penalty: float, signs: Signs = None) -> Fitted:
    """Most likely counts with an L2 penalty, the score being the logarithm of the expected count."""
    sums = _sum(train, lambda x, y, w: np.array([w.sum(), w @ y]))
    begin = np.zeros((train.columns + 1, 1))
    begin[-1] = np.log(sums[1] / sums[0]) if sums[1] else -LARGEST_LOGARITHM
    return _least(train, penalty, _poisson_loss, begin, signs)


def quantile(train: Batches, penalty: float, share: float) -> Fitted:
    """Least loss of a quantile with an L2 penalty, its corner rounded (Fernandes, Guerre and Horta 2021).

    Answers are standardised meanwhile: the slopes of this loss do not grow with the distance to them.
    """
    sums = _sum(train, lambda x, y, w: np.array([w.sum(), w @ y, w @ y**2]))
    middle = sums[1] / sums[0]
    spread = float(np.sqrt(max(sums[2] / sums[0] - middle**2, 0.0))) or 1.0

    def loss(x: Floats, y: Floats, w: Floats, packed: Floats) -> Floats:
        return _quantile_loss(x, (y - middle) / spread, w, packed, share)

    coefficients, intercepts, means = _least(train, penalty, loss, np.zeros((train.columns + 1, 1)), None)
    return coefficients * spread, intercepts * spread + middle, means


Loss = Callable[[Floats, Floats, Floats, Floats], Floats]


def _least(train: Batches, penalty: float, of: Loss, begin: Floats, signs: Signs) -> Fitted:
    """By L-BFGS on the mean loss. `begin`: coefficients and, last, intercepts. `of`: the sum of losses of some rows, and its slopes."""
    from scipy.optimize import minimize  # not needed to serve

    shape = begin.shape
    sums = _sum(train, lambda x, y, w: np.concatenate([[w.sum(), len(x)], x.sum(axis=0)]))
    weight = sums[0]

    def loss(flat: Floats) -> tuple[float, Floats]:
        packed = flat.reshape(shape)
        summed = _sum(train, lambda x, y, w: of(x, y, w, packed))
        slopes = summed[1:].reshape(shape) / weight
        slopes[:-1] += packed[:-1] * (penalty / weight)
        return float(summed[0] / weight + 0.5 * penalty / weight * (packed[:-1] ** 2).sum()), slopes.ravel()

    bounds = (
        None
        if signs is None
        else list(zip(*(np.append(end, free) for end, free in zip(_bounds(signs), (-np.inf, np.inf), strict=True)), strict=True))
    )
    options = {"maxiter": MOST_STEPS, "gtol": LARGEST_SLOPE, "ftol": 64 * np.finfo(float).eps, "maxls": 50}
    found = minimize(loss, begin.ravel(), jac=True, method="L-BFGS-B", bounds=bounds, options=options).x.reshape(shape)
    return found[:-1], found[-1], sums[2:] / sums[1]


def _loss(x: Floats, y: Floats, w: Floats, packed: Floats) -> Floats:
    """The sum of the weighted log losses of some rows, and its slopes by coefficient (columns x scores) and intercept."""
    raw = x @ packed[:-1] + packed[-1]
    if raw.shape[1] == 1:
        losses = np.logaddexp(0, raw[:, 0]) - y * raw[:, 0]
        error = w[:, None] * (0.5 + 0.5 * np.tanh(raw / 2) - y[:, None])  # the logistic function, which overflows nowhere in this form
    else:
        own = (np.arange(len(y)), y.astype(np.int64))
        top = raw.max(axis=1, keepdims=True)
        exponential = np.exp(raw - top)
        sums = exponential.sum(axis=1, keepdims=True)
        losses = (np.log(sums) + top)[:, 0] - raw[own]
        error = exponential / sums
        error[own] -= 1
        error *= w[:, None]
    return np.concatenate([[w @ losses], (x.T @ error).ravel(), error.sum(axis=0)])


def _poisson_loss(x: Floats, y: Floats, w: Floats, packed: Floats) -> Floats:
    """As `_loss`, of the likelihood of counts without what does not depend on the scores."""
    raw = (x @ packed[:-1] + packed[-1])[:, 0]
    known = np.minimum(raw, LARGEST_LOGARITHM)
    expected = np.exp(known)
    losses = expected * (1 + raw - known) - y * raw
    return _with_slopes(x, w @ losses, w * (expected - y))


def _quantile_loss(x: Floats, y: Floats, w: Floats, packed: Floats, share: float) -> Floats:
    """As `_loss`. Beyond some `CORNER`s from the answer it is the loss of the quantile."""
    beyond = y - (x @ packed[:-1] + packed[-1])[:, 0]
    losses = share * beyond + CORNER * np.logaddexp(0, -beyond / CORNER)
    return _with_slopes(x, w @ losses, w * (0.5 - 0.5 * np.tanh(beyond / CORNER / 2) - share))


def _with_slopes(x: Floats, loss: float, error: Floats) -> Floats:
    return np.concatenate([[loss], x.T @ error, [error.sum()]])


def _sum(train: Batches, of: Callable[[Floats, Floats, Floats], Floats]) -> Floats:
    """Of a function of features, target and weight, over all rows in their order: the same bits however many threads there are."""
    summed: Any = 0.0
    for part in _chunks(train):
        summed = summed + of(part.features.astype(np.float64), part.target, part.weight)
    return total(np.asarray(summed, dtype=np.float64))


def _chunks(train: Batches) -> Iterator[Part]:
    for part in train:
        for begin in range(0, part.rows, CHUNK_ROWS):
            yield part.cut(slice(begin, begin + CHUNK_ROWS))
