"""A table that is larger than memory is prepared from columns on disk, to the same bytes and with the same findings."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import column_store
import column_values
import contract
import csv_files
import large_files
import numpy as np
import prepare
import prepared_rows
import processing_hosts
import pyarrow as pa
import pytest
import specification
import table as tables
import table_files
from failure import BadInput
from pyarrow import parquet

from build_scripts import upload_data
from build_scripts.command_line import ProblemError
from settings_schema import Categorical, Split
from tests.example_models import model_of
from tests.steps.small_data import HOUSES, LOANS, SPECIES, houses, loans, species, write_csv, write_specification

#: Processes, samples and files of their own: a build leaves them to `make test`.
pytestmark = pytest.mark.thorough

IDENTIFIED = HOUSES.but(identifier="id")


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table is too large, in batches of seven rows, of which two are put together."""
    monkeypatch.setattr(tables, "MOST_BYTES_IN_MEMORY", 0)
    monkeypatch.setattr(column_store, "BATCH_ROWS", 14)
    monkeypatch.setattr(table_files, "BATCH_ROWS", 7)
    monkeypatch.setattr(table_files, "_FEWEST_BATCH_ROWS", 1)
    monkeypatch.setattr(csv_files, "_PART_BYTES", 200)
    monkeypatch.setattr(prepared_rows, "BATCH_ROWS", 11)
    monkeypatch.setattr(prepared_rows, "RAW_BATCH_ROWS", 13)


def run(folder: Path, dataset: Any, **preparation: Any) -> dict[str, bytes]:
    """What the step writes of `folder/data`."""
    given = write_specification(folder / "specification.json", dataset, **preparation)
    prepare.main(["--data", str(folder / "data"), "--output", str(folder / "out"), "--specification", str(given)])
    written = {file.relative_to(folder / "out").as_posix(): file.read_bytes() for file in (folder / "out").rglob("*") if file.is_file()}
    written["test/test.parquet"] = repr(parquet.read_table(folder / "out" / "test" / "test.parquet").to_pydict()).encode()
    assert not list(folder.glob(".columns-*")) and not list((folder / "out").glob(".columns-*"))
    return written


def gaps(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {
        name: [None if row % 17 == place else cell for row, cell in enumerate(cells)] for place, (name, cells) in enumerate(columns.items())
    }


def as_csv(folder: Path, columns: dict[str, list[Any]]) -> None:
    write_csv(folder / "data" / "table.csv", columns)


def as_parquet(folder: Path, columns: dict[str, list[Any]]) -> None:
    """Three files of other types, one of them empty, in row groups of other sizes."""
    (folder / "data").mkdir(parents=True)
    rows, groups = len(next(iter(columns.values()))), {"a": 50, "b": 3, "c": 1000}
    parts = {"a": slice(0, rows // 3), "b": slice(0, 0), "c": slice(rows // 3, rows)}
    for name, part in parts.items():
        table = pa.table({column: cells[part] for column, cells in columns.items()})
        if name == "c":
            texts = [column for column in table.column_names if pa.types.is_string(table.schema.field(column).type)]
            for column in texts:
                table = table.set_column(table.column_names.index(column), column, table[column].dictionary_encode())
        if name != "b":
            parquet.write_table(table, folder / "data" / f"{name}.parquet", row_group_size=groups[name])
        else:
            parquet.write_table(table.cast(pa.table({c: v[parts["a"]] for c, v in columns.items()}).schema), folder / "data" / "b.parquet")


TABLES: dict[str, tuple[Any, dict[str, list[Any]], dict[str, Any]]] = {
    "regression with gaps": (HOUSES, {**gaps(houses()), "price": houses()["price"]}, {"outlier_action": "drop"}),
    "identifiers": (IDENTIFIED, {**houses(), "id": [f"h{row}" for row in range(200)]}, {"normalisation": "robust"}),
    "time": (HOUSES, {**houses(), "seen": [f"2024-01-{row % 28 + 1:02d}" for row in range(200)]}, {"split": Split(by_time="seen")}),
    "weights": (LOANS, loans(), {"reweigh_facet": True, "balance_classes": True, "outlier_rule": "zscore"}),
    "classes": (SPECIES, species(), {"outlier_rule": "quantile", "numeric_imputation": "mean", "normalisation": "minmax"}),
    "copies": (LOANS, {name: cells * 2 for name, cells in loans().items()}, {}),
    "coarse": (
        LOANS.but(numeric=(), categorical=(Categorical(name="group", values=("a", "b")),)),
        {name: cells for name, cells in loans().items() if name != "income"},
        {},
    ),
}


@pytest.mark.parametrize("name", list(TABLES))
@pytest.mark.parametrize("write", [as_csv, as_parquet])
def test_a_large_table_is_prepared_to_the_same_bytes(tmp_path: Path, name: str, write: Any, request: pytest.FixtureRequest) -> None:
    dataset, columns, preparation = TABLES[name]
    for folder in ("small", "large"):
        write(tmp_path / folder, columns)
    small = run(tmp_path / "small", dataset, **preparation)
    request.getfixturevalue("on_disk")
    assert run(tmp_path / "large", dataset, **preparation) == small


def bad(name: str) -> tuple[Any, dict[str, list[Any]]]:
    """A table with what the contract finds."""
    columns: dict[str, list[Any]] = {**houses(60), "id": [f"h{row}" for row in range(60)]}
    cells = {
        "text among numbers": ("area", {3: "12 m2", 40: "39 %", 41: "unknown"}),
        "a range": ("area", {20: -4.0, 55: 1e30}),
        "infinite": ("area", {20: "inf", 55: "1e39"}),
        "undeclared": ("kind", {9: "castle", 50: "hut"}),
        "spellings": ("town", {9: "lima", 50: " Lima", 51: "-"}),
        "damaged": ("town", {50: "Li\x01ma"}),
        "damaged identifiers": ("id", {2: "h\x01", 50: "h\x01x", 51: "h" * 1001}),
        "repeated identifiers": ("id", {50: "h3", 58: "h3", 59: "h1"}),
        "missing identifiers": ("id", {5: None, 50: None}),
        "a total": ("town", {59: "Total"}),
        "the total of a column": ("area", {59: sum(columns["area"][:59])}),
        "a far value": ("rooms", {30: 100_000}),
        "a missing answer": ("price", {44: None}),
        "an index": ("rooms", dict(enumerate(range(1, 61)))),
        "leakage": ("area", {row: price / 10 for row, price in enumerate(columns["price"])}),
    }
    if name in cells:
        column, changed = cells[name]
        columns[column] = [changed.get(row, cell) for row, cell in enumerate(columns[column])]
    elif name == "an empty row":
        columns = {column: [*given[:30], None, *given[31:]] for column, given in columns.items()}
    elif name == "a note":
        columns = {column: [*given[:58], "see below" if column == "town" else None, given[59]] for column, given in columns.items()}
    elif name == "headers again":
        columns = {column: [*given[:30], column, *given[31:]] for column, given in columns.items()}
    elif name == "a second header":
        columns = {**columns, **{column: [*columns[column][:30], "unit", *columns[column][31:]] for column in ("area", "rooms", "price")}}
    elif name == "a further column":
        columns["extra"] = list(range(60))
    return IDENTIFIED, columns


BAD = [
    *("text among numbers", "a range", "infinite", "undeclared", "spellings", "damaged", "damaged identifiers", "repeated identifiers"),
    *("missing identifiers", "a total", "the total of a column", "a far value", "a missing answer", "an index", "leakage"),
    *("an empty row", "a note", "headers again", "a second header", "a further column"),
]


@pytest.mark.parametrize("name", BAD)
def test_findings_of_a_large_table_are_word_for_word_those_of_a_small_one(
    tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    dataset, columns = bad(name)
    as_csv(tmp_path, columns)
    loaded = specification.load(write_specification(tmp_path / "specification.json", dataset))

    def found(scratch: Path) -> Iterator[str]:
        table = tables.read(tmp_path / "data", scratch)
        assert isinstance(table.columns, column_store.StoredColumns) == (scratch.name == "large")
        return (finding.text(table) for finding in contract.check(table, loaded))

    small = list(found(tmp_path / "small"))
    (tmp_path / "large").mkdir()
    request.getfixturevalue("on_disk")
    assert list(found(tmp_path / "large")) == small != []


def refused(folder: Path, dataset: Any = HOUSES) -> str:
    """What the step says of `folder/data`, which leaves nothing behind."""
    with pytest.raises(BadInput) as said:
        run(folder, dataset)
    assert not (folder / "out").exists() and not list(folder.glob(".columns-*"))
    return str(said.value)


@pytest.mark.usefixtures("on_disk")
def test_shards_of_other_columns_or_types_are_refused_before_a_cell_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    columns = houses(60)
    parquet.write_table(pa.table(columns), tmp_path / "data" / "a.parquet")
    parquet.write_table(pa.table({**columns, "area": ["x"] * 60}), tmp_path / "data" / "b.parquet")
    monkeypatch.setattr(table_files, "batches", lambda *_: pytest.fail("a cell was read"))
    assert refused(tmp_path).startswith("b.parquet: column 'area' holds string, but double in a.parquet; give all files the same types")
    parquet.write_table(pa.table({**columns, "extra": columns["area"]}), tmp_path / "data" / "b.parquet")
    assert refused(tmp_path) == "b.parquet: columns differ from a.parquet: 'extra'; give all files the same header"


@pytest.mark.usefixtures("on_disk")
def test_a_table_larger_than_the_disk_is_refused_before_a_cell_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.table(houses(60)), tmp_path / "data" / "a.parquet")
    monkeypatch.setattr(large_files, "_DISK_BYTES_OF_CELL", 2**50)
    monkeypatch.setattr(table_files, "batches", lambda *_: pytest.fail("a cell was read"))
    assert "preparing 1 file takes about 314572800.0 GiB on disk, and " in refused(tmp_path)


@pytest.mark.usefixtures("on_disk")
def test_the_check_at_upload_reads_a_large_file_the_same_way(tmp_path: Path) -> None:
    columns = {**houses(), "area": ["far"] * 200}
    as_csv(tmp_path, columns)
    with pytest.raises(ProblemError, match="column 'area': values such as 'far' are not numbers; make it categorical"):
        upload_data.check(tmp_path / "data" / "table.csv", model_of(HOUSES))


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_a_column_of_too_many_categories_is_counted_and_not_held(tmp_path: Path, where: str, request: pytest.FixtureRequest) -> None:
    """Every value once, in whatever chunk it comes again."""
    columns = {**houses(), "town": [f"t{row % 150}" for row in range(200)]}
    as_csv(tmp_path, columns)
    request.getfixturevalue("monkeypatch").setattr(tables, "MOST_CATEGORIES_TOLD_APART", 120)
    if where == "disk":
        request.getfixturevalue("on_disk")
    assert "column 'town': 150 different values in 200 rows: an identifier or free text; remove it or group its values" in refused(tmp_path)


def test_too_many_classes_are_no_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_CATEGORIES_TOLD_APART", 120)
    as_csv(tmp_path, {**species(200), "species": [f"s{row}" for row in range(200)]})
    assert "column 'species': 200 different values in 200 rows: no classes; set Problem.REGRESSION" in refused(tmp_path, SPECIES)


def test_a_large_row_group_is_read_in_slices_and_small_files_are_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "_BATCH_CELLS", 40)
    monkeypatch.setattr(table_files, "_FEWEST_BATCH_ROWS", 1)
    table = pa.table({"a": list(range(100)), "b": [str(row) for row in range(100)]})
    parquet.write_table(table, tmp_path / "one.parquet", row_group_size=100)
    assert [batch.num_rows for batch in table_files.batches(tmp_path / "one.parquet", table.schema)] == [20] * 5
    monkeypatch.setattr(column_store, "BATCH_ROWS", 45)
    stored = column_store.store(table_files.batches(tmp_path / "one.parquet", table.schema), table.schema, tmp_path / "stored")
    assert [len(chunk) for chunk in stored["a"].chunks] == [60, 40]
    assert stored["b"].to_pylist() == table["b"].to_pylist()


def test_a_row_longer_than_a_part_of_a_csv_file_is_read_once_like_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "_PART_BYTES", 64)
    cells = [*map(str, range(30)), "x" * 3000, *map(str, range(31, 60))]
    (tmp_path / "long.csv").write_text("a,b\n" + "".join(f"{cell},1\n" for cell in cells), encoding="utf-8")
    assert [cell for part in csv_files.parts(tmp_path / "long.csv") for cell in part.column(0).to_pylist()] == cells


@pytest.mark.parametrize("where", ["reading", "writing"])
def test_a_disk_that_is_full_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, on_disk: None
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    as_csv(tmp_path, houses())
    monkeypatch.setattr(*((column_store.Arrays, "_on_disk", full) if where == "reading" else (prepared_rows, "write_raw", full)))
    monkeypatch.setattr(prepare, "_existing", lambda _: tmp_path)
    with pytest.raises(BadInput, match=r"the disk is full, which has [\d.,]+ GiB; give the job a larger volume"):
        run(tmp_path, HOUSES)
    assert {file.name for file in tmp_path.iterdir()} == {"data", "specification.json", *(["out"] if (tmp_path / "out").exists() else [])}
    assert not list(tmp_path.glob("out/*"))


def test_a_column_that_cannot_be_read_leaves_no_file_and_is_read_once(tmp_path: Path) -> None:
    looks = []

    def pieces() -> Iterator[Any]:
        looks.append(1)
        yield np.ones(3)
        raise ValueError("bad cells")

    arrays = column_store.Arrays(tmp_path / "arrays")
    for _ in range(2):
        with pytest.raises(ValueError, match="bad cells"):
            arrays.get("x", pieces)
    assert len(looks) == 1
    assert not list((tmp_path / "arrays").iterdir())
    assert arrays.get("y", lambda: [np.empty(0)]).tolist() == []


def test_different_values_are_counted_exactly_however_many_chunks_they_come_in() -> None:
    chunks = [range(40), range(20, 60), [7, 7, 59], range(60, 200), []]
    texts = [pa.array([str(value) for value in values], pa.string()) for values in chunks]
    column = pa.chunked_array([*texts, pa.array([None, ""], pa.string())])
    assert column_values._count_different(column) == 200


def test_more_than_one_instance_is_refused_by_name_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = tmp_path / "resourceconfig.json"
    monkeypatch.setattr(processing_hosts, "CONFIGURATION", configuration)
    configuration.write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1", "algo-2"]}), encoding="utf-8")
    said = r"^ProcessingInstanceCount is 2 \(algo-1, algo-2\), and Prepare works on one instance without Spark; start the run with Proc"
    with pytest.raises(BadInput, match=said):
        prepare.main(["--data", str(tmp_path / "nowhere"), "--output", str(tmp_path / "out")])
    configuration.write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}), encoding="utf-8")
    processing_hosts.require_one()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux says what a process has mapped")
def test_a_column_is_in_memory_only_while_somebody_looks_at_it(tmp_path: Path) -> None:
    table = pa.table({"a": [1.5] * 5000, "b": ["x"] * 5000})
    parquet.write_table(table, tmp_path / "a.parquet")
    stored = tables.Table(
        column_store.store(table_files.batches(tmp_path / "a.parquet", table.schema), table.schema, tmp_path / "columns"),
        (tables.Source(tmp_path / "a.parquet", 5000),),
        "",
        arrays=column_store.Arrays(tmp_path / "arrays"),
    )

    def mapped() -> bool:
        return str(tmp_path) in Path("/proc/self/maps").read_text(encoding="utf-8")

    looked_at = [stored.numbers("a"), stored.categories("b")[1], stored.columns["a"]]
    assert mapped()
    del looked_at
    assert not mapped()
