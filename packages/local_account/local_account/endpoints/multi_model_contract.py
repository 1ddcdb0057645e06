"""The multi-model serving contract of the SageMaker XGBoost container: one program for all models, and a process for each of them.

In: the container's program and environment, and a model's folder. Out: what answers HTTP requests (`model_server.py`). The rules are those
of the image 3.2-0: `serving_mms.py` and `handler_service.py` of sagemaker-xgboost-container, `Transformer` of sagemaker-inference 1.5.5,
`model_loader.py`, `model_service_worker.py` and `otf_message_handler.py` of multi-model-server 1.1.2. They are not those of the
single-model server (`serving_contract.py`): the program's functions are called as they are, an error that names its status keeps it, and
what is answered has to be text, bytes or JSON: a `flask.Response` is none of them.
"""

from __future__ import annotations

import contextlib
import json
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local_account.endpoints import serving_contract
from local_account.endpoints.serving_contract import ANY, CSV, JSON, Answer, BaseInferenceToolkitError, ContractError

_TEXT_TYPES = (CSV, JSON)


class Empty:
    """The container's server, which has no model: it is healthy."""

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        return Answer(200 if path == "/ping" else 404, {}, b"")


def start(code: Path, environment: Mapping[str, str]) -> Empty:
    """Raises as `program_in` of `serving_contract.py`: the image imports the program before it starts the server."""
    serving_contract.program_in(code, environment)
    return Empty()


class Worker:
    """The process of one model: `transform_fn`, or `input_fn`, `predict_fn` and `output_fn` with the container's defaults for those that
    are missing. What is raised while it loads its model is raised to nobody; each request tries again, and is answered with the error
    (`load` of `model_loader.py`, `validate_and_initialize` of `Transformer`). `environment`: read anew each time, as there.
    """

    def __init__(self, model_directory: Path, code: Path, environment: Mapping[str, str]) -> None:
        self._directory, self._code, self._environment = model_directory, code, environment
        self._is_loaded = False
        with contextlib.suppress(Exception):
            self._load()

    def _load(self) -> None:
        """Raises whatever importing the program and its `model_fn` raise."""
        if self._is_loaded:
            return
        self._default_accept = self._environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
        functions = vars(serving_contract.program_in(self._code, self._environment))
        if "transform_fn" in functions and any(name in functions for name in ("input_fn", "predict_fn", "output_fn")):
            raise ContractError("transform_fn cannot be used together with input_fn, predict_fn or output_fn")
        if "model_fn" not in functions:
            raise ContractError("the program has no model_fn(model_dir)")
        self._input: Callable[..., Any] = functions.get("input_fn", serving_contract.default_input_fn)
        self._predict: Callable[..., Any] = functions.get("predict_fn", serving_contract.default_predict_fn)
        self._output: Callable[..., Any] = functions.get("output_fn", _default_output_fn)
        self._transform: Callable[..., Any] = functions.get("transform_fn", self._default_transform)
        self._model = functions["model_fn"](str(self._directory))
        self._is_loaded = True

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Never raises: an error of the program is an answer, too, with its traceback."""
        if method == "GET":
            return Answer(200, {}, b"")
        try:
            return self._invocation(headers, body)
        except BaseInferenceToolkitError as error:
            return Answer(error.status_code, {}, f"{error.message}\n{traceback.format_exc()}".encode())
        except Exception as error:
            return Answer(500, {}, f"{error}\n{traceback.format_exc()}".encode())

    def _invocation(self, headers: Mapping[str, str], body: bytes) -> Answer:
        self._load()
        content_type = headers.get("content-type") or ""
        accept = headers.get("accept")
        if not accept or accept == ANY:
            accept = self._default_accept
        result = self._transform(self._model, body.decode() if content_type in _TEXT_TYPES else body, content_type, accept)
        content, answered_type = result if isinstance(result, tuple) else (result, accept)
        if isinstance(content, str | bytes | bytearray):
            return Answer(200, {"content-type": answered_type}, content.encode() if isinstance(content, str) else bytes(content))
        try:
            return Answer(200, {"content-type": answered_type}, json.dumps(content, indent=2).encode())
        except TypeError:
            traceback.print_exc()
            return Answer(503, {}, b"Unsupported model output data type.")

    def _default_transform(self, model: Any, data: str | bytes, content_type: str, accept: str) -> Any:
        return self._output(self._predict(self._input(data, content_type), model), accept)


def _default_output_fn(prediction: Any, accept: str) -> bytes:
    return bytes(serving_contract.default_output_fn(prediction, accept).get_data())
