"""Sums of float64 that are the same to the last bit in whatever order and parts the values come.

Each value is rounded to a multiple of 2^(e - 74), where 2^e is above the largest of them, and multiples are added as whole numbers. So a
sum of n values is off by at most n 2^(e - 75): 22 bits below the precision of the largest value. Method: Demmel and Nguyen,
"Parallel reproducible summation" (IEEE Transactions on Computers, 2015), with two bins. Used by `numeric_summary.py`.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from features import Floats

#: Values that are added as floats: 2^13 multiples of at most 2^37 are exact in 53 bits.
BLOCK_ROWS = 8192
_BITS = 37
#: Below it, multiples would be no numbers any more.
_SMALLEST_EXPONENT = -900


def exponent(largest: float) -> int:
    """That of the power of two above the values. `largest`: of all parts, without sign."""
    return max(math.frexp(largest)[1], _SMALLEST_EXPONENT)


def total(values: Floats, exponent: int) -> int:
    """The sum of one part, in units of 2^(exponent - 74): totals of parts are added. At most `BLOCK_ROWS` values, none beyond."""
    high = _rounded(values, exponent)
    low = _rounded(values - high, exponent - _BITS)
    return (_multiples(high, exponent - _BITS) << _BITS) + _multiples(low, exponent - 2 * _BITS)


def as_fraction(total: int, exponent: int) -> Fraction:
    return Fraction(total) * Fraction(2) ** (exponent - 2 * _BITS)


def _rounded(values: Floats, exponent: int) -> Floats:
    """To multiples of 2^(exponent - 37): where so large a number is added, the last bit of the sum is worth that much."""
    large = 1.5 * 2.0 ** (exponent - _BITS + 52)
    return (values + large) - large


def _multiples(values: Floats, exponent: int) -> int:
    return int(math.ldexp(float(np.sum(values)), -exponent))
