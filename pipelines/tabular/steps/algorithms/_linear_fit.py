"""Fits linear models a batch of rows at a time: the sums that the solution needs, over all batches of all hosts.

In: batches of dense rows and the strength of the L2 penalty, which intercepts are free of. Out: coefficients (columns x scores),
intercepts (scores) and the mean of the columns. Memory is bounded by a batch of float64 and by columns x columns. Used by `linear.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from dataset import Batches, Part
from features import CHUNK_ROWS
from hosts import total
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Fitted = tuple[Floats, Floats, Floats]

#: Where L-BFGS stops: the largest slope of the mean loss, or so many steps (scikit-learn's default stops at 1e-4).
LARGEST_SLOPE, MOST_STEPS = 1e-6, 2000


def ridge(train: Batches, penalty: float) -> Fitted:
    """Weighted least squares with an L2 penalty, by the normal equations of centred columns (Hoerl & Kennard 1970)."""
    means = _sum(train, lambda x, y, w: np.concatenate([[w.sum()], w @ x, [w @ y], x.sum(axis=0), [len(x)]]))
    weight, columns = means[0], train.columns
    centre, middle = means[1 : columns + 1] / weight, means[columns + 1] / weight

    def products(x: Floats, y: Floats, w: Floats) -> Floats:
        moved = x - centre
        return np.column_stack([moved.T @ (moved * w[:, None]), moved.T @ (w * (y - middle))])

    both = _sum(train, products)
    coefficients = np.linalg.solve(both[:, :-1] + penalty * np.eye(columns), both[:, -1:])
    return coefficients, middle - centre @ coefficients, means[columns + 2 : -1] / means[-1]


def logistic(train: Batches, penalty: float, classes: int) -> Fitted:
    """Least log loss with an L2 penalty, by L-BFGS on the mean loss; two classes have one score, more have one each."""
    from scipy.optimize import minimize  # not needed to serve

    columns, scores = train.columns, 1 if classes == 2 else classes
    sums = _sum(train, lambda x, y, w: np.concatenate([[w.sum(), len(x)], x.sum(axis=0)]))
    weight = sums[0]

    def loss(flat: Floats) -> tuple[float, Floats]:
        packed = flat.reshape(columns + 1, scores)
        summed = _sum(train, lambda x, y, w: _loss(x, y, w, packed))
        slopes = summed[1:].reshape(columns + 1, scores) / weight
        slopes[:-1] += packed[:-1] * (penalty / weight)
        return float(summed[0] / weight + 0.5 * penalty / weight * (packed[:-1] ** 2).sum()), slopes.ravel()

    options = {"maxiter": MOST_STEPS, "gtol": LARGEST_SLOPE, "ftol": 64 * np.finfo(float).eps, "maxls": 50}
    found = minimize(loss, np.zeros((columns + 1) * scores), jac=True, method="L-BFGS-B", options=options).x.reshape(columns + 1, scores)
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
