"""The range that a column of numbers may have: wider than what the file happens to hold, since what is outside is refused.

The rule: half of the span is added at each end and rounded outwards to one digit of the span; 0 is not crossed where nothing in the
file is on its other side; a column of years takes 1900 to 2100. Used by `roles.py`.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from build_scripts.drafting.columns import Column
from build_scripts.step_modules import load

_ROOM = Decimal("0.5")
FIRST_YEAR, LAST_YEAR = 1900, 2100


def of(column: Column) -> tuple[str, str, str]:
    """Minimum and maximum as they are written in Python, and why."""
    low, high = Decimal(repr(column.lowest)), Decimal(repr(column.highest))
    found = f"{column.lowest:.7g} to {column.highest:.7g}"
    if are_years(column):
        return str(FIRST_YEAR), str(LAST_YEAR), f"years, {found}"
    span = (high - low) or abs(high) or Decimal(1)
    step = Decimal(1).scaleb(span.adjusted())
    least, most = ((low - _ROOM * span) / step).to_integral_value(ROUND_FLOOR) * step, _up(high + _ROOM * span, step)
    least = Decimal(0) if low >= 0 > least else least
    most = Decimal(0) if high <= 0 < most else most
    largest = Decimal(load("allowed").LARGEST)
    return _written(max(least, -largest)), _written(min(most, largest)), f"{found}, with room of half of that on either side"


def are_years(column: Column) -> bool:
    return column.is_whole and column.different > 1 and column.lowest >= FIRST_YEAR and column.highest <= LAST_YEAR


def _up(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_CEILING) * step


def _written(value: Decimal) -> str:
    """As a person writes it: 0.5, 12000; with an exponent where that would be long."""
    number = float(value)
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    return repr(number) if math.isfinite(number) else "None"
