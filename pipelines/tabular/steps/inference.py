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
from collections.abc import Callable, Mapping
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
import request_forms
import served
from decisions import decide
from features import Labels
from request_columns import columns, ordered
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
    _ = model.one_row  # made now, and not by the first request
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
    answered = _of_one_row(rows[0], model) if len(rows) == 1 else None
    return answered or _of_rows(rows, model)


def _of_one_row(row: Row, model: Served) -> dict[str, Any] | None:
    """The same bits as `_of_rows` gives, sooner; None for what is left to it (`one_row.py`)."""
    quick = model.one_row
    if quick is None:
        return None
    known = quick.read(row if isinstance(row, list) else ordered([row], model)[0])
    if known is None:
        return None
    predicted = quick.predict(known)
    if Serving.live:
        Serving.live.predicted_alone(known, predicted)
    classes, threshold = model.about["classes"], model.threshold
    if threshold is None:
        return {"score": predicted}
    if len(predicted) == 1:
        return {"score": predicted, "predicted_label": [classes[int(predicted[0] >= threshold)]]}
    highest = max(predicted)
    return {"score": [highest], "predicted_label": [classes[predicted.index(highest)]], "probabilities": [predicted]}


def _of_rows(rows: list[Row], model: Served) -> dict[str, Any]:
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


def _require_allowed(numeric: NDArray[np.float64], categorical: list[Labels], model: Served) -> tuple[NDArray[np.float64], list[Labels]]:
    """The same columns. Raises a 400 naming row and column of a value that the version's contract does not allow."""
    outside = model.allowed.first_outside(numeric, categorical)
    if outside:
        raise RequestError(400, f"row {outside.row + 1}: {outside.column} is {outside.cell}; allowed: {outside.allowed}")
    return numeric, categorical


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
    response = Response(body.encode(), content_type=content_type % answer_id)  # given as a list, headers take three times as long
    response.headers.add(ATTRIBUTES, attributes % answer_id)
    return response
