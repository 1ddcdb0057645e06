"""The one preparation, used by training and serving: fit on training rows -> plain JSON -> transform any rows.

Input: numeric columns as float64 with NaN for missing, categorical ones as distinct values and codes.
Output: a float32 matrix (rows x prepared columns). The order of operations on a number is fixed (fill, clip,
centre, scale, round to float32), so one row alone and the same row among a million give the same bits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Labels = tuple[Sequence[str | None], Codes]
Matrix = NDArray[np.float32]

OTHER = "<other>"
MISSING = "<missing>"
#: Rows per chunk of a large table: keeps the working set inside the processor's cache.
CHUNK_ROWS = 32_768


def labels(values: Sequence[str | None]) -> Labels:
    """Each value once, in the order in which they come, and which of them each row has."""
    place: dict[str | None, int] = {}
    codes = [place.setdefault(value, len(place)) for value in values]
    return list(place), np.array(codes, dtype=np.int64)


# ------------------------------------------------------------------------------------------------- fit


def fit(
    numeric: Mapping[str, Floats],
    categorical: Mapping[str, Labels],
    preparation: Mapping[str, Any],
    declared: Mapping[str, Collection[str] | None] | None = None,
) -> dict[str, Any]:
    """The fitted state as JSON values, from training rows only. `preparation`: the model's `Preparation` as a dict.

    `declared`: by column, the only categories that can be more than `<other>`; None for a column of which all can.
    """
    only = declared or {}
    return {
        "numeric": [_fit_numeric(name, values, preparation) for name, values in numeric.items()],
        "categorical": [_fit_categorical(name, values, preparation, only.get(name)) for name, values in categorical.items()],
        "selected": None,
    }


def _fit_numeric(name: str, values: Floats, preparation: Mapping[str, Any]) -> dict[str, Any]:
    present = values[~np.isnan(values)]
    lower, upper = _bounds(present, preparation["outlier_rule"], preparation["outlier_factor"])
    clipped = np.clip(present, lower, upper)
    fill = _fill(clipped, preparation["numeric_imputation"])
    centre, scale = _normalisation(clipped, preparation["normalisation"])
    return {
        "name": name,
        "lower": None if np.isinf(lower) else float(lower),
        "upper": None if np.isinf(upper) else float(upper),
        "fill": fill,
        "centre": centre,
        "scale": scale,
        "indicator": bool(preparation["missing_indicators"] and len(present) < len(values)),
    }


def _bounds(values: Floats, rule: str, factor: float) -> tuple[float, float]:
    """iqr: Tukey's fences. A column with no spread by the rule (most values equal) has no outliers, or its rare values would vanish."""
    if rule == "none":
        return -np.inf, np.inf
    if rule == "quantile":
        lower, upper = np.percentile(values, [factor, 100 - factor])
    elif rule == "zscore":
        spread = factor * np.std(values)
        lower, upper = np.mean(values) - spread, np.mean(values) + spread
    else:
        first, third = np.percentile(values, [25, 75])
        lower, upper = first - factor * (third - first), third + factor * (third - first)
    return (float(lower), float(upper)) if lower < upper else (-np.inf, np.inf)


def _fill(values: Floats, rule: str) -> float:
    if rule == "zero":
        return 0.0
    return float(np.median(values) if rule == "median" else np.mean(values))


def _normalisation(values: Floats, rule: str) -> tuple[float, float]:
    if rule == "none":
        return 0.0, 1.0
    if rule == "standard":
        centre, scale = np.mean(values), np.std(values)
    elif rule == "minmax":
        centre, scale = np.min(values), np.max(values) - np.min(values)
    else:
        first, centre, third = np.percentile(values, [25, 50, 75])
        scale = third - first
    return float(centre), float(scale) if scale > 0 else 1.0


def _fit_categorical(name: str, labels: Labels, preparation: Mapping[str, Any], only: Collection[str] | None) -> dict[str, Any]:
    """The most frequent categories, ties by name; the rest share `<other>` with categories never seen in training."""
    distinct, codes = labels
    counts = np.bincount(codes, minlength=len(distinct))
    present = [(-int(count), value) for value, count in zip(distinct, counts, strict=True) if value is not None and count]
    ranked = sorted((count, value) for count, value in present if only is None or value in only)
    kept = sorted(value for _, value in ranked[: preparation["max_categories"]])
    gaps = any(value is None and count for value, count in zip(distinct, counts, strict=True))
    return {"name": name, "categories": kept, "indicator": bool(preparation["missing_indicators"] and gaps)}


def outliers(state: Mapping[str, Any], numeric: Mapping[str, Floats]) -> NDArray[np.bool_]:
    """Mask of the rows with a value outside the fitted bounds; for `outlier_action="drop"`, which drops training rows only."""
    rows = len(next(iter(numeric.values()))) if numeric else 0
    outside = np.zeros(rows, dtype=bool)
    for column in state["numeric"]:
        values = numeric[column["name"]]
        if column["lower"] is not None:
            outside |= (values < column["lower"]) | (values > column["upper"])
    return outside


# ------------------------------------------------------------------------------------------- transform


class Preparer:
    """Applies a fitted state. Cheap to call for one row: everything that can be is computed here, once."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        columns = state["numeric"]
        self.numeric: list[str] = [column["name"] for column in columns]
        self.categorical: list[str] = [column["name"] for column in state["categorical"]]
        self._lower = np.array([-np.inf if column["lower"] is None else column["lower"] for column in columns])
        self._upper = np.array([np.inf if column["upper"] is None else column["upper"] for column in columns])
        self._fill = np.array([column["fill"] for column in columns])
        self._centre = np.array([column["centre"] for column in columns])
        self._scale = np.array([column["scale"] for column in columns])
        self._indicators = np.array([index for index, column in enumerate(columns) if column["indicator"]], dtype=np.int64)
        self._places, encoded = self._encoding(state["categorical"], len(columns) + len(self._indicators))
        self.known = [frozenset(column["categories"]) for column in state["categorical"]]  # of each categorical column
        everything = [*self.numeric, *(f"{self.numeric[index]}=<missing>" for index in self._indicators), *encoded]
        self._width = len(everything)
        self._selected = None if state["selected"] is None else np.array([everything.index(name) for name in state["selected"]])
        self.outputs: list[str] = everything if state["selected"] is None else list(state["selected"])
        self.sources = self._sources(everything)

    def _sources(self, everything: Sequence[str]) -> list[str]:
        """The raw column that each prepared column comes from."""
        origin = [*self.numeric, *(self.numeric[index] for index in self._indicators)]
        for name, (known, _) in zip(self.categorical, self._places, strict=True):
            origin += [name] * (len(known) + 1)
        return [origin[everything.index(name)] for name in self.outputs]

    @staticmethod
    def _encoding(columns: Sequence[Mapping[str, Any]], first: int) -> tuple[list[tuple[dict[str | None, int], int]], list[str]]:
        """For each column: the matrix column of every known value, and the one of all others."""
        places: list[tuple[dict[str | None, int], int]] = []
        names: list[str] = []
        for column in columns:
            known: dict[str | None, int] = {value: first + index for index, value in enumerate(column["categories"])}
            other = first + len(known)
            first = other + 1
            names += [f"{column['name']}={value}" for value in [*column["categories"], OTHER]]
            if column["indicator"]:
                known[None] = first
                first += 1
                names.append(f"{column['name']}={MISSING}")
            places.append((known, other))
        return places, names

    def transform(self, numeric: Floats, categorical: Sequence[Labels]) -> Matrix:
        """numeric: rows x numeric columns; categorical: one pair of distinct values and codes per column. Returns rows x outputs."""
        rows = len(numeric)
        places = [self._columns_of(index, labels) for index, labels in enumerate(categorical)]
        result = np.zeros((rows, self._width), dtype=np.float32)
        for start in range(0, rows, CHUNK_ROWS):
            chunk = slice(start, min(start + CHUNK_ROWS, rows))
            self._transform_chunk(numeric[chunk], [columns[chunk] for columns in places], result[chunk])
        return result if self._selected is None else np.ascontiguousarray(result[:, self._selected])

    def _columns_of(self, index: int, labels: Labels) -> Codes:
        """The matrix column that each row sets to one."""
        known, other = self._places[index]
        distinct, codes = labels
        return np.array([known.get(value, other) for value in distinct], dtype=np.int64)[codes]

    def _transform_chunk(self, numeric: Floats, places: Sequence[Codes], result: Matrix) -> None:
        gaps = np.isnan(numeric)
        values = np.where(gaps, self._fill, numeric)
        np.clip(values, self._lower, self._upper, out=values)
        values -= self._centre
        values /= self._scale
        count = values.shape[1]
        result[:, :count] = values
        result[:, count : count + len(self._indicators)] = gaps[:, self._indicators]
        rows = np.arange(len(result))
        for columns in places:
            result[rows, columns] = 1.0


def stack(columns: Mapping[str, Floats], names: Sequence[str], rows: int) -> Floats:
    """Named columns as one matrix in the order of `names`."""
    matrix = np.empty((rows, len(names)), dtype=np.float64)
    for index, name in enumerate(names):
        matrix[:, index] = columns[name]
    return matrix
