"""From sums of leaves to what a model answers, and where the sums start from: XGBoost's own arithmetic for one row, bit for bit.

In single precision, with the C library's `expf` and `logf`, which XGBoost calls, too: NumPy's differ in the last bit. Sources in XGBoost
3.2: `Sigmoid` and `Softmax` of src/common/math.h, `ProbToMargin` of src/objective/regression_loss.h, and the exponential of a count and of
a logarithm in src/objective/regression_obj.cu. Used by `leaf_bits.py`, `one_row.py`.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence

import numpy as np

REGRESSION, BINARY, MULTICLASS = "reg:squarederror", "binary:logistic", "multi:softprob"
QUANTILE, COUNT, LOG_MEAN = "reg:quantileerror", "count:poisson", "reg:gamma"
_ONE, _LARGEST_EXPONENT, _TINY = np.float32(1), np.float32(88.7), np.float32(1e-16)


@functools.cache
def _of_c(name: str) -> Callable[[float], float]:
    """float -> float. Raises OSError where the C library is no GNU one: the image's is."""
    function = getattr(ctypes.CDLL("libm.so.6"), name)
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    return function  # type: ignore[no-any-return] # ctypes has no types for what it loads


def margin_of(base: float, objective: str) -> float:
    """The sum that stands for a base score."""
    if objective in (COUNT, LOG_MEAN):
        return _of_c("logf")(base)
    if objective != BINARY:
        return base
    return -_of_c("logf")(float(_ONE / np.float32(base) - _ONE))


def answer_of(objective: str) -> Callable[[Sequence[np.float32]], list[float]] | None:
    """From the sums of a row to its value, the probability of its positive class, or one of each class. None: another objective."""
    answers = {BINARY: _sigmoid, MULTICLASS: _softmax, COUNT: _exponential, LOG_MEAN: _exponential}
    return {REGRESSION: _same, QUANTILE: _same, **answers}.get(objective)


def _same(sums: Sequence[np.float32]) -> list[float]:
    return [float(sums[0])]


def _exponential(sums: Sequence[np.float32]) -> list[float]:
    return [_of_c("expf")(float(sums[0]))]


def _sigmoid(sums: Sequence[np.float32]) -> list[float]:
    power = np.float32(_of_c("expf")(float(min(-sums[0], _LARGEST_EXPONENT))))
    return [float(_ONE / (power + _ONE + _TINY))]


def _softmax(sums: Sequence[np.float32]) -> list[float]:
    """Added in double precision and divided in single."""
    highest, exponential = max(sums), _of_c("expf")
    powers = [exponential(float(value - highest)) for value in sums]
    total = np.float32(sum(powers))
    return [float(np.float32(power) / total) for power in powers]
