"""Turns a person's file into what a batch job reads, and its answers into a file a person can open.

Input: CSV with header or Parquet. Output: CSV without header, the features in the order of the version's contract, every cell in its
one form (pipelines/tabular/steps/cells.py); and, after the job, the person's own columns with the predictions beside them. What the
version would refuse is refused here, with the line of the file. Used by score_file.py.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.invocation import csv_body
from build_scripts.step_modules import load
from build_scripts.version_contract import Contract
from settings_schema import Problem

_SHOWN_COLUMNS = 20


def read(path: Path, contract: Contract) -> Any:
    """The `table.Table` of a file that has every feature, at least one row, and no column of the answer's name. Raises ProblemError."""
    if not path.is_file():
        raise ProblemError(f"{path} is not a file; give one .csv or .parquet file, or an s3:// address")
    bad_input: Any = load("failure").BadInput
    try:
        table = load("table").read(path)
    except bad_input as error:
        raise ProblemError(str(error)) from error
    names, shown = table.columns.column_names, load("cells").shown
    missing = [name for name in contract.features if name not in names]
    if missing:
        there = ", ".join(shown(name) for name in names[:_SHOWN_COLUMNS])
        needed = f"the version takes {', '.join(contract.features)}"
        raise ProblemError(f"{path.name} has no column {', '.join(missing)}; {needed}, and the file has {there}")
    taken = [name for name in names if _is_answer(name, contract)]
    if taken:
        raise ProblemError(f"{path.name} has a column {shown(taken[0])}, which is how the answer is called; rename it, or remove it")
    if not table.rows:
        raise ProblemError(f"{path.name} has no rows; there is nothing to score")
    return table


def _is_answer(name: str, contract: Contract) -> bool:
    """Whether `prediction_names` may make a column of this name, whatever the version answers."""
    return name == "prediction" or bool(re.fullmatch(rf"probability_(\d+|{re.escape(str(contract.positive_class))})", name))


def request(table: Any, contract: Contract) -> bytes:
    """CSV lines, one per row. Raises ProblemError naming the column and the line of a cell that no model can read, or that the version
    does not allow.
    """
    numbers = load("features").stack({name: _numbers(table, name) for name in contract.numeric}, list(contract.numeric), table.rows)
    categories = [_categories(table, name) for name in contract.categorical]
    allowed = load("allowed").Allowed(contract.described, list(contract.numeric), list(contract.categorical))
    outside = allowed.first_outside(numbers, categories)
    if outside:
        place = table.locate(outside.row)
        raise ProblemError(f"{outside.column} is {outside.cell} ({place}); allowed: {outside.allowed}, or nothing where it is unknown")
    columns = [["" if math.isnan(value) else repr(value) for value in column.tolist()] for column in numbers.T]
    columns += [["" if distinct[code] is None else distinct[code] for code in codes.tolist()] for distinct, codes in categories]
    return csv_body(list(zip(*columns, strict=True)))


def _numbers(table: Any, name: str) -> Any:
    import numpy as np

    unreadable: Any = load("column_values").UnreadableError
    try:
        values = table.numbers(name)
    except unreadable as error:
        texts = load("number_texts")
        kind, places = next(iter(texts.kinds(error.texts).items()))
        row, cell = error.rows[places[0]], load("cells").shown(error.texts[places[0]])
        is_infinite = kind.what == texts.INFINITE
        given = f"{name} is {'infinite' if is_infinite else cell} ({table.locate(row)})"
        raise ProblemError(f"{given}; {kind.remedy}" if is_infinite else kind.sentence(f"{given}, not a number")) from None
    if np.isinf(values).any():
        row = int(np.flatnonzero(np.isinf(values))[0])
        raise ProblemError(f"{name} is infinite ({table.locate(row)}); leave the cell empty where a value is unknown")
    return values


def _categories(table: Any, name: str) -> Any:
    unreadable: Any = load("column_values").UnreadableError
    try:
        distinct, codes = table.categories(name)
    except unreadable as error:
        row, cell = error.rows[0], load("cells").shown(error.texts[0])
        raise ProblemError(f"{name} is {cell} ({table.locate(row)}), not a category; leave the cell empty where it is unknown") from None
    for index, value in enumerate(distinct):
        if value is not None and ("\n" in value or "\r" in value):
            row = codes.tolist().index(index)
            raise ProblemError(f"{name} has a line break ({table.locate(row)}); a batch job cuts its input at line breaks, so remove it")
    return distinct, codes


def answers(sent: bytes, received: bytes) -> list[list[str]]:
    """The prediction of each row, from lines that hold the row and the prediction. Raises ProblemError if they are not the rows sent."""
    rows, joined = list(_lines(sent)), list(_lines(received))
    if len(rows) != len(joined):
        raise ProblemError(f"{len(joined)} answers came back for {len(rows)} rows; the job's output is not what was asked for")
    for number, (row, line) in enumerate(zip(rows, joined, strict=True), start=1):
        if line[: len(row)] != row:
            raise ProblemError(f"answer {number} belongs to the row {line[: len(row)]}, not to {row}")
    return [line[len(row) :] for row, line in zip(rows, joined, strict=True)]


def write(path: Path, table: Any, predictions: Sequence[Sequence[str]], contract: Contract) -> None:
    """The file's own columns, then what the version says about each row."""
    own = [_own_cells(column) for column in table.columns.columns]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*table.columns.column_names, *prediction_names(contract, len(predictions[0]))])
        writer.writerows([*cells, *said] for cells, said in zip(zip(*own, strict=True), predictions, strict=True))


def _own_cells(column: Any) -> list[Any]:
    """Numbers in single precision with the digits that they need: 0.1, not 0.10000000149011612."""
    import pyarrow as pa

    if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
        return ["" if math.isnan(cell) else str(cell) for cell in column.to_numpy()]
    return ["" if cell is None else cell for cell in column.to_pylist()]


def prediction_names(contract: Contract, count: int) -> list[str]:
    """What pipelines/tabular/steps/inference.py answers as CSV: a value, or a class and its probabilities; once a probability alone."""
    if contract.problem is Problem.BINARY:
        return [*(["prediction"] if count > 1 else []), f"probability_{contract.positive_class}"]
    return ["prediction", *(f"probability_{index}" for index in range(1, count))]


def _lines(content: bytes) -> Iterator[list[str]]:
    yield from csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
