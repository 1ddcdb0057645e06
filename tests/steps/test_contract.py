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
        ("ragged.csv", b"area,rooms,kind,town,price\n1,2\n", "not a CSV table"),
        ("notes.txt", b"hello", "neither .csv nor .parquet"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(content)
    text = message(tmp_path)
    assert name in text
    assert expected in text


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
