"""A made-up table of 24 numbers and 6 categories with a yes or no that depends on them, written a block of rows at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from pipelines.tabular.competitors import COMPETITORS
from settings_schema import Batch, Categorical, DataSet, Facet, Model, Numeric, Problem

NUMERIC = [f"n{index:02}" for index in range(24)]
CATEGORIES = {"c3": 3, "c5": 5, "c8": 8, "c20": 20, "c50": 50, "c200": 200}
BLOCK_ROWS = 250_000

MODEL = Model(
    name="made-up",
    data=DataSet(
        problem=Problem.BINARY,
        target="answer",
        positive_class="yes",
        numeric=tuple(Numeric(name=name) for name in NUMERIC),
        categorical=tuple(Categorical(name=name) for name in CATEGORIES),
        facet=Facet(column="c3", disadvantaged="c3-2"),
        metric="auc",
        threshold=0.6,
    ),
    algorithms=COMPETITORS,
    serving={"nowhere": Batch()},
)


def write(path: Path, rows: int, seed: int) -> None:
    """One Parquet file, a row group for each block; the same for the same number and seed."""
    generator = np.random.default_rng(seed)
    writer = None
    for start in range(0, rows, BLOCK_ROWS):
        block = _block(generator, min(BLOCK_ROWS, rows - start))
        writer = writer or parquet.ParquetWriter(path, block.schema)
        writer.write_table(block)
    assert writer is not None
    writer.close()


def _block(generator: np.random.Generator, rows: int) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    score = generator.normal(0, 2, rows)
    for index, name in enumerate(NUMERIC):
        values = generator.normal(index, 1 + index / 4, rows)
        score += (values - index) / (1 + index)
        columns[name] = pa.array(values, mask=generator.random(rows) < (0.05 if index % 3 == 0 else 0.0))
    for name, count in CATEGORIES.items():
        codes = generator.integers(0, count, rows)
        score += codes % 3 == 0
        columns[name] = pa.array([f"{name}-{index}" for index in range(count)]).take(pa.array(codes))
    columns["answer"] = pa.array(["no", "yes"]).take(pa.array((score > 2).astype(np.int64)))
    return pa.table(columns)
