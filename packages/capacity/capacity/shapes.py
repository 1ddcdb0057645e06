"""Shapes of traffic that endpoints meet, as formulas. Rates are requests per second, times are seconds from Monday 00:00.

Used by `traffic.py` (`--traffic diurnal:peak=300`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_HOUR, _DAY = 3600.0, 86400.0


def _rise(hours: Floats, at: float, width: float) -> Floats:
    """A smooth step from 0 to 1 around `at`; `width` hours from 12 % to 88 %."""
    return np.asarray(1.0 / (1.0 + np.exp(-(hours - at) * 4.0 / width)))


def constant(times: Floats, *, peak: float) -> Floats:
    return np.full_like(times, peak)


def diurnal(times: Floats, *, peak: float, base: float) -> Floats:
    """Offices wake at eight, lunch is quieter, and evening fades from six on. `base` at night, `peak` before noon."""
    hours = times % _DAY / _HOUR
    working = _rise(hours, 8.0, 1.5) * (1 - _rise(hours, 19.0, 4.0))
    lunch = 0.15 * np.exp(-0.5 * ((hours - 13.0) / 0.8) ** 2)
    return np.asarray(base + (peak - base) * working * (1 - lunch))


def weekly(times: Floats, *, peak: float, base: float, weekend: float) -> Floats:
    """Diurnal from Monday to Friday; Saturday and Sunday have `weekend` of it, also as a share."""
    weekday = (times // _DAY % 7) < 5
    return np.asarray(base + (diurnal(times, peak=peak, base=base) - base) * np.where(weekday, 1.0, weekend))


def ramp(times: Floats, *, peak: float, base: float) -> Floats:
    """From `base` to `peak` in a straight line over the whole time."""
    return base + (peak - base) * times / max(float(times[-1]), 1.0)


def flash_crowd(times: Floats, *, peak: float, base: float, hour: float, rise_minutes: float, hold_minutes: float) -> Floats:
    """Quiet at `base`; each day at `hour` a link spreads: up to `peak` in `rise_minutes`, held, then half every 20 minutes."""
    since = (times % _DAY - hour * _HOUR) / 60.0
    up = np.clip(since / rise_minutes, 0.0, 1.0)
    down = 0.5 ** (np.maximum(0.0, since - rise_minutes - hold_minutes) / 20.0)
    return np.asarray(base + (peak - base) * up * down)


def launch(times: Floats, *, peak: float, base: float, hour: float) -> Floats:
    """A product launch: nothing much before `hour` of the first day, then `peak` within ten minutes, settling at half."""
    hours = times / _HOUR - hour
    up = np.clip(hours * 6.0, 0.0, 1.0)
    settled = 0.5 + 0.5 * np.exp(-np.maximum(0.0, hours) / 3.0)
    return np.asarray(base + (peak - base) * up * settled)


#: Each shape with the parameters it takes and their defaults. `days` is the length, for all of them.
SHAPES: Mapping[str, tuple[Callable[..., Floats], Mapping[str, float]]] = MappingProxyType(
    {
        "constant": (constant, {"days": 1.0, "peak": 50.0}),
        "diurnal": (diurnal, {"days": 1.0, "peak": 200.0, "base": 20.0}),
        "weekly": (weekly, {"days": 7.0, "peak": 200.0, "base": 20.0, "weekend": 0.3}),
        "ramp": (ramp, {"days": 1.0, "peak": 200.0, "base": 20.0}),
        "flash-crowd": (flash_crowd, {"days": 1.0, "peak": 200.0, "base": 40.0, "hour": 14.0, "rise_minutes": 3.0, "hold_minutes": 15.0}),
        "launch": (launch, {"days": 1.0, "peak": 200.0, "base": 5.0, "hour": 9.0}),
    }
)
