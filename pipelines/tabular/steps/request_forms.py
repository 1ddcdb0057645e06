"""The rows of a request, in each form in which clients send them: cells as they came, before the version's contract is asked.

- `text/csv`: lines of cells without a header.
- `application/jsonlines`: a row on each line (SageMaker Developer Guide, "Common data formats for inference").
- `application/json`: a list of rows, one row as an object, or rows under a name: `instances` (TensorFlow Serving, SageMaker), `inputs`
  (TensorFlow Serving, MLflow: rows, or columns by name), `columns` and `data` (pandas' `to_json(orient="split")`), `dataframe_split`
  and `dataframe_records` (MLflow). Other keys beside these, such as `params` or `signature_name`, are not read.

A row is a list of cells in the order of the contract, an object of cells by column, or {"features": [...]}. Cells are no lists and no
objects, so that no name of a column can be taken for one of a form. Text is UTF-8, with or without a byte order mark.
Raises RequestError for everything else. Used by `inference.py` and the watch (bodies.py). docs/requests.md has an example of each.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cells import shown

JSON, CSV, JSON_LINES = "application/json", "text/csv", "application/jsonlines"
Row = Sequence[Any] | dict[str, Any]

#: What makes more of a CSV text than one line of plain cells. A reader of CSV costs more than such a line.
_MORE_THAN_CELLS = re.compile('["\r\n]')
#: No cell of it is longer than the reader takes (`csv.field_size_limit`).
_LONGEST_PLAIN_LINE = 100_000

_RECORDS = ("instances", "inputs", "dataframe_records")
_SPLIT = "dataframe_split"
_FORMS = 'send {"instances": [[...], ...]}, or another form of docs/requests.md'


class RequestError(Exception):
    """A request that cannot be answered, and the status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def read(body: bytes | str, content_type: str | None) -> list[Row]:
    """Raises RequestError: 415 for another content type, 400 for a malformed body and one without rows."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    rows_of = _READERS.get(kind)
    if rows_of is None:
        raise RequestError(415, f"content type {content_type!r} is not supported; send {CSV}, {JSON} or {JSON_LINES}")
    # The container's Flask server decodes text itself and puts U+FFFD in place of what is not UTF-8.
    text = body if isinstance(body, str) else bytes(body).decode("utf-8", errors="replace")
    if "\ufffd" in text:
        raise RequestError(400, f"the body is not UTF-8 (character {text.index(chr(0xFFFD)) + 1})")
    rows = rows_of(text.removeprefix("\ufeff"))
    if not rows:
        raise RequestError(400, "the body has no rows")
    return rows


def _csv_rows(text: str) -> list[Row]:
    line = text.removesuffix("\n")
    if line and len(line) < _LONGEST_PLAIN_LINE and not _MORE_THAN_CELLS.search(line):
        return [line.split(",")]
    try:
        return [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error as error:
        raise RequestError(400, f"malformed CSV: {error}") from None


def _json_lines_rows(text: str) -> list[Row]:
    """JSON's own strings may hold every other character that ends a line in Unicode, so that only line feeds do."""
    lines = ((place, line) for place, line in enumerate(text.split("\n"), start=1) if line.strip())
    return _as_rows(_parsed(line, f"line {place}: ") for place, line in lines)


def _json_rows(text: str) -> list[Row]:
    document = _parsed(text)
    if isinstance(document, list):
        return _as_rows(document)
    if not isinstance(document, dict):
        raise RequestError(400, f"JSON holds no rows; {_FORMS}")
    named = [name for name in (*_RECORDS, _SPLIT) if isinstance(document.get(name), list | dict)]
    if len(named) > 1:
        raise RequestError(400, f"JSON holds rows under {' and '.join(named)}; send one of them")
    if named:
        held = document[named[0]]
        if named[0] == _SPLIT and isinstance(held, dict):
            return _split_rows(held)
        return _as_rows(held) if isinstance(held, list) else _columns_rows(held)
    if isinstance(document.get("data"), list):
        return _split_rows(document)
    if not _is_row(document):
        raise RequestError(400, f"JSON holds no rows; {_FORMS}")
    return _as_rows([document] if document else [])


def _parsed(text: str, where: str = "") -> Any:
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"{where}malformed JSON: {error}") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 8259 §4: what an object means that has a name twice is up to whoever reads it. Raises ValueError for one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"{shown(_repeated(name for name, _ in pairs))} is twice in one object")
    return found


def _repeated(names: Iterable[Any]) -> Any:
    return Counter(names).most_common(1)[0][0]


def _is_row(value: dict[str, Any]) -> bool:
    return isinstance(value.get("features"), list) or not any(isinstance(cell, list | dict) for cell in value.values())


def _as_rows(values: Iterable[Any]) -> list[Row]:
    rows: list[Row] = []
    for value in values:
        is_wrapped = isinstance(value, dict) and len(value) == 1 and isinstance(value.get("features"), list)
        row = value["features"] if is_wrapped else value
        if not isinstance(row, list | dict):
            raise RequestError(400, "each instance is a list of cells or an object of columns; a single row is sent as [[...]]")
        rows.append(row)
    return rows


def _columns_rows(columns: Mapping[str, Any]) -> list[Row]:
    """Cells by column, for all rows; or one row, where no column is a list."""
    if not any(isinstance(cells, list | dict) for cells in columns.values()):
        return [dict(columns)] if columns else []
    for name, cells in columns.items():
        if not isinstance(cells, list):
            raise RequestError(400, f"JSON holds no rows: {shown(name)} is not a list of cells; {_FORMS}")
    counts = {len(cells) for cells in columns.values()}
    if len(counts) > 1:
        raise RequestError(400, f"the columns have different numbers of cells: {min(counts)} and {max(counts)}")
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _split_rows(frame: Mapping[str, Any]) -> list[Row]:
    """`index` is pandas' names of the rows, and no column. Without `columns` the cells are in the order of the contract."""
    rows, names = frame.get("data"), frame.get("columns")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise RequestError(400, "data is not a list of rows, each a list of cells")
    if names is None:
        return rows
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RequestError(400, "columns is not a list of names")
    if len(set(names)) < len(names):
        raise RequestError(400, f"columns has {shown(_repeated(names))} twice")
    for place, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise RequestError(400, f"row {place} has {len(row)} cells for the {len(names)} columns")
    return [dict(zip(names, row, strict=True)) for row in rows]


#: Made once: `json.loads` makes one for each text that it is given a hook for.
_DECODER = json.JSONDecoder(object_pairs_hook=_each_once)
_READERS = {CSV: _csv_rows, JSON: _json_rows, JSON_LINES: _json_lines_rows}
