"""The answers of a version as predictions: what `inference.output_fn` wrote (answer_forms.py), read back.

JSON: {"predictions": [{"score", "predicted_label", "probabilities"}]}; JSON Lines: each of these objects on a line. CSV: a value; or a
label, then the probability of the positive class or of each of several. Input: answers of one version, as text. Output: predictions, and
the place of each row's answer.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from decisions import Predictions
from numpy.typing import NDArray
from request_forms import CSV, JSON, JSON_LINES
from takes import Takes


@dataclass(frozen=True)
class Answered:
    """The predictions of the answers that can be read, in order, and the place of each one's answer. `unreadable`: the others."""

    predicted: Predictions
    answer: NDArray[np.int64]
    unreadable: list[int]


def read(texts: Sequence[str], kind: str, takes: Takes) -> Answered:
    """All at once, and one by one where one of them is no answer."""
    try:
        rows = [_rows(text, kind, takes) for text in texts]
        return Answered(_predictions([row for own in rows for row in own], takes), _places(rows), [])
    except _UNREADABLE:
        pass
    rows, unreadable = [], []
    for place, text in enumerate(texts):
        try:
            own = _rows(text, kind, takes)
            _predictions(own, takes)
        except _UNREADABLE:
            own = []
            unreadable.append(place)
        rows.append(own)
    return Answered(_predictions([row for own in rows for row in own], takes), _places(rows), unreadable)


_UNREADABLE = (ValueError, KeyError, TypeError, IndexError, csv.Error, RecursionError)


def _places(rows: Sequence[Sequence[Any]]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(rows)), [len(own) for own in rows])


def _rows(text: str, kind: str, takes: Takes) -> list[tuple[Any, ...]]:
    """(label, score, ...) for classes, (score,) without."""
    if kind in (JSON, JSON_LINES):
        lines = [line for line in text.split("\n") if line.strip()] if kind == JSON_LINES else []
        records = json.loads(text)["predictions"] if kind == JSON else [json.loads(line) for line in lines]
        if takes.classes is None:
            return [(record["score"],) for record in records]
        if takes.is_several_classes:
            return [(record["predicted_label"], *record["probabilities"]) for record in records]
        return [(record["predicted_label"], record["score"]) for record in records]
    if kind == CSV:
        if '"' in text:
            return [tuple(line) for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
        return [tuple(line.split(",")) for line in text.split("\n") if line]
    raise ValueError(kind)


def _predictions(rows: Sequence[tuple[Any, ...]], takes: Takes) -> Predictions:
    """Raises ValueError for what the version cannot have said."""
    classes = takes.classes
    width = takes.width_of_answer()
    if any(len(row) != width for row in rows):
        raise ValueError(width)
    columns = list(zip(*rows, strict=True)) if rows else [()] * width
    scores = np.array([list(map(float, column)) for column in (columns if classes is None else columns[1:])], dtype=np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(scores)
    if classes is None:
        return Predictions(scores[0], scores[0])
    place = {name: float(index) for index, name in enumerate(classes)}
    decided = np.array([place[label] for label in columns[0]], dtype=np.float64)
    return Predictions(np.ascontiguousarray(scores.T) if takes.is_several_classes else scores[0], decided)
