"""The script-mode serving contract of the SageMaker XGBoost container: which functions of the package's code answer a request.

In: the model directory and the container's environment (`SAGEMAKER_PROGRAM`, `SAGEMAKER_SUBMIT_DIRECTORY`). Out: `Transformer`,
whose `respond` turns one request body into an `Answer`. Next: `model_server.py` speaks HTTP for it.

Rules follow `sagemaker_xgboost_container/serving.py` and the `Transformer` of sagemaker-containers and sagemaker-inference-toolkit:
an unsupported format answers 415 from `input_fn` and 406 from `output_fn`; an error that carries its own HTTP status answers that
status; everything else answers 500, a plain `ValueError` too.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

ANY, CSV, JSON = "*/*", "text/csv", "application/json"
_TEXT_TYPES = (CSV, JSON)


class UnsupportedFormatError(Exception):
    """The container's error for a content type that the code does not read or write."""

    def __init__(self, content_type: str) -> None:
        super().__init__(f"Content type {content_type} is not supported by this framework.")


class BaseInferenceToolkitError(Exception):
    """The container's error that carries the HTTP status to answer: `BaseInferenceToolkitError(400, "...", "Bad Request")`."""

    def __init__(self, status_code: int, message: str, phrase: str) -> None:
        super().__init__(status_code, message, phrase)
        self.status_code, self.message, self.phrase = status_code, message, phrase


class GenericInferenceToolkitError(BaseInferenceToolkitError):
    """The same, where only the status is known."""

    def __init__(self, status_code: int, message: str | None = None, phrase: str | None = None) -> None:
        message = message or "Invalid Request"
        super().__init__(status_code, message, phrase or message)


class ContractError(Exception):
    """The package cannot be served; the message says what it lacks."""


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: bytes


def install_container_modules() -> None:
    """Make the container's own error types importable where the toolkits are not installed, under the container's names."""
    containers_errors = types.ModuleType("sagemaker_containers.beta.framework.errors")
    vars(containers_errors)["UnsupportedFormatError"] = UnsupportedFormatError
    inference_errors = types.ModuleType("sagemaker_inference.errors")
    for error in (UnsupportedFormatError, BaseInferenceToolkitError, GenericInferenceToolkitError):
        vars(inference_errors)[error.__name__] = error
    for module in (containers_errors, inference_errors):
        parts = module.__name__.split(".")
        for depth in range(1, len(parts)):
            name = ".".join(parts[:depth])
            parent = sys.modules.setdefault(name, types.ModuleType(name))
            child = sys.modules.setdefault(".".join(parts[: depth + 1]), types.ModuleType(".".join(parts[: depth + 1])))
            if depth == len(parts) - 1:
                child = sys.modules[module.__name__] = module
            setattr(parent, parts[depth], child)


def load(model_directory: Path, environment: Mapping[str, str]) -> Transformer:
    """Import the package's program and load its model. Raises ContractError, or whatever `model_fn` raises."""
    program = environment.get("SAGEMAKER_PROGRAM", "")
    if not program:
        raise ContractError("the container's environment has no SAGEMAKER_PROGRAM, such as inference.py; script mode needs it")
    code = Path(environment.get("SAGEMAKER_SUBMIT_DIRECTORY") or model_directory / "code")
    if not (code / program).is_file():
        raise ContractError(f"the model has no {program} in {code}")
    install_container_modules()
    sys.path.insert(0, str(code))
    module = importlib.import_module(program.removesuffix(".py").replace("/", "."))
    default_accept = environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
    return Transformer(vars(module), model_directory, default_accept)


class Transformer:
    """`transform_fn`, or `input_fn`, `predict_fn` and `output_fn` with the container's defaults for those that are missing."""

    def __init__(self, functions: Mapping[str, Any], model_directory: Path, default_accept: str = JSON) -> None:
        self._default_accept = default_accept
        self._transform: Callable[..., Any] | None = functions.get("transform_fn")
        if self._transform and any(name in functions for name in ("input_fn", "predict_fn", "output_fn")):
            raise ContractError("transform_fn cannot be used together with input_fn, predict_fn or output_fn")
        if "model_fn" not in functions:
            raise ContractError("the program has no model_fn(model_dir)")
        self._input: Callable[..., Any] = functions.get("input_fn", default_input_fn)
        self._predict: Callable[..., Any] = functions.get("predict_fn", default_predict_fn)
        self._output: Callable[..., Any] = functions.get("output_fn", default_output_fn)
        self.model = _call(functions["model_fn"], str(model_directory))

    def respond(self, body: bytes, content_type: str | None, accept: str | None) -> Answer:
        """Answer one request. Never raises: an error of the package's code is an answer too, with its traceback on standard output."""
        content_type = (content_type or JSON).strip()
        accept = self._default_accept if not accept or accept == ANY else accept
        try:
            return self._respond(body, content_type, accept)
        except Exception as error:  # whatever the package's code raises is an answer with a status
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            return _error_answer(error)

    def _respond(self, body: bytes, content_type: str, accept: str) -> Answer:
        data: str | bytes = body
        if content_type.split(";")[0].strip().lower() in _TEXT_TYPES:
            data = body.decode("utf-8", errors="replace")  # as Flask's `Request.get_data(as_text=True)`
        if self._transform is not None:
            return _answer(_call(self._transform, self.model, data, content_type, accept), accept)
        try:
            parsed = _call(self._input, data, content_type)
        except UnsupportedFormatError as error:
            return _format_answer(error, 415)
        prediction = _call(self._predict, parsed, self.model)
        try:
            return _answer(_call(self._output, prediction, accept), accept)
        except UnsupportedFormatError as error:
            return _format_answer(error, 406)


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """A function of the package may take the toolkit's `context` as one more argument; there is none to give, as in the container."""
    takes_context = len(signature(function).parameters) == len(arguments) + 1
    return function(*arguments, None) if takes_context else function(*arguments)


def _answer(result: Any, accept: str) -> Answer:
    """Bytes or text in the accepted type, a `(body, content type)` pair, or a Flask response."""
    if hasattr(result, "get_data") and hasattr(result, "status_code"):
        return Answer(result.status_code, result.mimetype, result.get_data())
    body, content_type = result if isinstance(result, tuple) else (result, accept)
    return Answer(200, content_type, body.encode() if isinstance(body, str) else bytes(body))


def _format_answer(error: Exception, status: int) -> Answer:
    body = {"error": type(error).__name__, "error-message": str(error), "stack-trace": traceback.format_exc()}
    return Answer(status, JSON, json.dumps(body).encode())


def _error_answer(error: Exception) -> Answer:
    """`status_code` is the toolkit's, `code` that of Flask's HTTP errors; any other error is the server's."""
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    if not (isinstance(status, int) and 400 <= status < 600):
        status = 500
    message = getattr(error, "message", None) or getattr(error, "description", None) or str(error)
    return Answer(status, "text/plain", f"{message}\n".encode())


def default_input_fn(data: str | bytes, content_type: str) -> Any:
    """CSV without a header becomes a DMatrix; the container's other formats are left to the package's `input_fn`."""
    if content_type.split(";")[0].strip() != CSV:
        raise UnsupportedFormatError(content_type)
    import numpy
    import xgboost

    text = data if isinstance(data, str) else data.decode()
    return xgboost.DMatrix(numpy.loadtxt(io.StringIO(text), delimiter=",", ndmin=2))


def default_predict_fn(data: Any, model: Any) -> Any:
    return model.predict(data)


def default_output_fn(prediction: Any, accept: str) -> str:
    values = prediction.tolist() if hasattr(prediction, "tolist") else prediction
    if accept.split(";")[0].strip() == JSON:
        return json.dumps(values)
    if accept.split(";")[0].strip() == CSV:
        rows = values if isinstance(values, list) else [values]
        return "\n".join(",".join(map(str, row)) if isinstance(row, list) else str(row) for row in rows)
    raise UnsupportedFormatError(accept)
