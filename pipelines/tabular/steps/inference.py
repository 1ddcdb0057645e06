"""Serves a version: raw rows in, predictions out. Runs in the SageMaker XGBoost serving container and in the local account.

Requests: `text/csv` without header, columns in the order of the version's contract (numeric, then categorical), empty
cells for missing values; or `application/json` as {"instances": [[...], ...]} or [{"column": value}, ...]. A cell means
what it means in training (cells.py), and what training refuses is refused here: an undeclared category, a number out of its range.
Answers: JSON {"predictions": [{"score": ...}]}, or CSV with one line per row; with the decided class where there are classes.
Bad requests answer 4xx: the function that refuses one returns the response, and those after it pass it on.
Where the stack names the version (MODEL_VERSION), each answer does, too, and has an id: as parameters of its content type, which data
capture keeps, and in the custom attributes that InvokeEndpoint gives its client. `live_metrics.py` says in the log what is answered and
refused.

The container calls model_fn once, then input_fn, predict_fn and output_fn for each request. Used by evaluation/golden.py, too.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from flask import Response
from numpy.typing import NDArray

# The container imports this file by path; its siblings are in the same folder.
if str(Path(__file__).parent) not in sys.path:
    sys.path.insert(0, str(Path(__file__).parent))

import live_metrics
import number_texts
import served
from cells import category, number, shown
from decisions import decide
from features import Labels
from served import Served


class RequestError(Exception):
    """A request that cannot be answered, and the status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Serving:
    """What the container's functions share beside the model, since it gives the model to one of them only."""

    headers: Mapping[str, tuple[str, str]] | None = None
    live: live_metrics.LiveMetrics | None = None


Answer = TypeVar("Answer")


def refusing(function: Callable[[Any, Any], Answer]) -> Callable[[Any, Any], Answer | Response]:
    """The function, returning what it refuses as an HTTP response, and passing on what the function before it has refused.

    The container's server keeps the status of a response that it is given. Whatever is raised it wraps into an error of its own, of
    which Flask makes a 500 (`error_wrapper` of sagemaker_containers/_functions.py), and that counts as a fault of the endpoint.
    """

    @functools.wraps(function)
    def answered(given: Any, further: Any) -> Answer | Response:
        if isinstance(given, Response):
            return given
        try:
            return function(given, further)
        except RequestError as refused:
            if Serving.live:
                Serving.live.ended(refused.status)
            return Response(f"{refused.message}\n", refused.status, mimetype="text/plain")

    return answered


JSON = "application/json"
CSV = "text/csv"
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
Row = Sequence[Any] | dict[str, Any]


def _headers(version: str) -> dict[str, tuple[str, str]]:
    """Of an answer that names its version and itself, by its kind: the content type and the custom attributes, for the answer's id to be
    put in. Made once, since they are a good part of what naming costs.
    """
    said = f"model-version={version}; answer-id=%s"
    return {JSON: (f"{JSON}; {said}", said), CSV: (f"{CSV}; {said}; charset=utf-8", said)}


def model_fn(model_dir: str) -> Served:
    model = served.load(Path(model_dir))
    named = os.environ.get(live_metrics.VERSION, "")
    Serving.headers = _headers(named) if re.fullmatch(r"[\w.-]+", named, re.ASCII) else None
    Serving.live = live_metrics.start(model)
    return model


@refusing
def input_fn(body: bytes | str, content_type: str | None) -> list[Row]:
    """The rows of a request as cells. Refuses with a 415 another content type, and with a 400 a malformed body."""
    kind = (content_type or "").split(";")[0].strip().lower()
    if kind not in (CSV, JSON):
        raise RequestError(415, f"content type {content_type!r} is not supported; send {CSV} or {JSON}")
    # The container's Flask server decodes text itself and puts U+FFFD in place of what is not UTF-8.
    text = body if isinstance(body, str) else bytes(body).decode("utf-8", errors="replace")
    if "\ufffd" in text:
        raise RequestError(400, f"the body is not UTF-8 (character {text.index(chr(0xFFFD)) + 1})")
    text = text.removeprefix("\ufeff")
    rows = _csv_rows(text) if kind == CSV else _json_rows(text)
    if not rows:
        raise RequestError(400, "the body has no rows")
    return rows


def _csv_rows(text: str) -> list[Row]:
    try:
        return [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error as error:
        raise RequestError(400, f"malformed CSV: {error}") from None


def _json_rows(text: str) -> list[Row]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"malformed JSON: {error}") from None
    rows = document.get("instances") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise RequestError(400, 'JSON holds no rows; send {"instances": [[...], ...]}')
    rows = [row["features"] if isinstance(row, dict) and set(row) == {"features"} else row for row in rows]
    if not all(isinstance(row, list | dict) for row in rows):
        raise RequestError(400, "each instance is a list of cells or an object of columns")
    return rows


@refusing
def predict_fn(rows: list[Row], model: Served) -> dict[str, Any]:
    """Values, or probabilities with the decided class. Refuses with a 400 what the version's contract does not allow."""
    numeric, categorical = _require_allowed(*columns(rows, model), model)
    predicted = model.predict(numeric, categorical)
    if Serving.live:
        Serving.live.predicted(numeric, categorical, predicted)
    classes = model.about["classes"]
    if classes is None:
        return {"score": predicted.tolist()}
    labels = [classes[int(index)] for index in decide(predicted, model.threshold)]
    if predicted.ndim == 1:
        return {"score": predicted.tolist(), "predicted_label": labels}
    return {"score": predicted.max(axis=1).tolist(), "predicted_label": labels, "probabilities": predicted.tolist()}


def columns(rows: Sequence[Row], model: Served) -> tuple[NDArray[np.float64], list[Labels]]:
    """Cells -> the numeric matrix and the categorical columns that the preparation takes. Raises a 400 naming row and column."""
    names = model.features
    ordered = [_ordered(row, index, names) for index, row in enumerate(rows)]
    count = len(model.preparer.numeric)
    numeric = np.empty((len(ordered), count), dtype=np.float64)
    for row, cells in enumerate(ordered):
        for column in range(count):
            numeric[row, column] = _cell(number, cells[column], row, names[column])
    categorical = [
        _labels([_cell(category, cells[column], row, names[column]) for row, cells in enumerate(ordered)])
        for column in range(count, len(names))
    ]
    return numeric, categorical


def _require_allowed(numeric: NDArray[np.float64], categorical: list[Labels], model: Served) -> tuple[NDArray[np.float64], list[Labels]]:
    """The same columns. Raises a 400 naming row and column of a value that the version's contract does not allow."""
    outside = model.allowed.first_outside(numeric, categorical)
    if outside:
        raise RequestError(400, f"row {outside.row + 1}: {outside.column} is {outside.cell}; allowed: {outside.allowed}")
    return numeric, categorical


def _ordered(row: Row, index: int, names: list[str]) -> Sequence[Any]:
    if isinstance(row, dict):
        unknown = sorted(set(row) - set(names))
        if unknown:
            raise RequestError(400, f"row {index + 1}: unknown column {shown(unknown[0])}; the columns are {', '.join(names)}")
        return [row.get(name) for name in names]
    if len(row) != len(names):
        hint = "; separate cells with commas" if len(row) == 1 and re.search(r"[;\t|]", str(row[0])) else ""
        raise RequestError(400, f"row {index + 1} has {len(row)} columns instead of {len(names)}: {', '.join(names)}{hint}")
    return row


def _cell(read: Callable[[Any], Any], cell: Any, row: int, name: str) -> Any:
    try:
        return read(cell)
    except ValueError:
        pass
    if cell == name:
        raise RequestError(400, f"row {row + 1} holds column names ({name}); send the rows without them")
    kind = number_texts.of(cell) if read is number and isinstance(cell, str) else number_texts.ANY
    sentence = kind.sentence("not a number" if read is number else "not a category")
    raise RequestError(400, f"row {row + 1}: {name} is {shown(cell)}, {sentence}")


def _labels(values: list[str | None]) -> Labels:
    position: dict[str | None, int] = {}
    codes = [position.setdefault(value, len(position)) for value in values]
    return list(position), np.array(codes, dtype=np.int64)


@refusing
def output_fn(prediction: dict[str, Any], accept: str | None) -> tuple[str, str] | Response:
    """The answer and its content type; a response where it names its version. Refuses with a 406 any type but JSON and CSV."""
    wanted = [kind.split(";")[0].strip().lower() for kind in (accept or JSON).split(",")]
    for kind in wanted:
        if kind in (JSON, "*/*", "application/*"):
            return _named(json.dumps({"predictions": _records(prediction)}), JSON)
        if kind in (CSV, "text/*"):
            return _named(_csv_answer(prediction), CSV)
    raise RequestError(406, f"cannot answer as {accept!r}; accept {JSON} or {CSV}")


def _named(body: str, kind: str) -> tuple[str, str] | Response:
    """With the version, and an id by which whoever asked can tell later what was true. The server makes the same response of the pair, but
    for that.
    """
    if Serving.live:
        Serving.live.ended(live_metrics.ANSWERED)
    if Serving.headers is None:
        return body, kind
    content_type, attributes = Serving.headers[kind]
    answer_id = secrets.token_urlsafe(12)  # 96 bits: no two of all that are ever given are alike
    return Response(body, headers=[("Content-Type", content_type % answer_id), (ATTRIBUTES, attributes % answer_id)])


def _records(prediction: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(prediction, values, strict=True)) for values in zip(*prediction.values(), strict=True)]


def _csv_answer(prediction: dict[str, Any]) -> str:
    """Regression: the score. Classes: the label, then the probability of the positive class, or of each of several."""
    if "predicted_label" not in prediction:
        return "\n".join(repr(score) for score in prediction["score"]) + "\n"
    probabilities = prediction.get("probabilities") or [[score] for score in prediction["score"]]
    answer = io.StringIO()
    writer = csv.writer(answer, lineterminator="\n")
    for label, numbers in zip(prediction["predicted_label"], probabilities, strict=True):
        writer.writerow([label, *map(repr, numbers)])
    return answer.getvalue()
