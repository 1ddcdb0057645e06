"""What a column of times says: a number for each row that grows with time, by which a split by time goes.

A cell is a number (a year, seconds since 1970), or a month, a date, or a time of ISO 8601 (RFC 3339, which may leave out the seconds, the
offset and the `T`). A column has one form, which is that of its first cell: 2024-01-02 beside 2024-01-02T10:00 is later or the same,
as is 10:00 beside 10:00+02:00. Times are told apart to the microsecond, which a float64 holds until the year 2255.
Input: a `Table` and the specification. Output: floats. Used by `column_checks.py`, `time_split.py` and `drift_over_time.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cells import MISSING, WHITE_SPACE
from column_values import Column, UnreadableError, chunks, floats_of_chunks, is_text, plain
from features import Floats
from table import Table

NUMBERS = "numbers"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = _DATE + "[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?"
#: By their names in messages. Each is what pyarrow and Python read, and nothing beside it.
FORMS = {
    "months": "[0-9]{4}-[0-9]{2}",
    "dates": _DATE,
    "times without an offset": _TIME,
    "times with an offset": _TIME + "(Z|[+-][0-9]{2}:?[0-9]{2})",
}
_WITH_OFFSET = "times with an offset"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def of(table: Table, name: str) -> Floats:
    """The times of a column, which is read once; NaN where one is missing. Raises UnreadableError with all cells that are none."""
    return table.arrays.get(f"time {name}", lambda: of_chunks(table.columns[name]))


def of_chunks(column: Column) -> Iterator[Floats]:
    """The same a chunk at a time."""
    held, form = plain(column.slice(0, 0)).type, form_of(column)
    if pa.types.is_date(held) or pa.types.is_timestamp(held):
        yield from map(_of_stamps, chunks(column))
    elif form == NUMBERS:
        yield from floats_of_chunks(column)
    else:
        yield from _of_texts(column, form)


def form_of(column: Column) -> str:
    """`NUMBERS`, or one of `FORMS`: what the first cell is. What is nothing of these is no number either."""
    held = plain(column.slice(0, 0)).type
    if pa.types.is_timestamp(held):
        return _WITH_OFFSET if held.tz else "times without an offset"
    if pa.types.is_date(held):
        return "dates"
    first = next((text for array in chunks(column) if is_text(held) for text in _first(array)), "")
    return next((form for form, pattern in FORMS.items() if re.fullmatch(pattern, first)), NUMBERS)


def shown(value: float, form: str) -> str:
    """A time as its column writes it; of an offset's, in UTC."""
    if form == NUMBERS:
        return f"{value:.15g}"
    text = (_EPOCH + value * _MICROSECOND).replace(tzinfo=None).isoformat()
    length = {"months": 7, "dates": 10}.get(form)
    return text[:length] if length else text + "Z" * (form == _WITH_OFFSET)


def _first(array: pa.Array) -> list[str]:
    present = _present(array).drop_null()
    return present.slice(0, 1).to_pylist()  # type: ignore[no-any-return]  # of texts


def _present(array: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim(array, characters=WHITE_SPACE)
    return pc.if_else(pc.is_in(trimmed, value_set=pa.array(sorted(MISSING), trimmed.type)), pa.scalar(None, trimmed.type), trimmed)


def _of_stamps(array: pa.Array) -> Floats:
    held = pa.timestamp("us", getattr(array.type, "tz", None))
    return np.asarray(array.cast(held, safe=False).cast(pa.int64()).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _of_texts(column: Column, form: str) -> Iterator[Floats]:
    begun, rows, texts = 0, list[int](), list[str]()
    for array in chunks(column):
        present = _present(array)
        try:
            yield _of_stamps(_stamps(present, form))
        except pa.ArrowInvalid:
            for row, text in enumerate(present.to_pylist()):
                if text is not None and not _is_of(text, form):
                    rows.append(begun + row)
                    texts.append(text)
        begun += len(array)
    if rows:
        raise UnreadableError(rows, texts)


def _stamps(present: pa.Array, form: str) -> pa.Array:
    """Raises ArrowInvalid for a cell that is not of the form, or no day of the calendar."""
    if not pc.all(pc.match_substring_regex(present, f"^({FORMS[form]})$"), min_count=0).as_py():
        raise pa.ArrowInvalid(f"not all are {form}")
    if form == "months":
        present = pc.binary_join_element_wise(present, "01", "-")
    shortened = pc.replace_substring_regex(present, "([.][0-9]{6})[0-9]+", r"\1")
    return shortened.cast(pa.timestamp("us", "UTC" if form == _WITH_OFFSET else None))


def _is_of(text: str, form: str) -> bool:
    if not re.fullmatch(FORMS[form], text):
        return False
    try:
        datetime.fromisoformat(f"{text}-01" if form == "months" else text)
    except ValueError:
        return False
    return True
