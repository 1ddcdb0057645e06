"""The contract as a WSGI application (PEP 3333), of which each worker process makes one and with it loads the version."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from serving.contract import JSON, load

MODEL_FOLDER = "/opt/ml/model"
Application = Callable[[Mapping[str, Any], Callable[..., Any]], Iterable[bytes]]
_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def make() -> Application:
    """Of the version that the container's environment names: the variables of the managed image."""
    variables = os.environ
    folder = Path(variables.get("SM_MODEL_DIR", MODEL_FOLDER))
    code = Path(variables.get("SAGEMAKER_SUBMIT_DIRECTORY", str(folder / "code")))
    accept = variables.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
    # A process of multiprocessing leaves without the interpreter's exit handlers, in which a program says its last (live_metrics.py).
    Finalize(None, atexit._run_exitfuncs, exitpriority=0)
    contract = load(code, variables.get("SAGEMAKER_PROGRAM", ""), folder, accept)

    def application(request: Mapping[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = request["wsgi.input"].read()  # ends where the body does, also of one in chunks, which says no length
        content_type = request.get("HTTP_CONTENTTYPE") or request.get("CONTENT_TYPE")  # some AWS services send the former
        answer = contract.answer(request["REQUEST_METHOD"], request["PATH_INFO"], content_type, request.get("HTTP_ACCEPT"), body)
        start(_LINES[answer.status], [*answer.headers, ("Content-Length", str(len(answer.body)))])
        return [answer.body]

    return application
