"""Spark prepares to the same bytes as one machine, and refuses in its words. Skipped by name where pyspark or Java is not there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import column_store
import dataset
import prepare
import pyarrow as pa
import pytest
import spark_cluster
import spark_engine
import spark_shares
from failure import BadInput
from prepare import OneMachine
from pyarrow import parquet
from spark_engine import SparkEngine

from pipelines.tabular.specification import specification_json
from settings_schema import Categorical, DataSet, Preparation, Retraining
from tests.example_models import model_of
from tests.steps.small_data import HOUSES, LOANS, SPECIES, houses, loans, species, write_csv

pytest.importorskip("pyspark", reason="pyspark is not installed: the extra `spark` of pyproject.toml has it (docs/scale.md)")
pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java, in which Spark runs (docs/scale.md)"),
]


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    """Spark's local mode: workers are processes, as in a cluster."""
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    with spark_cluster.running() as spark:
        yield spark


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files a task, some pieces of each; the workers cut as they do."""
    monkeypatch.setattr(spark_shares, "MOST_BYTES", 2500)
    monkeypatch.setattr(spark_engine, "_PIECES_IN_PARTITION", 2)


def run(folder: Path, engine: prepare.Engine, given: DataSet, *, learns: bool = False, **preparation: Any) -> dict[str, bytes]:
    """What the step writes of `folder/data`: bytes by path."""
    model = model_of(given).but(preparation=Preparation(**preparation), retraining=Retraining(learn_from_answers=learns))
    (folder / "specification.json").write_text(specification_json(model), encoding="utf-8")
    output = folder / type(engine).__name__
    prepare.run(["--data", str(folder / "data"), "--output", str(output), "--specification", str(folder / "specification.json")], engine)
    assert not [file for file in (*folder.rglob(".shard-*"), *folder.rglob(".columns-*"))]
    return {file.relative_to(output).as_posix(): file.read_bytes() for file in output.rglob("*") if file.is_file()}


def gaps(columns: dict[str, list[Any]], whole: str) -> dict[str, list[Any]]:
    """Every column has some but `whole`."""
    return {
        name: [None if row % 17 == place and name != whole else cell for row, cell in enumerate(cells)]
        for place, (name, cells) in enumerate(columns.items())
    }


def csv_files(folder: Path, columns: dict[str, list[Any]]) -> None:
    """Five files, their rows by turns in other lengths."""
    rows = len(next(iter(columns.values())))
    for number in range(5):
        part = slice(rows * number // 5, rows * (number + 1) // 5)
        write_csv(folder / "data" / f"{number}.csv", {name: cells[part] for name, cells in columns.items()})


def parquet_files(folder: Path, columns: dict[str, list[Any]]) -> None:
    """A file of many row groups, an empty one, and one in which texts have a dictionary."""
    (folder / "data").mkdir(parents=True)
    table = pa.table(columns)
    parquet.write_table(table.slice(0, 120), folder / "data" / "a.parquet", row_group_size=25)
    parquet.write_table(table.slice(0, 0), folder / "data" / "b.parquet")
    rest = table.slice(120)
    for place, field in enumerate(rest.schema):
        if pa.types.is_string(field.type):
            rest = rest.set_column(place, field.name, rest.column(place).dictionary_encode())
    parquet.write_table(rest, folder / "data" / "c.parquet", row_group_size=1000)


def learned_too(folder: Path, columns: dict[str, list[Any]]) -> None:
    csv_files(folder, columns)
    write_csv(folder / "data" / "learned" / "live" / "2026-11-27T14Z--2026-11-27T15Z.csv", houses(90, seed=9))


MANY = {**houses(), "town": [f"t{row % 60}" for row in range(200)]}
TABLES: dict[str, tuple[Callable[..., None], DataSet, dict[str, list[Any]], dict[str, Any]]] = {
    "gaps and outliers": (csv_files, HOUSES, gaps(houses(), "price"), {"outlier_action": "drop"}),
    "row groups": (parquet_files, HOUSES, gaps(houses(), "price"), {"outlier_rule": "quantile", "numeric_imputation": "mean"}),
    "identifiers": (csv_files, HOUSES.but(identifier="id"), {**houses(), "id": [f"h{row}" for row in range(200)]}, {}),
    "weights": (csv_files, LOANS, loans(), {"reweigh_facet": True, "balance_classes": True, "outlier_rule": "zscore"}),
    "classes": (parquet_files, SPECIES, species(), {"normalisation": "minmax", "select_features": 1}),
    "many categories": (parquet_files, HOUSES, MANY, {"max_categories": 7}),
    "learned rows": (learned_too, HOUSES, houses(), {"learns": True}),
    "coarse": (
        csv_files,
        LOANS.but(numeric=(), categorical=(Categorical(name="group", values=("a", "b")),)),
        {name: cells for name, cells in loans().items() if name != "income"},
        {},
    ),
}


@pytest.mark.usefixtures("in_pieces")
@pytest.mark.parametrize("name", list(TABLES))
def test_both_engines_write_the_same_bytes(tmp_path: Path, context: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write, given, columns, settings = TABLES[name]
    write(tmp_path, columns)
    assert run(tmp_path, SparkEngine(context), given, **settings) == run(tmp_path, OneMachine(), given, **settings)
