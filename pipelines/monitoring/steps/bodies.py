"""The bodies of requests as columns, each cell as `inference.py` reads it.

Many requests are read at once: plain CSV, which is what clients send in bulk, by pyarrow; everything else by inference.py itself, which
also has the last word about what pyarrow stumbles over. tests/monitoring/test_bodies.py holds both to the same answer.
Input: bodies of one version's requests, as text. Output: `Read`. Used by `captured.py` and `scored.py`.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import column_values
import inference
import numpy as np
import pyarrow as pa
import request_columns
from cells import category, number
from dataset import Rows
from features import Labels
from flask import Response
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv
from request_forms import CSV, RequestError, Row
from takes import Takes

#: What Python's csv module refuses.
LONGEST_CELL = csv.field_size_limit()
#: Signs that make more of a CSV body than lines and commas, or of which inference.py makes an error.
_SPECIAL = ('"', "\r", "\0", "\ufffd")


@dataclass(frozen=True)
class Read:
    """The rows of the requests that can be read, in order, and the place of each one's request among the bodies.

    `unreadable`: the places of the others.
    """

    rows: Rows
    request: NDArray[np.int64]
    unreadable: list[int]


def is_plain(body: str) -> bool:
    """Whether a CSV body is lines and commas, and nothing else."""
    return not body.startswith("\ufeff") and not any(sign in body for sign in _SPECIAL)


def read(bodies: Sequence[str], kind: str, takes: Takes, *, plain: bool) -> Read:
    """`kind`: the content type without parameters. `plain`: all of them are plain CSV."""
    return _plain(bodies, takes) if plain and kind == CSV else _as_served(bodies, kind, takes)


def _plain(bodies: Sequence[str], takes: Takes) -> Read:
    commas = len(takes.features) - 1
    lines: list[str] = []
    request: list[int] = []
    unreadable = []
    for place, body in enumerate(bodies):
        own = [line for line in body.split("\n") if line]
        if own and all(line.count(",") == commas and len(line) <= LONGEST_CELL for line in own):
            lines += own
            request += [place] * len(own)
        elif own and any(len(line) > LONGEST_CELL for line in own):
            return _as_served(bodies, CSV, takes)
        else:
            unreadable.append(place)
    places = np.array(request, dtype=np.int64)
    try:
        table = _texts(lines, takes.features)
    except (UnicodeEncodeError, pa.ArrowInvalid):  # half of a surrogate pair, which JSON can hold and UTF-8 cannot
        return _as_served(bodies, CSV, takes)
    columns, wrong = _columns(table, takes)
    if len(wrong):
        bad = np.unique(places[wrong])
        stays = ~np.isin(places, bad)
        columns, _ = _columns(table.filter(pa.array(stays)), takes)
        places, unreadable = places[stays], sorted([*unreadable, *bad.tolist()])
    numeric = {name: columns[name] for name in takes.numeric}
    categorical = {name: columns[name] for name in takes.categorical}
    return Read(_rows(numeric, categorical, len(places)), places, unreadable)


def _texts(lines: Sequence[str], names: Sequence[str]) -> pa.Table:
    if not lines:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    content = pa.py_buffer(("\n".join(lines) + "\n").encode())
    numbered = [str(place) for place in range(len(names))]
    table = arrow_csv.read_csv(
        pa.BufferReader(content),
        read_options=arrow_csv.ReadOptions(column_names=numbered, use_threads=False, block_size=max(len(content), 1)),
        parse_options=arrow_csv.ParseOptions(quote_char=False, double_quote=False, escape_char=False, ignore_empty_lines=False),
        convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(numbered, pa.string()), strings_can_be_null=False),
    )
    return table.rename_columns(list(names))


def _columns(table: pa.Table, takes: Takes) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """The columns that can be read, and the rows with a cell that cannot."""
    columns: dict[str, Any] = {}
    wrong: set[int] = set()
    for names, reading in ((takes.numeric, column_values.floats), (takes.categorical, column_values.labels)):
        for name in names:
            try:
                columns[name] = reading(table[name])
            except column_values.UnreadableError as error:
                wrong.update(error.rows)
    return columns, np.array(sorted(wrong), dtype=np.int64)


def _as_served(bodies: Sequence[str], kind: str, takes: Takes) -> Read:
    """By inference.py: all rows at once, and request by request where one of them is refused."""
    cells: list[Row] = []
    request: list[int] = []
    unreadable = []
    for place, body in enumerate(bodies):
        own = inference.input_fn(body, kind)
        if isinstance(own, Response):
            unreadable.append(place)
        else:
            cells += own
            request += [place] * len(own)
    places = np.array(request, dtype=np.int64)
    try:
        numbers, labels = request_columns.columns(cells, takes)  # type: ignore[arg-type]  # it asks for no more than Takes has
    except RequestError:
        bad = _refused(cells, request, takes)
        stays = ~np.isin(places, sorted(bad))
        cells = [row for row, place in zip(cells, request, strict=True) if place not in bad]
        places, unreadable = places[stays], sorted([*unreadable, *bad])
        numbers, labels = request_columns.columns(cells, takes)  # type: ignore[arg-type]  # as above
    numeric = {name: np.ascontiguousarray(numbers[:, column]) for column, name in enumerate(takes.numeric)}
    return Read(_rows(numeric, dict(zip(takes.categorical, labels, strict=True)), len(places)), places, unreadable)


def _refused(cells: Sequence[Row], request: Sequence[int], takes: Takes) -> set[int]:
    """The requests that have a row which is refused."""
    refused: set[int] = set()
    for row, place in zip(cells, request, strict=True):
        if place not in refused:
            try:
                request_columns.columns([row], takes)  # type: ignore[arg-type]  # as above
            except RequestError:
                refused.add(place)
    return refused


def _rows(numeric: dict[str, Any], categorical: dict[str, Labels], count: int) -> Rows:
    return Rows(numeric, categorical, np.full(count, np.nan), count)


@dataclass(frozen=True)
class Faults:
    """Why a request was refused, as far as its cells say it: rows, and cells by feature that are of the wrong type, outside, or unseen."""

    rows: int
    wrong_type: Counter[str]
    out_of_range: Counter[str]
    unseen: Counter[str]

    def __add__(self, other: Faults) -> Faults:
        return Faults(
            self.rows + other.rows,
            self.wrong_type + other.wrong_type,
            self.out_of_range + other.out_of_range,
            self.unseen + other.unseen,
        )

    @property
    def any(self) -> bool:
        return bool(self.wrong_type or self.out_of_range or self.unseen)


def faults(body: str, kind: str, takes: Takes) -> Faults:
    """Of one request, by the rules that inference.py refuses it by."""
    rows = inference.input_fn(body, kind)
    found = Faults(0 if isinstance(rows, Response) else len(rows), Counter(), Counter(), Counter())
    for row in () if isinstance(rows, Response) else rows:
        cells = [row.get(name) for name in takes.features] if isinstance(row, dict) else row
        if len(cells) == len(takes.features):
            for place, (name, cell) in enumerate(zip(takes.features, cells, strict=True)):
                _fault(found, name, cell, takes, is_number=place < len(takes.numeric))
    return found


def _fault(found: Faults, name: str, cell: Any, takes: Takes, *, is_number: bool) -> None:
    try:
        value = number(cell) if is_number else category(cell)
    except ValueError:
        found.wrong_type[name] += 1
        return
    if not takes.allows(name, value):
        (found.out_of_range if is_number else found.unseen)[name] += 1
