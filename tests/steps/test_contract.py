"""What breaks the data contract is found before anything is trained, and the message names the column and the rows."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import contract
import pyarrow as pa
import pytest
import specification
import table as tables
from failure import BadInput
from pyarrow import parquet

from settings import DataSet
from tests.steps.small_data import HOUSES, LOANS, SPECIES, houses, loans, species, write_csv, write_specification


def problems(tmp_path: Path, columns: dict[str, Any], dataset: DataSet = HOUSES) -> str:
    """The message for a table, empty when it keeps the contract."""
    write_csv(tmp_path / "data" / "table.csv", columns)
    return message(tmp_path, dataset)


def message(tmp_path: Path, dataset: DataSet = HOUSES) -> str:
    loaded = specification.load(write_specification(tmp_path / "specification.json", dataset))
    try:
        contract.require(tables.read(tmp_path / "data"), loaded)
    except BadInput as problem:
        return str(problem)
    return ""


def test_good_tables_keep_the_contract(tmp_path: Path) -> None:
    assert problems(tmp_path / "houses", houses()) == ""
    assert problems(tmp_path / "loans", loans(), LOANS) == ""
    assert problems(tmp_path / "species", species(), SPECIES) == ""


def test_a_missing_target_is_named(tmp_path: Path) -> None:
    columns = houses()
    del columns["price"]
    assert "'price': missing" in problems(tmp_path, columns)


def test_an_extra_column_is_named(tmp_path: Path) -> None:
    assert "'garden': not in settings.py" in problems(tmp_path, {**houses(), "garden": ["x"] * 200})


def test_text_in_a_numeric_column_names_its_line(tmp_path: Path) -> None:
    columns = houses()
    columns["area"][4] = "big"
    text = problems(tmp_path, columns)
    assert "'area'" in text
    assert "'big' are not numbers" in text
    assert "table.csv line 6" in text


def test_dates_are_recognised(tmp_path: Path) -> None:
    columns = houses()
    columns["area"] = ["2024-01-02"] * 200
    assert "dates" in problems(tmp_path, columns)


def test_dates_of_a_parquet_file_are_recognised(tmp_path: Path) -> None:
    columns = {**houses(), "area": [datetime.date(2024, 1, 2)] * 200}
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.table(columns), tmp_path / "data" / "table.parquet")
    assert "'area': holds date32" in message(tmp_path)


def test_a_value_out_of_range_names_bound_and_line(tmp_path: Path) -> None:
    columns = houses()
    columns["area"][0] = -1
    text = problems(tmp_path, columns)
    assert "below the minimum 0" in text
    assert "line 2" in text


def test_infinities_are_refused(tmp_path: Path) -> None:
    columns = loans()
    columns["income"][10] = "inf"
    text = problems(tmp_path, columns, LOANS)
    assert "infinite" in text
    assert "line 12" in text


def test_an_unlisted_category_is_named(tmp_path: Path) -> None:
    columns = houses()
    columns["kind"][7] = "castle"
    text = problems(tmp_path, columns)
    assert "castle" in text
    assert "line 9" in text


def test_an_all_missing_column_is_named(tmp_path: Path) -> None:
    assert "'area': every value is missing" in problems(tmp_path / "number", {**houses(), "area": [None] * 200})
    assert "'town': every value is missing" in problems(tmp_path / "category", {**houses(), "town": [None] * 200})


def test_a_constant_target_is_refused(tmp_path: Path) -> None:
    assert "constant" in problems(tmp_path / "number", {**houses(), "price": [5.0] * 200})
    assert "constant" in problems(tmp_path / "class", {**loans(), "granted": ["yes"] * 400}, LOANS)


def test_a_missing_answer_names_its_line(tmp_path: Path) -> None:
    columns = houses()
    columns["price"][1] = None
    text = problems(tmp_path, columns)
    assert "target is missing" in text
    assert "line 3" in text


def test_a_third_class_in_a_binary_problem_is_refused(tmp_path: Path) -> None:
    columns = loans()
    columns["granted"][0] = "maybe"
    assert "3 classes" in problems(tmp_path, columns, LOANS)


def test_a_positive_class_that_never_occurs_is_refused(tmp_path: Path) -> None:
    columns = loans()
    columns["granted"] = ["Y" if value == "yes" else "N" for value in columns["granted"]]
    assert "positive class 'yes'" in problems(tmp_path, columns, LOANS)


def test_a_copy_of_the_target_is_a_leakage_suspect(tmp_path: Path) -> None:
    columns = houses()
    columns["rooms"] = [2 * price + 1 for price in columns["price"]]
    assert "'rooms': leakage suspect" in problems(tmp_path, columns)


def test_a_category_that_determines_the_class_is_a_leakage_suspect(tmp_path: Path) -> None:
    columns = loans()
    columns["group"] = ["a" if answer == "yes" else "b" for answer in columns["granted"]]
    assert "'group': leakage suspect" in problems(tmp_path, columns, LOANS)


def test_a_hundred_thousand_categories_are_refused(tmp_path: Path) -> None:
    rows = 100_000
    columns = houses(rows)
    columns["town"] = [f"town {index}" for index in range(rows)]
    assert "100000 different values" in problems(tmp_path, columns)


def test_repeated_rows_are_a_warning_not_an_error(tmp_path: Path) -> None:
    columns = {name: [*values, values[0]] for name, values in houses().items()}
    write_csv(tmp_path / "data" / "table.csv", columns)
    loaded = specification.load(write_specification(tmp_path / "specification.json", HOUSES))
    warnings = contract.require(tables.read(tmp_path / "data"), loaded)
    assert any("1 rows repeat" in warning and "line 202" in warning for warning in warnings)


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    columns = houses()
    columns["area"][0] = "big"
    columns["kind"][0] = "castle"
    text = problems(tmp_path, columns)
    assert "2 problems" in text
    assert "area" in text
    assert "kind" in text


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    assert "no rows" in problems(tmp_path, {name: [] for name in houses()})


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.csv", b"", "empty (0 bytes)"),
        ("empty.parquet", b"", "empty (0 bytes)"),
        ("broken.parquet", b"not parquet at all", "not a Parquet file"),
        ("latin.csv", b"area,rooms,kind,town,price\n1,2,flat,Bogot\xe1,3\n", "line 2 is not UTF-8"),
        ("ragged.csv", b"area,rooms,kind,town,price\n1,2,flat,Lima,3\n1,2\n", "line 3 has 2 cells, the header 5"),
        ("header.csv", b"area,rooms,kind,town,price", "no row below the header"),
        ("blank.csv", b"\n\n", "no header line"),
        ("commas.csv", b"area;rooms\n1,5;2\n", "line 2 has 2 cells, the header 1; separate cells with commas"),
        ("notes.txt", b"hello", "neither .csv nor .parquet"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(content)
    text = message(tmp_path)
    assert name in text
    assert expected in text


@pytest.mark.parametrize("content", [b"1,2,flat,Lima,3\n" * 9, b"area;rooms;kind;town;price\n" + b"1;2;flat;Lima;3\n" * 9])
def test_a_table_without_any_known_column_is_told_how_to_begin(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "table.csv").write_bytes(content.replace(b"1,2,flat,Lima,3", b"1,2,flat,Lima,4", 1))
    text = message(tmp_path)
    assert "none of 'area', 'rooms', 'kind', 'town', 'price' is there" in text
    assert "begin with a line of column names" in text


@pytest.mark.parametrize("rows", [1, 5])
def test_a_table_too_small_for_three_parts_is_refused(tmp_path: Path, rows: int) -> None:
    text = problems(tmp_path, {name: values[:rows] for name, values in houses().items()})
    assert f"the table has {rows} row" in text
    assert "at least 6" in text


@pytest.mark.parametrize(("column", "dataset"), [("town", HOUSES), ("granted", LOANS), ("group", LOANS)])
@pytest.mark.parametrize("cell", [[1, 2], b"\xff", {"a": 1}])
def test_cells_of_a_parquet_file_that_are_no_category_are_refused(tmp_path: Path, column: str, dataset: DataSet, cell: Any) -> None:
    columns = houses() if dataset is HOUSES else loans()
    columns[column] = [cell] * len(columns[column])
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.table(columns), tmp_path / "data" / "table.parquet")
    assert f"column '{column}': holds " in message(tmp_path, dataset)


def test_numbers_that_single_precision_does_not_hold_are_refused(tmp_path: Path) -> None:
    columns = houses()
    columns["price"][4] = 1e300
    text = problems(tmp_path, columns)
    assert "column 'price': values such as 1e+300" in text
    assert "line 6" in text


def test_files_with_different_types_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "a.csv", houses())
    parquet.write_table(pa.table(houses()), tmp_path / "data" / "b.parquet")
    assert "b.parquet: column 'area' holds double, but string in a.csv" in message(tmp_path)


def test_the_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "TABLE.CSV", houses())
    assert message(tmp_path) == ""


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert "no .csv or .parquet file" in message(tmp_path)


def test_files_with_different_headers_are_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "a.csv", houses())
    write_csv(tmp_path / "data" / "b.csv", {"area": [1]})
    assert "b.csv: columns differ from a.csv" in message(tmp_path)


def test_rows_of_the_second_file_are_located_there(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "a.csv", houses())
    second = houses(seed=9)
    second["area"][0] = -5
    write_csv(tmp_path / "data" / "b.csv", second)
    assert "b.csv line 2" in message(tmp_path)


def test_a_split_without_rows_or_classes_is_refused() -> None:
    with pytest.raises(BadInput, match="the test split has 1 row of 12"):
        contract.require_usable_split({"train": 9, "validation": 2, "test": 1}, None)
    with pytest.raises(BadInput, match="class 'b' does not occur in the test split"):
        contract.require_usable_split({"train": 9, "test": 2}, {"train": ["a", "b"], "test": ["a"]})


def test_an_identifier_that_repeats_is_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    dataset = replace(HOUSES, identifier="id")
    columns = {**houses(), "id": [f"h{index}" for index in range(200)]}
    assert problems(tmp_path / "good", columns, dataset) == ""
    columns["id"][1] = "h0"
    text = problems(tmp_path / "bad", columns, dataset)
    assert "'id': identifiers appear more than once" in text
    assert "line 2" in text
    assert "line 3" in text
