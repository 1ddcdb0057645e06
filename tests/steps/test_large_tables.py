"""A table that is larger than memory is prepared from columns on disk, to the same bytes and with the same findings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import column_store
import contract
import csv_files
import prepare
import prepared_rows
import pyarrow as pa
import pytest
import specification
import table as tables
import table_files
from pyarrow import parquet

from settings_schema import Categorical
from tests.steps.small_data import HOUSES, LOANS, SPECIES, houses, loans, species, write_csv, write_specification

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
