"""One rule reads a cell: a value has one form, whatever it is written in, and numbers have the same bits from a file and a request."""

from __future__ import annotations

import json
import math
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import table as tables
from cells import LONGEST_SHOWN, MISSING, WHITE_SPACE, category, number, shown
from column_values import UnreadableError, spellings
from hypothesis import example, given
from hypothesis import strategies as st

DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
#: What numbers are made of, and what only looks like it.
NUMBER_LIKE = st.text(alphabet="0123456789.eE+-,_ xnaif\u00a0\ufeff\u0661", max_size=8)


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        ([4, 4.0, "4", "4.0", "4.00", " 4 ", "\ufeff4", Decimal("4.00"), np.int8(4), np.float32(4)], "4"),
        ([4.5, "4.5", "4.50", Decimal("4.50"), np.float16(4.5), "4.50e0", "45.0E-1"], "4.5"),
        ([True, "True", "true", "TRUE", " true\u00a0", np.True_], "true"),
        ([False, "False", "false", np.False_], "false"),
        ([0, 0.0, -0.0, "0", "-0", "-0.0", "0.000", Decimal("0E-20")], "0"),
        ([0.5, "0.5", ".5", "0.50"], "0.5"),
        ([1e16, "1e+16", "1E+16", "10000000000000000", "1.0E16", 10**16, Decimal("1E+16")], "10000000000000000"),
        ([1e-05, "1e-05", "1E-5", "0.00001"], "0.00001"),
        ([0.1, "0.1", "0.10000000000000001", np.float32(0.1), np.float16(0.1), Decimal("0.1")], "0.1"),
        (["Bogotá", "Bogota\u0301", " Bogotá\u200b", "\u2003Bogotá"], "Bogotá"),
    ],
)
def test_a_category_has_one_form(cells: list[Any], form: str) -> None:
    assert [category(cell) for cell in cells] == [form] * len(cells)


@pytest.mark.parametrize("code", ["007", "+4", "1e3", "5.", "00.5", "1_000", "0x10", "F", "f", "yes", "1,5", "v1.10", "\u0664", "inf"])
def test_codes_and_names_stay_as_they_are(code: str) -> None:
    assert category(code) == code


def test_a_whole_number_keeps_all_of_its_digits() -> None:
    text = "12345678901234567890"
    assert category(text) == category(int(text)) == category(Decimal(text + ".00")) == category(text + ".0") == text


@pytest.mark.parametrize(
    "cell", [math.inf, -math.inf, Decimal("Infinity"), np.float32(np.inf), b"a", [1], {"a": 1}, object(), 1j, "a\ud83d"]
)
def test_what_is_no_category_is_refused(cell: Any) -> None:
    with pytest.raises(ValueError):
        category(cell)


@pytest.mark.parametrize("cell", [None, math.nan, np.float32("nan"), Decimal("NaN"), *sorted(MISSING), " NA\t", "\ufeff"])
def test_missing_is_missing_as_a_number_and_as_a_category(cell: Any) -> None:
    assert category(cell) is None
    assert math.isnan(number(cell))


@pytest.mark.thorough  # pandas takes a second to import
def test_what_pandas_reads_as_missing_is_missing() -> None:
    from pandas._libs.parsers import STR_NA_VALUES  # what na_values of read_csv begins with; no public name

    assert MISSING == STR_NA_VALUES


def test_all_white_space_of_unicode_is_trimmed() -> None:
    assert set(WHITE_SPACE) >= {sign for sign in map(chr, range(sys.maxunicode + 1)) if sign.isspace()}


@given(st.one_of(st.text(), NUMBER_LIKE))
def test_the_form_of_a_category_is_its_own_form(text: str) -> None:
    once = category(text)
    assert once is None or category(once) == once


@given(DOUBLES)
def test_a_float_is_the_category_of_every_text_that_programs_write_for_it(value: float) -> None:
    texts = [repr(value), json.dumps(value), f"{value:.17e}", str(Decimal(repr(value))), format(Decimal(repr(value)), "f")]
    assert {category(text) for text in texts} == {category(value)}
    assert category(json.loads(json.dumps(value))) == category(value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_in_single_precision_is_the_category_of_its_shortest_digits(value: float) -> None:
    assert category(np.float32(value)) == category(str(np.float32(value)))
    assert tables.labels(pa.array([value], pa.float32()))[0] == [category(np.float32(value))]


@pytest.mark.parametrize("text", [".5", "5.", "+1", "-1", "1e5", "1E-5", " 7\u00a0", "\ufeff7", "007", "1e-400", "-0", "9007199254740993"])
def test_a_text_is_the_same_number_in_a_file_and_in_a_request(text: str) -> None:
    assert (
        tables.floats(pa.array([text])).tobytes()
        == np.float64(float(text.strip(WHITE_SPACE))).tobytes()
        == np.float64(number(text)).tobytes()
    )


@pytest.mark.parametrize(
    "text", ["1e400", "-1e400", "inf", "Infinity", "NAN", "nan(1)", "0x10", "1_000", "\u0661", "1,5", "1 0", "--1", "1e", ".", "1\0"]
)
def test_a_text_is_no_number_in_a_file_and_in_a_request(text: str) -> None:
    with pytest.raises(ValueError):
        number(text)
    with pytest.raises(UnreadableError) as refused:
        tables.floats(pa.array(["1", text]))
    assert (refused.value.rows, refused.value.texts) == ([1], [text])


@given(st.lists(st.one_of(NUMBER_LIKE, DOUBLES.map(repr), st.integers().map(str)), min_size=1, max_size=5))
@example(["1", "+1"])
def test_files_and_requests_read_and_refuse_the_same_numbers(texts: list[str]) -> None:
    read: list[float] = []
    refused = []
    for row, text in enumerate(texts):
        try:
            read.append(number(text))
        except ValueError:
            refused.append(row)
    for held in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        column = pa.array(texts).dictionary_encode().cast(held) if pa.types.is_dictionary(held) else pa.array(texts, held)
        if refused:
            with pytest.raises(UnreadableError) as error:
                tables.floats(column)
            assert error.value.rows == refused
        else:
            np.testing.assert_array_equal(tables.floats(column).view(np.uint64), np.array(read).view(np.uint64))


@given(st.decimals(min_value=-(10**18), max_value=10**18, places=18))
@example(Decimal("0.1").quantize(Decimal("1e-18")))
def test_a_decimal_is_the_nearest_float(value: Decimal) -> None:
    for held in (pa.decimal128(38, 18), pa.decimal256(60, 18)):
        assert tables.floats(pa.array([value, None], held))[0] == float(value) == number(value)


@given(st.integers(-(2**63), 2**63 - 1))
@example(2**53 + 1)
def test_a_whole_number_is_the_nearest_float(value: int) -> None:
    assert tables.floats(pa.array([value]))[0] == float(value) == number(value)


@pytest.mark.parametrize(
    "held",
    [
        pa.int8(),
        pa.uint64(),
        pa.float16(),
        pa.float32(),
        pa.float64(),
        pa.decimal32(5, 2),
        pa.decimal64(9, 3),
        pa.decimal128(38, 0),
        pa.decimal256(60, 20),
    ],
)
def test_every_type_of_number_holds_the_same_numbers_and_categories(held: pa.DataType) -> None:
    cells = [Decimal(4), None, Decimal(0)] if pa.types.is_decimal(held) else np.array([4, 9, 0], held.to_pandas_dtype())
    column = pa.array(cells, held, mask=None if pa.types.is_decimal(held) else np.array([False, True, False]))
    distinct, codes = tables.labels(column)
    assert [distinct[code] for code in codes] == ["4", None, "0"]
    np.testing.assert_array_equal(tables.floats(column), [4.0, math.nan, 0.0])


def test_a_dictionary_counts_by_what_its_rows_hold() -> None:
    """An encoded column may know values that no row has, one value twice, and a gap in two ways."""
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None, 0]), pa.array(["4.0", "4", None, "never"]))
    distinct, codes = tables.labels(column)
    assert [distinct[code] for code in codes] == ["4", "4", None, None, "4"]
    assert set(distinct) == {"4", None}
    np.testing.assert_array_equal(tables.floats(column), [4, 4, math.nan, math.nan, 4])
    narrow = pa.array([0.1, 0.5, 0.1], pa.float32()).dictionary_encode()
    assert tables.labels(narrow)[0] == ["0.1", "0.5"]


def test_dates_and_truth_values_are_no_numbers() -> None:
    for column in (pa.array([True]), pa.array([0], pa.date32()), pa.array([b"1"])):
        with pytest.raises(UnreadableError):
            tables.floats(column)


def test_the_spellings_of_a_category_are_known() -> None:
    assert spellings(pa.array(["1.1", " 1.10", "1.1", "x", None])) == {"1.1": ["1.1", "1.10"], "x": ["x"]}
    assert spellings(pa.array([1.5])) == {}


def test_a_long_cell_is_shown_short_and_in_one_line() -> None:
    assert shown("a\nb") == repr("a\nb")
    text = shown("x" * 1_200_000)
    assert len(text) < LONGEST_SHOWN + 40
    assert "1200000 characters" in text
