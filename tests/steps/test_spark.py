"""Spark prepares to the same bytes as one machine, and refuses in its words. Skipped by name where pyspark or Java is not there."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dataset
import numpy as np
import prepare
import pyarrow as pa
import pytest
import spark_cluster
import spark_engine
import spark_packages
import spark_shares
import spark_tasks
import submit_spark
import table_files
from failure import BadInput
from prepare import OneMachine
from pyarrow import parquet
from spark_engine import SparkEngine

from pipelines.tabular.specification import specification_json
from settings_schema import Categorical, DataSet, Preparation, Retraining
from tests.example_models import model_of
from tests.steps.small_data import HOUSES, LOANS, SPECIES, houses, loans, species, write_csv

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    """Spark's local mode: workers are processes, as in a cluster."""
    pytest.importorskip("pyspark", reason="pyspark is not installed: the extra `spark` of pyproject.toml has it (docs/scale.md)")
    if shutil.which("java") is None:
        pytest.skip("there is no Java, in which Spark runs (docs/scale.md)")
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
    assert not [*folder.rglob(".shard-*"), *folder.rglob(".columns-*")]
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


SIDE_BY_SIDE = HOUSES.but(categorical=(HOUSES.categorical[0], Categorical(name="town", encoding="one_hot")))
MANY = {**houses(), "town": [f"t{row % 60}" for row in range(200)]}
TABLES: dict[str, tuple[Callable[..., None], DataSet, dict[str, list[Any]], dict[str, Any]]] = {
    "gaps and outliers": (csv_files, HOUSES, gaps(houses(), "price"), {"outlier_action": "drop"}),
    "row groups": (parquet_files, HOUSES, gaps(houses(), "price"), {"outlier_rule": "quantile", "numeric_imputation": "mean"}),
    "identifiers": (csv_files, HOUSES.but(identifier="id"), {**houses(), "id": [f"h{row}" for row in range(200)]}, {}),
    "weights": (csv_files, LOANS, loans(), {"reweigh_facet": True, "balance_classes": True, "outlier_rule": "zscore"}),
    "classes": (parquet_files, SPECIES, species(), {"normalisation": "minmax", "select_features": 1}),
    "many categories": (parquet_files, HOUSES, MANY, {"max_categories": 7}),
    "learned rows": (learned_too, HOUSES, houses(), {"learns": True}),
    "learned rows, encoded by the target": (learned_too, HOUSES, houses(), {"learns": True, "max_categories": 2}),
    "frequent categories": (
        parquet_files,
        SIDE_BY_SIDE,
        MANY,
        {"max_categories": 7},
    ),
    "coarse": (
        csv_files,
        LOANS.but(numeric=(), categorical=(Categorical(name="group", values=("a", "b")),)),
        {name: cells for name, cells in loans().items() if name != "income"},
        {},
    ),
}


@pytest.mark.usefixtures("in_pieces")
@pytest.mark.parametrize("name", list(TABLES))
def test_both_engines_write_the_same_bytes(tmp_path: Path, context: Any, name: str) -> None:
    write, given, columns, settings = TABLES[name]
    write(tmp_path, columns)
    assert run(tmp_path, SparkEngine(context), given, **settings) == run(tmp_path, OneMachine(), given, **settings)


BAD: dict[str, tuple[Callable[..., None], dict[str, list[Any]]]] = {
    "text among numbers": (csv_files, {**houses(), "area": [*houses()["area"][:150], "12 m2", *houses()["area"][151:]]}),
    "a cell too many": (csv_files, {**houses(), "town": [*houses()["town"][:190], "Lima,Quito", *houses()["town"][191:]]}),
    "a category in every row": (parquet_files, {**houses(), "town": [f"t{row}" for row in range(200)]}),
}


@pytest.mark.usefixtures("in_pieces")
@pytest.mark.parametrize("name", list(BAD))
def test_both_engines_refuse_in_the_same_words_and_leave_nothing(tmp_path: Path, context: Any, name: str) -> None:
    write, columns = BAD[name]
    write(tmp_path, columns)
    said = []
    for engine in (SparkEngine(context), OneMachine()):
        with pytest.raises(BadInput) as refused:
            run(tmp_path, engine, HOUSES)
        said.append(str(refused.value))
        assert not (tmp_path / type(engine).__name__).exists()
    assert said[0] == said[1] != ""


def test_shards_are_cut_where_one_machine_cuts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """17 rows in shards of 5: the second piece begins in the middle of the second shard, and ends in the fourth."""
    monkeypatch.setattr(dataset, "ROWS_PER_SHARD", 5)
    rows = dataset.Rows({"a": np.arange(20.0)}, {}, np.arange(20.0), 20)
    taken = spark_tasks.Taken(spark_tasks.bits(np.arange(20) >= 10), 7, None)
    found = list(spark_tasks.fragments_of((rows, [taken]), [3]))
    assert [(shard, fragment.first, fragment.rows.target.tolist()) for shard, fragment in found] == [
        (3 + 1, 2, [10, 11, 12]),
        (3 + 2, 0, [13, 14, 15, 16, 17]),
        (3 + 3, 0, [18, 19]),
    ]


def test_row_groups_and_files_are_shared_out_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_shares, "MOST_BYTES", 3000)
    parquet_files(tmp_path, houses())
    csv_files(tmp_path, houses(10))
    heads = [table_files.head(file) for file in sorted((tmp_path / "data").iterdir())]
    shares = spark_shares.of(heads)
    assert len(shares) > 2
    in_order = [(place, group) for share in shares for place, _, groups in share for group in groups or [0]]
    assert in_order == [(place, group) for place, head in enumerate(heads) for group in range(len(groups_of(head)) or 1)]


def groups_of(head: table_files.Head) -> range:
    return range(parquet.ParquetFile(head.file).metadata.num_row_groups if head.file.suffix == ".parquet" else 1)


def test_what_the_script_says_stands_where_the_image_had_written_its_own_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path))
    says = "import os, pathlib, sys; pathlib.Path(os.environ['SM_OUTPUT_DIR'], 'message').write_text('one line'); sys.exit(2)"
    image = f"import subprocess, sys, pathlib; c = subprocess.run([sys.executable, '-c', {says!r}]).returncode\n"
    image += f"pathlib.Path({str(tmp_path / 'message')!r}).write_text('spark failed'); sys.exit(c)"
    assert submit_spark.submit([sys.executable, "-c", image]) == 2
    assert (tmp_path / "message").read_text(encoding="utf-8") == "one line"


def test_python_gets_more_of_a_workers_memory_than_java() -> None:
    spark, yarn = (part["Properties"] for part in submit_spark.configuration(16_000))
    assert spark["spark.executor.memory"] == "3200m"
    assert spark["spark.executor.memoryOverhead"] == "7200m"
    assert yarn["yarn.nodemanager.local-dirs"].startswith("/opt/ml/processing/")


def test_wheels_are_unpacked_once_where_pyarrow_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels" / "lacking-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("lacking_on_spark.py", "VALUE = 7")
    monkeypatch.setattr(sys, "path", [*sys.path])
    spark_packages.make_importable(tmp_path / "wheels", tmp_path / "unpacked")
    assert not (tmp_path / "unpacked").exists()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    for _ in range(2):
        spark_packages.make_importable(tmp_path / "wheels", tmp_path / "unpacked")
        monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("unpacked twice"))
    assert importlib.import_module("lacking_on_spark").VALUE == 7


def test_the_last_cause_of_a_trace_is_the_reason() -> None:
    said = "An error occurred while calling o1.count.\n: org.apache.spark.SparkException: Job aborted\n\tat x\nCaused by: java.io.IOException: No space left on device\n\tat y"  # noqa: E501
    assert spark_cluster.reason(said) == "java.io.IOException: No space left on device"
