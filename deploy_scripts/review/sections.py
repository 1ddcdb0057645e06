"""The parts of what an approver is shown, and how numbers are written there. Pure. Next: evaluated.py, running.py; view.py joins them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

NONE = "–"
GOOD, BAD, WARN = "good", "bad", "warn"


class Row(NamedTuple):
    cells: Sequence[str]
    tone: str = ""


class Section(NamedTuple):
    """Sentences, and a table where `headers` are."""

    title: str
    lines: Sequence[str] = ()
    headers: Sequence[str] = ()
    rows: Sequence[Row] = ()


def measured(value: Mapping[str, Any]) -> str:
    return interval(value.get("value"), value.get("lower"), value.get("upper"))


def gain(difference: Mapping[str, Any] | None) -> str:
    return interval(difference["gain"], difference["lower"], difference["upper"], signed=True) if difference else NONE


def interval(value: float | None, lower: float | None, upper: float | None, *, signed: bool = False) -> str:
    """`2.13 (2.01 to 2.25)`; without an interval where none was measured."""
    if value is None:
        return NONE
    sign = "+" if signed else ""
    known = lower is not None and upper is not None
    return f"{value:{sign}.4g}" + (f" ({lower:{sign}.3g} to {upper:{sign}.3g})" if known else "")


def tone(difference: Mapping[str, Any] | None) -> str:
    """Only what the interval is sure of."""
    if not difference or difference["lower"] is None or difference["upper"] is None:
        return ""
    return GOOD if difference["lower"] > 0 else BAD if difference["upper"] < 0 else ""


def figure(value: float | None) -> str:
    return NONE if value is None else f"{value:.4g}"


def ms(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f} ms"


def usd(value: float | None) -> str:
    return "a price that settings.py does not note" if value is None else f"{value:.2f} USD"
