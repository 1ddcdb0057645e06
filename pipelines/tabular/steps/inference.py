"""Serves a version: raw rows in, predictions out. Runs in the SageMaker XGBoost serving container and in the local account.

Requests: CSV, JSON or JSON Lines (request_forms.py). A cell means what it means in training (cells.py), and what training refuses is
refused here: a category that is not declared, unless the model's file lets it be `<other>`; a number out of its range.
Answers: JSON, CSV or JSON Lines, with the decided class where there are classes (answer_forms.py).
Bad requests answer 4xx: the function that refuses one returns the response, and those after it pass it on.
Where the stack names the version (MODEL_VERSION), each answer does, too, and has an id: as parameters of its content type, which data
capture keeps, and in the custom attributes that InvokeEndpoint gives its client. `live_metrics.py` says in the log what is answered and
refused.

The container calls model_fn once, then input_fn, predict_fn and output_fn for each request. Used by evaluation/golden.py, too.
"""

from __future__ import annotations

import functools
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

import answer_forms
import live_metrics
import number_texts
import request_forms
import served
from cells import category, number, shown
from decisions import decide
from features import Labels
from request_forms import CSV, JSON, JSON_LINES, RequestError, Row
from served import Served


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


ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


def _headers(version: str) -> dict[str, tuple[str, str]]:
    """Of an answer that names its version and itself, by its kind: the content type and the custom attributes, for the answer's id to be
    put in. Made once, since they are a good part of what naming costs.
    """
    said = f"model-version={version}; answer-id=%s"
    return {kind: (f"{kind}; {said}{'; charset=utf-8' if kind == CSV else ''}", said) for kind in answer_forms.KINDS}


def model_fn(model_dir: str) -> Served:
    model = served.load(Path(model_dir))
    named = os.environ.get(live_metrics.VERSION, "")
    Serving.headers = _headers(named) if re.fullmatch(r"[\w.-]+", named, re.ASCII) else None
    Serving.live = live_metrics.start(model)
    return model


@refusing
def input_fn(body: bytes | str, content_type: str | None) -> list[Row]:
    """The rows of a request as cells. Refuses with a 415 another content type, and with a 400 a malformed body."""
    return request_forms.read(body, content_type)


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
    names, takes_more = model.features, model.dataset.get("extra_in_requests") == "ignore"
    ordered = [_ordered(row, index, names, takes_more=takes_more) for index, row in enumerate(rows)]
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


def _ordered(row: Row, index: int, names: list[str], *, takes_more: bool) -> Sequence[Any]:
    if isinstance(row, dict):
        unknown = sorted(row.keys() - names)
        # A row of which nothing is known is no row, but another form of request.
        if unknown and not (takes_more and len(unknown) < len(row)):
            raise RequestError(400, f"row {index + 1}: unknown column {shown(unknown[0])}; the columns are {', '.join(names)}")
        return [row.get(name) for name in names]
    if len(row) != len(names):
        is_other_sign = len(row) == 1 and isinstance(row[0], str) and re.search(r"[;\t|]", row[0])
        hint = "; separate cells with commas" if is_other_sign else ""
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
    given = "a list" if isinstance(cell, list) else "an object" if isinstance(cell, dict) else shown(cell)
    raise RequestError(400, f"row {row + 1}: {name} is {given}, {sentence}")


def _labels(values: list[str | None]) -> Labels:
    position: dict[str | None, int] = {}
    codes = [position.setdefault(value, len(position)) for value in values]
    return list(position), np.array(codes, dtype=np.int64)


@refusing
def output_fn(prediction: dict[str, Any], accept: str | None) -> tuple[str, str] | Response:
    """The answer and its content type; a response where it names its version. Refuses with a 406 where no kind is acceptable."""
    kind = answer_forms.preferred(accept or "")
    if kind is None:
        raise RequestError(406, f"cannot answer as {accept!r}; accept {JSON}, {CSV} or {JSON_LINES}")
    return _named(answer_forms.written(prediction, kind), kind)


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
