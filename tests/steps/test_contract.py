"""What breaks the data contract is found before anything is trained, and the message names the column and the rows."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import contract
import pyarrow as pa
import pytest
import specification
import table as tables
from failure import BadInput
from pyarrow import parquet

from settings_schema import Categorical, DataSet, Numeric
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
    assert "'garden': not in the model's file" in problems(tmp_path, {**houses(), "garden": ["x"] * 200})


def test_an_ignored_column_may_hold_anything_and_must_be_there(tmp_path: Path) -> None:
    dataset = HOUSES.but(ignore=("note", "seen"))
    columns = {**houses(), "note": [f"free text {row}" for row in range(200)], "seen": ["2024-01-02"] * 200}
    assert problems(tmp_path / "both", columns, dataset) == ""
    del columns["note"]
    assert "column 'note': missing; add it to the data, or remove it from DataSet.ignore" in problems(tmp_path / "one", columns, dataset)
    columns["Note"] = columns.pop("seen")
    text = problems(tmp_path / "misspelt", columns, dataset)
    assert "column 'note': the table spells it 'Note'" in text and "column 'seen': missing" in text


def test_of_a_parquet_file_an_ignored_column_may_be_of_any_type(tmp_path: Path) -> None:
    columns = {**houses(), "seen": [datetime.date(2024, 1, 2)] * 200, "tags": [["a", "b"]] * 200}
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.table(columns), tmp_path / "data" / "table.parquet")
    assert message(tmp_path, HOUSES.but(ignore=("seen", "tags"))) == ""


def test_a_table_of_ignored_columns_alone_is_another_table(tmp_path: Path) -> None:
    assert "none of 'area', 'rooms'" in problems(tmp_path, {"note": ["x"] * 9}, HOUSES.but(ignore=("note",)))


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


def test_an_unlisted_category_that_counts_as_other_is_a_warning(tmp_path: Path) -> None:
    dataset = HOUSES.but(categorical=(Categorical(name="kind", values=("flat", "house"), unlisted="other"), Categorical(name="town")))
    columns = {**houses(), "kind": ["castle", " House ", *houses()["kind"][2:]]}
    write_csv(tmp_path / "data" / "table.csv", columns)
    loaded = specification.load(write_specification(tmp_path / "specification.json", dataset))
    other, alike = contract.require(tables.read(tmp_path / "data"), loaded)
    assert "['House', 'castle'] are not among 'flat', 'house' of the model's file; each of them counts as <other>" in other
    assert "'House', 'house' differ in capitals" in alike


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


@pytest.mark.thorough
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
    assert any(warning.startswith("1 row repeats another row") and "line 202" in warning for warning in warnings)


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
        ("semicolons.csv", b"area;rooms\n1,5;2\n", "cells are separated by semicolons"),
        ("notes.txt", b"hello", "neither .csv nor .parquet"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(content)
    text = message(tmp_path)
    assert name in text
    assert expected in text


def test_a_table_without_any_known_column_is_told_how_to_begin(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "table.csv").write_bytes(b"1,2,flat,Lima,4\n" + b"1,2,flat,Lima,3\n" * 8)
    text = message(tmp_path)
    assert "none of 'area', 'rooms', 'kind', 'town', 'price' is there" in text
    assert "begin with a line of column names" in text


@pytest.mark.parametrize("rows", [1, 5])
def test_a_table_too_small_for_three_parts_is_refused(tmp_path: Path, rows: int) -> None:
    text = problems(tmp_path, {name: values[:rows] for name, values in houses().items()})
    assert f"the table has {rows} row" in text
    assert "at least 6" in text


@pytest.mark.parametrize(
    ("column", "dataset"), [("town", HOUSES), ("granted", LOANS), ("group", LOANS), ("area", HOUSES), ("price", HOUSES)]
)
@pytest.mark.parametrize("cell", [[1, 2], b"\xff", {"a": 1}])
def test_cells_of_a_parquet_file_that_are_no_values_are_refused(tmp_path: Path, column: str, dataset: DataSet, cell: Any) -> None:
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
    with pytest.raises(BadInput, match="the test split has 1 row of 12; give more data"):
        contract.require_usable_split({"train": 9, "validation": 2, "test": 1}, None)
    with pytest.raises(BadInput, match="class 'b' does not occur in the test split; give more rows of it"):
        contract.require_usable_split({"train": 9, "test": 2}, {"train": ["a", "b"], "test": ["a"]})


def test_a_split_that_equal_rows_make_unusable_says_that_they_are_equal() -> None:
    copies = {"": contract.Copies(300, 4), "a": contract.Copies(200, 150), "b": contract.Copies(100, 1)}
    with pytest.raises(
        BadInput, match=r"the test split has 0 rows of 300: the table's 300 rows are only 4 different ones.*DataSet.identifier"
    ):
        contract.require_usable_split({"train": 300, "test": 0}, None, copies.__getitem__)
    present = {"train": ["a", "b"], "test": ["a"]}
    with pytest.raises(BadInput, match=r"class 'b' does not occur in the test split: its 100 rows are all equal.*DataSet.identifier"):
        contract.require_usable_split({"train": 250, "test": 50}, present, copies.__getitem__)
    with pytest.raises(BadInput, match="class 'a' does not occur in the test split; give more rows of it"):
        contract.require_usable_split({"train": 250, "test": 50}, {"train": ["a", "b"], "test": ["b"]}, copies.__getitem__)


def test_an_identifier_that_repeats_is_refused(tmp_path: Path) -> None:
    dataset = HOUSES.but(identifier="id")
    columns = {**houses(), "id": [f"h{index}" for index in range(200)]}
    assert problems(tmp_path / "good", columns, dataset) == ""
    columns["id"][1] = "h0"
    text = problems(tmp_path / "bad", columns, dataset)
    assert "'id': identifiers appear more than once" in text
    assert "line 2" in text
    assert "line 3" in text


def test_identifiers_that_are_one_number_are_named(tmp_path: Path) -> None:
    dataset = HOUSES.but(identifier="id")
    columns = {**houses(), "id": [f"1.{index}" for index in range(1, 201)]}
    text = problems(tmp_path, columns, dataset)
    assert "'id': identifiers appear more than once; each row needs its own: '1.1', '1.10', '1.100' are one number" in text


# ------------------------------------------------------------------------------ what is in the cells, and how to write it


@pytest.mark.parametrize(
    ("cell", "what", "remedy"),
    [
        ('"3,750"', "thousands separators", "write 3750 (3.750 if it is a decimal comma)"),
        ('"1,234,567.5"', "thousands separators", "write 1234567.5"),
        ("1 234", "thousands separators", "write 1234"),
        ("1'234", "thousands separators", "write 1234"),
        ('"39,1"', "a decimal comma", "write 39.1"),
        ('"1.234,5"', "a decimal comma", "write 1234.5"),
        ('"0,125"', "a decimal comma", "write 0.125"),
        ("39.1%", "a percent sign", "write 39.1"),
        ('"$3,750.00"', "a currency sign", "write 3750.00"),
        ("-12 €", "a currency sign", "write -12"),
        ("EUR 5", "a currency sign", "write 5"),
        ("3750 g", "the unit 'g'", "write 3750, and name the unit in the model's file"),
        ("5km/h", "the unit 'km/h'", "write 5"),
        ("(12)", "a sign apart from its number", "write -12"),
        ("\u22125", "digits or a minus sign of another script", "write -5"),
        ("0x10", "a number as programs write it", "write 16"),
        ("-", "a sign for a missing value", "leave the cell empty"),
        ("N.A.", "a sign for a missing value", "leave the cell empty"),
        ("#DIV/0!", "a sign for a missing value", "leave the cell empty"),
        ("True", "a truth value", "write 1 or 0"),
        ("31/12/2025", "dates", "derive a number"),
        ("1e400", "a number too large", "repair it"),
        ("Yes", "a truth value", "write 1 or 0"),
        ("2025-12", "dates", "derive a number"),
        ('"12,34,567"', "thousands separators", "write 1234567"),
        ("193 ‰", "a per-mille sign", "write 193"),
        ("4.27k", "the factor 'k'", "write 4270"),
        ("300K", "the factor 'K'", "write 300000 (300 if K is a unit)"),
        ("3.5 Mio. €", "the factor 'Mio.'", "write 3500000"),
        ("$5m", "a currency sign", "write 5000000"),
        ("5 m", "the unit 'm'", "write 5, and name the unit"),
        ("~4269", "a sign for about", "write 4269"),
        ('"ca. 1,5 kg"', "a sign for about", "write 1.5"),
        ("<4269", "a bound and no value", "such as the bound 4269"),
        ("65+", "a bound and no value", "such as the bound 65"),
        ("4269-4272", "a range", "such as its middle 4270.5"),
        ("10 to 20 km", "a range", "such as its middle 15"),
        ("4269*", "a mark of a note", "write 4269"),
        ("4269 [a]", "a mark of a note", "write 4269"),
        ("1/2", "a fraction", "write 0.5"),
        ("1 1/4", "a fraction", "write 1.25"),
        ("12:30", "a time", "such as 750 for minutes"),
        ("0:01:30", "a time", "such as 90 for seconds"),
    ],
)
def test_a_cell_that_is_no_number_says_what_it_is_and_how_to_write_it(tmp_path: Path, cell: str, what: str, remedy: str) -> None:
    columns = houses()
    columns["rooms"][4] = cell
    text = problems(tmp_path, columns)
    assert f"are not numbers: {what}" in text
    assert remedy in text
    assert "make it categorical" not in text
    assert "table.csv line 6" in text


@pytest.mark.parametrize("cell", ["x1", "3rd", "1/0", "1d5", "39.1 39.2", "5-", "-" * 100, "- " + " " * 100_000 + "x"])
def test_a_cell_that_is_no_kind_of_number_is_not_explained_away(tmp_path: Path, cell: str) -> None:
    columns = houses()
    columns["rooms"][4] = cell
    assert "are not numbers; repair them, or leave the cell empty" in problems(tmp_path, columns)


def test_only_a_column_of_text_is_advised_to_be_categorical(tmp_path: Path) -> None:
    names = ["big", "small"] * 100
    assert "'area': values such as 'big' are not numbers; make it categorical in the model's file" in problems(
        tmp_path, {**houses(), "area": names}
    )
    text = problems(tmp_path, {**houses(), "price": names})
    assert "'price': values such as 'big' are not numbers; set Problem.BINARY or Problem.MULTICLASS" in text


@pytest.mark.parametrize("column", ["area", "price"])
@pytest.mark.parametrize("cell", ["~42", "<42", "42-43", "12:30", "42*", "1/2", '"12,34,567"', "42 ‰", "4.2k"])
def test_a_column_of_numbers_as_people_write_them_is_not_told_to_become_classes(tmp_path: Path, column: str, cell: str) -> None:
    text = problems(tmp_path, {**houses(), column: [cell] * 200})
    assert "are not numbers: " in text
    assert "categorical" not in text and "Problem." not in text


def test_whether_a_column_is_text_is_decided_by_the_cells_that_are_there(tmp_path: Path) -> None:
    columns = houses()
    columns["rooms"] = [None] * 150 + ["big"] * 40 + [3] * 10
    assert "make it categorical" in problems(tmp_path / "text", columns)
    columns["rooms"] = [None] * 150 + ["big"] * 10 + [3] * 40
    assert "repair them, or leave the cell empty" in problems(tmp_path / "numbers", columns)


def test_a_comma_is_read_by_the_whole_column(tmp_path: Path) -> None:
    columns = houses()
    columns["rooms"][:3] = ['"1,750"', '"2,5"', "?"]
    text = problems(tmp_path, columns)
    assert "values such as '1,750' are not numbers: a decimal comma; write 1.750 (table.csv line 2, line 3)" in text
    assert "values such as '?' are not numbers: a sign for a missing value" in text


def test_every_shown_cell_is_short(tmp_path: Path) -> None:
    long = "x" * 1_200_000
    for column in ("area", "kind"):
        columns = houses()
        columns[column][3] = long
        text = problems(tmp_path / column, columns)
        assert "1200000 characters" in text
        assert len(text) < 500


def test_a_table_with_very_many_problems_shows_some(tmp_path: Path) -> None:
    text = problems(tmp_path, {**houses(), **{f"further {index}": ["x"] * 200 for index in range(500)}})
    assert "500 problems" in text
    assert "and 490 more" in text


# --------------------------------------------------------------------------------------------------------- column names


def test_spaces_around_column_names_are_named(tmp_path: Path) -> None:
    text = problems(tmp_path, {f" {name}\u00a0": cells for name, cells in houses().items()})
    assert "column names with spaces around them: ' area\\xa0'" in text
    assert "write 'area', 'rooms', 'kind', 'town', 'price'" in text
    assert "begin with a line" not in text


def test_a_column_name_in_another_spelling_is_named(tmp_path: Path) -> None:
    columns = {{"area": "Area", "rooms": "rooms "}.get(name, name): cells for name, cells in houses().items()}
    text = problems(tmp_path, columns)
    assert "column 'area': the table spells it 'Area'; write the same in both" in text
    assert "column names with spaces around them: 'rooms '; write 'rooms'" in text
    assert "missing" not in text


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("", range(200), "column 1 has no name and counts the rows, so it is an index"),
        ("Unnamed: 0", range(200), "column 'Unnamed: 0': counts the rows, so it is an index"),
        ("Unnamed: 0", [7] * 200, "column 'Unnamed: 0': is an index by its name"),
        ("nr", range(1, 201), "column 'nr': counts the rows, so it is an index"),
        ("nr", range(2, 202), "column 'nr': not in the model's file"),
        ("", [7] * 200, "column 1 has no name and is an index by its place"),
    ],
)
def test_an_index_is_called_one(tmp_path: Path, name: str, cells: Any, expected: str) -> None:
    text = problems(tmp_path, {name: list(cells), **houses()})
    assert expected in text
    assert ("to_csv(index=False)" in text) == ("index" in expected)


@pytest.mark.parametrize(("name", "given"), [("", "column 6 has no name and"), ("Unnamed: 5", "column 'Unnamed: 5':")])
def test_a_comma_at_the_end_of_every_line_makes_no_index(tmp_path: Path, name: str, given: str) -> None:
    text = problems(tmp_path, {**houses(), name: [None] * 200})
    assert f"{given} is empty, as a comma at the end of every line makes it; remove that comma" in text
    assert "index" not in text
    assert "has no name and is not in the model's file; name it, or remove it" in problems(tmp_path / "full", {**houses(), "": ["x"] * 200})


@pytest.mark.thorough  # pandas takes a second to import
def test_the_index_of_a_pandas_frame_in_parquet_is_called_one(tmp_path: Path) -> None:
    import pandas as pd

    (tmp_path / "data").mkdir()
    pd.DataFrame(houses()).sample(frac=1, random_state=1).to_parquet(tmp_path / "data" / "a.parquet")
    text = message(tmp_path)
    assert "column '__index_level_0__': is an index by its name" in text
    assert "pandas.DataFrame.to_parquet(index=False)" in text


# ------------------------------------------------------------------------------------------------------------- warnings


def warnings(tmp_path: Path, columns: dict[str, Any], dataset: DataSet = HOUSES) -> str:
    """The warnings for a table that keeps the contract, one a line."""
    write_csv(tmp_path / "data" / "table.csv", columns)
    loaded = specification.load(write_specification(tmp_path / "specification.json", dataset))
    return "\n".join(contract.require(tables.read(tmp_path / "data"), loaded))


def test_good_tables_have_no_warnings(tmp_path: Path) -> None:
    for name, columns, dataset in (("houses", houses(), HOUSES), ("species", species(), SPECIES)):
        assert warnings(tmp_path / name, columns, dataset) == ""


def test_a_row_of_totals_is_named(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = houses()
    total = {"area": None, "rooms": None, "kind": None, "town": "Total", "price": int(sum(columns["price"]))}
    text = warnings(tmp_path, {name: [*cells, total[name]] for name, cells in columns.items()})
    assert f"a row unlike all others, perhaps a total: town is 'Total', price is {total['price']}, the sum of all others" in text
    assert "table.csv line 202" in text


def test_a_value_far_outside_of_all_others_is_named(tmp_path: Path) -> None:
    columns = houses()
    columns["price"][9] = 1_000_000
    text = warnings(tmp_path, columns)
    assert "price is 1000000" in text
    assert "times as far from the others as they are from each other" in text
    assert "table.csv line 11" in text


def test_large_values_of_a_heavy_tail_and_a_common_category_are_no_totals(tmp_path: Path) -> None:
    """A Pareto tail of exponent 1, as city sizes have: the largest of 200 is about 200 times the median."""
    columns = houses()
    columns["price"] = [round(1000 / (rank + 1), 3) for rank in range(200)]
    columns["town"] = ["total", "partial"] * 100
    assert warnings(tmp_path, columns) == ""


def with_sums(columns: dict[str, list[Any]], **cells: Any) -> dict[str, list[Any]]:
    """A last row of the sums of every column of numbers, and of these cells."""
    sums = {name: round(sum(values), 3) for name, values in columns.items() if not isinstance(values[0], str)}
    return {name: [*values, sums.get(name, cells.get(name))] for name, values in columns.items()}


def test_a_row_of_sums_is_named_and_not_the_leakage_that_it_feigns(tmp_path: Path) -> None:
    """Its values are so large that every column follows the target: a person once was told to remove them all."""
    dataset = HOUSES.but(numeric=(Numeric(name="area"), Numeric(name="rooms")))
    text = warnings(tmp_path, with_sums(houses()), dataset)
    assert "a row unlike all others, perhaps a total: area is " in text
    assert "the sum of all others" in text
    assert "table.csv line 202" in text
    assert "leakage" not in text


def test_a_far_value_does_not_feign_leakage_either(tmp_path: Path) -> None:
    dataset = HOUSES.but(numeric=(Numeric(name="area"), Numeric(name="rooms")))
    columns = houses()
    for name in ("area", "rooms", "price"):
        columns[name][7] = columns[name][7] * 100_000
    text = warnings(tmp_path, columns, dataset)
    assert "leakage" not in text
    assert "times as far from the others" in text
    assert "table.csv line 9" in text


def test_a_total_that_breaks_the_contract_is_the_one_problem(tmp_path: Path) -> None:
    """Beyond the maximum, of no declared category, without an answer: one row, and one thing to do."""
    columns = with_sums(houses(), kind="Total")
    columns["price"][-1] = None
    text = problems(tmp_path, columns)
    assert "1 problem" not in text and "problems" not in text
    assert "a row unlike all others, perhaps a total: area is " in text
    assert "kind is 'Total'; remove it if it is no observation: with it, column 'area': above the maximum 1000" in text
    assert text.endswith("(table.csv line 202)")


def test_totals_of_a_class_and_of_each_file_are_named(tmp_path: Path) -> None:
    columns = {name: [*cells, {"income": 12.0, "group": "a", "granted": "Total:"}[name]] for name, cells in loans().items()}
    assert "perhaps a total: granted is 'Total:'" in problems(tmp_path / "class", columns, LOANS)
    dataset = HOUSES.but(numeric=(Numeric(name="area"), Numeric(name="rooms")))
    for name, seed in (("a", 3), ("b", 5)):
        write_csv(tmp_path / "files" / "data" / f"{name}.csv", with_sums(houses(seed=seed), kind="flat", town="Lima"))
    loaded = specification.load(write_specification(tmp_path / "files" / "specification.json", dataset))
    text = "\n".join(contract.require(tables.read(tmp_path / "files" / "data"), loaded))
    assert "a.csv line 202" in text and "b.csv line 202" in text
    assert "leakage" not in text


def test_a_table_of_few_different_rows_is_no_evidence_of_leakage(tmp_path: Path) -> None:
    assert "leakage" not in problems(tmp_path, {name: cells[:2] * 100 for name, cells in houses().items()})


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (["area", " rooms", "kind", "town", "price"], "the column names again; remove them"),
        (["m2", "number", "", "", "EUR"], "text in every column of numbers, 'm2', 'number', 'EUR': a second header or a note"),
        (["m²", "number", "", "", "EUR"], "text in every column of numbers, 'm²', 'number', 'EUR': a second header or a note"),
        (["Source: land registry", "", "", "", ""], "a row of one cell, 'Source: land registry', without an answer: a note"),
        (["", "", "", "", ""], "empty row; remove it"),
    ],
)
@pytest.mark.parametrize("place", [0, 90, 200])
def test_a_row_that_is_no_observation_is_one_problem(tmp_path: Path, row: list[str], expected: str, place: int) -> None:
    columns = {name: [*cells[:place], cell, *cells[place:]] for (name, cells), cell in zip(houses().items(), row, strict=True)}
    text = problems(tmp_path, columns)
    assert expected in text
    assert "problems" not in text
    assert text.endswith(f"(table.csv line {place + 2})")


def test_what_is_wrong_beside_such_a_row_is_said_with_its_own_line(tmp_path: Path) -> None:
    columns = {name: [name, *cells] for name, cells in houses().items()}
    columns["kind"][8] = "castle"
    text = problems(tmp_path, columns)
    assert "2 problems: the column names again" in text
    assert "values ['castle'] are not among" in text
    assert text.endswith("(table.csv line 10)")


def test_a_feature_that_counts_the_rows_is_named(tmp_path: Path) -> None:
    dataset = HOUSES.but(numeric=(*HOUSES.numeric, Numeric(name="nr")))
    assert "column 'nr': counts the rows" in warnings(tmp_path, {**houses(), "nr": list(range(200))}, dataset)


def test_texts_that_become_one_category_by_number_are_named(tmp_path: Path) -> None:
    columns = houses()
    columns["town"] = ["1.1", "1.10", "1.2", "v1"] * 50
    text = warnings(tmp_path, columns)
    assert "column 'town': '1.1', '1.10' are one category, the number 1.1" in text
    assert "such as v1.1" in text


def test_categories_that_a_slip_made_are_named(tmp_path: Path) -> None:
    columns = houses()
    columns["town"][:3] = ["lima", "?", " Lima "]
    text = warnings(tmp_path, columns)
    assert "'lima', 'Lima' differ in capitals or spaces only" in text
    assert "the category '?' looks like a missing value" in text
    assert "(table.csv line 3)" in text


def test_control_characters_are_refused_wherever_text_is(tmp_path: Path) -> None:
    for place, column, dataset, table in (("category", "town", HOUSES, houses()), ("class", "granted", LOANS, loans())):
        table[column][4] = f"{table[column][4]}\0"
        text = problems(tmp_path / place, table, dataset)
        assert f"column '{column}': values such as " in text
        assert "\\x00' hold control characters, as damaged files do; repair the data (table.csv line 6)" in text


def test_text_that_was_lost_before_it_came_is_refused_as_in_a_request(tmp_path: Path) -> None:
    columns = houses()
    columns["town"][4] = "Bogot\ufffd"
    text = problems(tmp_path, columns)
    assert "hold U+FFFD, which stands where a program could not read the text; repair the data (table.csv line 6)" in text


def test_a_category_as_long_as_a_document_is_a_warning(tmp_path: Path) -> None:
    columns = houses()
    columns["town"][3] = "x" * 1_200_000
    text = warnings(tmp_path, columns)
    assert "(1200000 characters) are free text, or rows between quotes" in text
    assert len(text) < 500


def test_copies_are_found_whatever_they_are_written_as(tmp_path: Path) -> None:
    columns = houses()
    again = {name: f" {cells[0]}0" if name in ("area", "price") else f"{cells[0]} " for name, cells in columns.items()}
    text = warnings(tmp_path, {name: [*cells, again[name]] for name, cells in columns.items()})
    assert text.startswith("1 row repeats another row")
    assert "table.csv line 202" in text


# ---------------------------------------------------------------------------------------- one form of every category


def test_declared_categories_are_found_in_every_form(tmp_path: Path) -> None:
    dataset = HOUSES.but(categorical=(Categorical(name="kind", values=("True", "4.0")), Categorical(name="town")))
    columns = houses()
    columns["kind"] = ["True", "true", "4", " 4.0", "FALSE"] * 40
    text = problems(tmp_path, columns, dataset)
    assert "values ['false'] are not among 'true', '4'" in text
    assert "1 problem" not in text


def test_infinite_categories_of_a_parquet_file_name_their_rows(tmp_path: Path) -> None:
    columns = {**houses(), "town": [1.0, float("inf")] * 100}
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.table(columns), tmp_path / "data" / "table.parquet")
    text = message(tmp_path)
    assert "column 'town': values such as 'inf' are no categories" in text
    assert "table.parquet row 2" in text


def test_decimals_and_unused_values_of_a_dictionary_keep_the_contract(tmp_path: Path) -> None:
    columns = {**houses(), "town": pa.array([Decimal("1.50"), Decimal("2.00")] * 100)}
    kinds = pa.array(["castle", *columns["kind"]]).dictionary_encode().slice(1)
    (tmp_path / "data").mkdir()
    parquet.write_table(pa.table({**columns, "kind": kinds}), tmp_path / "data" / "table.parquet")
    assert message(tmp_path) == ""


def test_categories_in_two_precisions_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, held in (("a", pa.float32()), ("b", pa.float64())):
        columns = {**houses(seed=len(name)), "town": pa.array([0.1, 0.2] * 100, held)}
        parquet.write_table(pa.table(columns), tmp_path / "data" / f"{name}.parquet")
    assert "column 'town': holds float and double in different files" in message(tmp_path)
