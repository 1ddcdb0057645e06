"""A made-up table: 24 numeric columns with gaps and outliers, 6 categorical ones from 3 to 1000 categories, some with gaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from pipelines.tabular.competitors import COMPETITORS
from settings_schema import Batch, Categorical, DataSet, Model, Numeric, Problem

NUMERIC = [f"n{index:02}" for index in range(24)]
CATEGORIES = {"c3": 3, "c8": 8, "c20": 20, "c50": 50, "c200": 200, "c1000": 1000}
WITH_GAPS = {"c8", "c200"}
PIECE_ROWS = 1_000_000


def model_of(numeric: Sequence[str], categorical: Iterable[str]) -> Model:
    return Model(
        name="made-up",
        data=DataSet(
            problem=Problem.REGRESSION,
            target="target",
            numeric=tuple(Numeric(name=name) for name in numeric),
            categorical=tuple(Categorical(name=name) for name in categorical),
            metric="rmse",
            threshold=1.0,
        ),
        algorithms=COMPETITORS,
        serving={"nowhere": Batch()},
    )


MODEL = model_of(NUMERIC, CATEGORIES)


def write(path: Path, rows: int, model: Model = MODEL) -> None:
    """One Parquet file of `rows` rows of a model's columns, the same for the same number, in row groups of `PIECE_ROWS`."""
    generator = np.random.default_rng(11)
    sizes = [min(PIECE_ROWS, rows - begun) for begun in range(0, rows, PIECE_ROWS)]
    columns = len(model.data.numeric), [column.name for column in model.data.categorical]
    first = _piece(generator, sizes[0], *columns)
    with parquet.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for size in sizes[1:]:
            writer.write_table(_piece(generator, size, *columns))


def _piece(generator: np.random.Generator, rows: int, numeric: int, categorical: Sequence[str]) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for index, name in enumerate(NUMERIC[:numeric]):
        values = generator.normal(index, 1 + index / 4, rows)
        values[generator.random(rows) < 0.01] *= 30  # outliers
        gaps = generator.random(rows) < (0.05 if index % 3 == 0 else 0.0)
        columns[name] = pa.array(values, mask=gaps)
    for name in categorical:
        # Frequencies fall like 1/rank, as those of towns and products do.
        count = CATEGORIES[name]
        weights = 1 / np.arange(1, count + 1)
        codes = generator.choice(count, rows, p=weights / weights.sum())
        texts = pa.array([f"{name}-{index:04}" for index in range(count)])
        columns[name] = texts.take(pa.array(codes, mask=generator.random(rows) < 0.03 if name in WITH_GAPS else None))
    columns["target"] = pa.array(generator.normal(0, 1, rows))
    return pa.table(columns)
