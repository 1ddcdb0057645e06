"""Tables that windows are drawn from: two real ones, resampled, and three made up. Every draw is of the same distribution.

Both the reference and the window are draws, so where no drift is added there is none: rows of a real table that were kept apart once
would differ from the others by chance, and a window of 100,000 of them would show it rightly. `prediction` is what a fixed model
answers to each row. Output: `Table`s. Used by `false_alarms.py`, `power.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PREDICTION = "prediction"


@dataclass(frozen=True)
class Drawn:
    """Numeric columns (NaN: missing), columns of categories as texts (None: missing), and what the model answers. `truth`: if known."""

    numeric: dict[str, Floats]
    categorical: dict[str, NDArray[np.object_]]
    prediction: Floats
    truth: Floats | None = None

    def with_numeric(self, **columns: Floats) -> Drawn:
        return replace(self, numeric={**self.numeric, **columns})

    def with_categorical(self, **columns: NDArray[np.object_]) -> Drawn:
        return replace(self, categorical={**self.categorical, **columns})


@dataclass(frozen=True)
class Table:
    """`reference_rows`: how many rows its evaluation had."""

    name: str
    reference_rows: int
    draw: Callable[[np.random.Generator, int], Drawn]


def all_tables() -> list[Table]:
    return [
        _resampled("abalone", "rings", 627),
        _resampled("arrests", "released", 784),
        Table("sensors", 10_000, sensors),
        Table("shop", 10_000, shop),
        Table("wide", 10_000, wide),
    ]


def _resampled(name: str, target: str, reference_rows: int) -> Table:
    """Rows of an example of the template, with replacement; the reference has as many as the evaluation's test rows are."""
    from sklego import datasets

    frame = {"abalone": datasets.load_abalone, "arrests": datasets.load_arrests}[name](as_frame=True).drop(columns=target)
    numeric = {str(column): frame[column].to_numpy(np.float64) for column in frame.select_dtypes("number")}
    categorical = {str(column): frame[column].to_numpy(object) for column in frame.select_dtypes("object")}
    prediction = _answer(numeric)

    def draw(generator: np.random.Generator, rows: int) -> Drawn:
        chosen = generator.integers(0, len(frame), rows)
        return Drawn(
            {column: values[chosen] for column, values in numeric.items()},
            {column: values[chosen] for column, values in categorical.items()},
            prediction[chosen],
        )

    return Table(name, reference_rows, draw)


def _answer(numeric: Mapping[str, Floats]) -> Floats:
    """A fixed function of the columns, between 0 and 1."""
    together = sum((np.nan_to_num(values) - np.nanmean(values)) / (np.nanstd(values) + 1e-9) for values in numeric.values())
    return np.asarray(1 / (1 + np.exp(-together / np.sqrt(len(numeric)))), dtype=np.float64)


def sensors(generator: np.random.Generator, rows: int, positive: float = 0.3) -> Drawn:
    """12 columns. `x0` and `x1` correlate (0.7), `x2` has gaps, `x4` to `x6` follow the truth, of which `positive` is the share of ones."""
    truth = generator.random(rows) < positive
    values = generator.normal(size=(10, rows))
    values[1] = 0.7 * values[0] + np.sqrt(1 - 0.49) * values[1]
    values[4:7] += 0.8 * truth
    values[2][generator.random(rows) < 0.02] = np.nan
    numeric = {f"x{number}": column for number, column in enumerate(values)}
    site = generator.choice(np.array(list("abcde"), dtype=object), rows, p=[0.4, 0.25, 0.1, 0.15, 0.1])
    mode = generator.choice(np.array(["off", "on", "idle"], dtype=object), rows, p=[0.6, 0.3, 0.1])
    prediction = 1 / (1 + np.exp(1.8 - values[4:7].sum(axis=0)))
    return Drawn(numeric, {"site": site, "mode": mode}, prediction, truth.astype(np.float64))


def shop(generator: np.random.Generator, rows: int) -> Drawn:
    """30 columns as they come: heavy tails, many zeros, three values, a constant, up to a third missing, up to 50 categories."""
    numeric = {f"amount{number}": generator.lognormal(0, 0.5 + 0.25 * number, rows) for number in range(5)}
    numeric |= {
        f"bought{number}": np.where(generator.random(rows) < 0.6, 0, generator.poisson(2 + number, rows)) * 1.0 for number in range(5)
    }
    numeric |= {f"stars{number}": generator.choice([1.0, 2.0, 3.0], rows, p=[0.7, 0.27, 0.03]) for number in range(4)}
    numeric |= {"currency": np.ones(rows), "returned": (generator.random(rows) < 0.01) * 1.0}
    for number in range(4):
        column = generator.gamma(2, 3, rows)
        column[generator.random(rows) < 0.05 + 0.1 * number] = np.nan
        numeric[f"age{number}"] = column
    categorical = {}
    for number, count in enumerate((2, 3, 3, 5, 8, 12, 20, 30, 40, 50)):
        share = 1 / np.arange(1, count + 1)
        names = np.array([f"k{place}" for place in range(count)], dtype=object)
        categorical[f"kind{number}"] = generator.choice(names, rows, p=share / share.sum())
    prediction = np.log(numeric["amount0"] + numeric["amount1"] + numeric["bought0"] + 1)
    return Drawn(numeric, categorical, prediction)


def wide(generator: np.random.Generator, rows: int) -> Drawn:
    """200 columns: 180 numbers in ten blocks, correlated by 0.6 within each, and 20 of four categories that follow the blocks."""
    blocks = generator.normal(size=(10, rows))
    numeric = {f"x{number}": np.sqrt(0.6) * blocks[number % 10] + np.sqrt(0.4) * generator.normal(size=rows) for number in range(180)}
    names = np.array(list("abcd"), dtype=object)
    categorical = {
        f"k{number}": names[np.digitize(blocks[number % 10] + generator.normal(size=rows), [-1, 0.5, 2])] for number in range(20)
    }
    return Drawn(numeric, categorical, blocks[:5].sum(axis=0))
