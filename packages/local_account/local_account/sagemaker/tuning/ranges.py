"""Hyperparameter ranges and their scales. Pure.

A trial is a point of the unit cube, one coordinate for each hyperparameter; a scale maps it to values.
Scales: https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class RangeError(ValueError):
    """A range is impossible. The message names the hyperparameter."""


@dataclass(frozen=True)
class Numeric:
    """Integers or real numbers between two ends, both included. `scale`: Linear, Logarithmic or ReverseLogarithmic."""

    name: str
    low: float
    high: float
    scale: str = "Linear"
    integer: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise RangeError(f"hyperparameter {self.name}: MinValue {self.low:g} is more than MaxValue {self.high:g}")
        if self.scale == "Logarithmic" and self.low <= 0:
            raise RangeError(f"hyperparameter {self.name}: Logarithmic scaling needs a MinValue of more than 0, got {self.low:g}")
        if self.scale == "ReverseLogarithmic" and (self.integer or not 0 <= self.low <= self.high < 1):
            raise RangeError(f"hyperparameter {self.name}: ReverseLogarithmic scaling needs a continuous range within [0, 1)")

    def value(self, unit: float) -> str:
        """The value at a position from 0 to 1, as text, as SageMaker hands it to scripts."""
        if self.integer:
            # Each integer gets an equal share of the scale, ends included.
            low, high = self.low - 0.4999, self.high + 0.4999
            if self.scale == "Logarithmic":
                low = max(low, 0.5001)
            return str(int(min(max(round(self._at(unit, low, high)), self.low), self.high)))
        return repr(min(max(self._at(unit, self.low, self.high), self.low), self.high))

    def _at(self, unit: float, low: float, high: float) -> float:
        if self.scale == "Logarithmic":
            return math.exp(math.log(low) + unit * (math.log(high) - math.log(low)))
        if self.scale == "ReverseLogarithmic":
            return 1 - math.exp(math.log(1 - low) + unit * (math.log(1 - high) - math.log(1 - low)))
        return low + unit * (high - low)


@dataclass(frozen=True)
class Categorical:
    """One of several values, each as likely."""

    name: str
    values: tuple[str, ...]

    def value(self, unit: float) -> str:
        return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]


HyperparameterRange = Numeric | Categorical


def read(parameter_ranges: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[HyperparameterRange]:
    """Ranges of a tuning job's ParameterRanges, by name. Raises RangeError."""
    found: list[HyperparameterRange] = []
    for member, integer in (("IntegerParameterRanges", True), ("ContinuousParameterRanges", False)):
        for item in parameter_ranges.get(member, []):
            scale = item.get("ScalingType") or "Auto"
            found.append(
                Numeric(
                    item["Name"],
                    _number(item, "MinValue"),
                    _number(item, "MaxValue"),
                    _automatic(item) if scale == "Auto" else scale,
                    integer,
                )
            )
    for item in parameter_ranges.get("CategoricalParameterRanges", []):
        found.append(Categorical(item["Name"], tuple(item["Values"])))
    names = [item.name for item in found]
    if not found or len(names) != len(set(names)):
        raise RangeError(f"ParameterRanges: each of at least one hyperparameter once, got {names}")
    return sorted(found, key=lambda item: item.name)


def _automatic(item: Mapping[str, Any]) -> str:
    """AWS chooses a scale for Auto without saying how. Here: logarithmic from three orders of magnitude on."""
    low, high = _number(item, "MinValue"), _number(item, "MaxValue")
    return "Logarithmic" if low > 0 and high / low >= 1000 else "Linear"


def _number(item: Mapping[str, Any], member: str) -> float:
    try:
        return float(item[member])
    except ValueError as error:
        raise RangeError(f"hyperparameter {item['Name']}: {member} is {item[member]!r}, not a number") from error
