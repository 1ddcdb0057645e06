"""Turns a person's file into what a batch job reads, and its answers into a file a person can open.

Input: CSV with header or Parquet. Output: CSV without header, the features in the order of settings.DATASET, every cell
as training reads it; and, after the job, the person's own columns with the predictions beside them. Used by score_file.py.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.step_modules import load
from settings import DataSet, Problem


def read(path: Path, dataset: DataSet) -> Any:
    """The `table.Table` of a file that has every feature and at least one row. Raises ProblemError."""
    if not path.is_file():
        raise ProblemError(f"{path} is not a file; give one .csv or .parquet file, or an s3:// address")
    bad_input: Any = load("failure").BadInput
    try:
        table = load("table").read(path)
    except bad_input as error:
        raise ProblemError(str(error)) from error
    missing = [name for name in dataset.features if name not in table.columns.column_names]
    if missing:
        raise ProblemError(f"{path.name} has no column {', '.join(missing)}; it needs {', '.join(dataset.features)} (settings.DATASET)")
    if not table.rows:
        raise ProblemError(f"{path.name} has no rows; there is nothing to score")
    return table


def request(table: Any, dataset: DataSet) -> bytes:
    """CSV lines, one per row. Raises ProblemError naming the column and the line of a cell that no model can read."""
    columns = [_numbers(table, column.name) for column in dataset.numeric]
    columns += [_categories(table, column.name) for column in dataset.categorical]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, strict=True))
    return text.getvalue().encode()


def _numbers(table: Any, name: str) -> list[str]:
    import numpy as np
    import pyarrow as pa

    column = table.columns[name]
    try:
        values = load("table").floats(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        row, cell = _first_that_is_no_number(column.to_pylist())
        raise ProblemError(f"{name} is {cell!r} ({table.locate(row)}); allowed: a number, or nothing where it is unknown") from None
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise ProblemError(f"{name} is infinite ({table.locate(row)}); allowed: a number, or nothing where it is unknown")
    return ["" if np.isnan(value) else repr(value) for value in values.tolist()]


def _first_that_is_no_number(cells: Sequence[Any]) -> tuple[int, Any]:
    number = load("cells").number
    for row, cell in enumerate(cells):
        try:
            number(cell)
        except (ValueError, OverflowError):
            return row, cell
    return 0, cells[0]


def _categories(table: Any, name: str) -> list[str]:
    distinct, codes = load("table").labels(table.columns[name])
    for index, value in enumerate(distinct):
        if value is not None and ("\n" in value or "\r" in value):
            row = codes.tolist().index(index)
            raise ProblemError(f"{name} has a line break ({table.locate(row)}); a batch job cuts its input at line breaks, so remove it")
    return ["" if distinct[code] is None else str(distinct[code]) for code in codes.tolist()]


def answers(sent: bytes, received: bytes) -> list[list[str]]:
    """The prediction of each row, from lines that hold the row and the prediction. Raises ProblemError if they are not the rows sent."""
    rows, joined = list(_lines(sent)), list(_lines(received))
    if len(rows) != len(joined):
        raise ProblemError(f"{len(joined)} answers came back for {len(rows)} rows; the job's output is not what was asked for")
    for number, (row, line) in enumerate(zip(rows, joined, strict=True), start=1):
        if line[: len(row)] != row:
            raise ProblemError(f"answer {number} belongs to the row {line[: len(row)]}, not to {row}")
    return [line[len(row) :] for row, line in zip(rows, joined, strict=True)]


def write(path: Path, table: Any, predictions: Sequence[Sequence[str]], dataset: DataSet) -> None:
    """The file's own columns, then what the version says about each row."""
    own = [["" if cell is None else cell for cell in column.to_pylist()] for column in table.columns.columns]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*table.columns.column_names, *prediction_names(dataset, len(predictions[0]))])
        writer.writerows([*cells, *said] for cells, said in zip(zip(*own, strict=True), predictions, strict=True))


def prediction_names(dataset: DataSet, count: int) -> list[str]:
    """What pipelines/tabular/steps/inference.py answers as CSV: a value, or a class and its probabilities; once a probability alone."""
    if dataset.problem is Problem.BINARY:
        return [*(["prediction"] if count > 1 else []), f"probability_{dataset.positive_class}"]
    return ["prediction", *(f"probability_{index}" for index in range(1, count))]


def _lines(content: bytes) -> Iterator[list[str]]:
    yield from csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
