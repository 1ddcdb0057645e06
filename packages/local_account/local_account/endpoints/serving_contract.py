"""The script-mode serving contract of the SageMaker XGBoost container: what the package's code answers to a request.

In: where the image puts the program (`program.py`) and the container's environment. Out: `Server`, whose `respond` turns a request into an
`Answer`. Next: `model_server.py` speaks HTTP for it, `local_account/sagemaker/transform/worker.py` sends it batches.

The image (3.2-0) answers with Flask, at the version that this account has, around `sagemaker_xgboost_container/serving.py` and the `Worker`
and `Transformer` of sagemaker-containers 2.8.6.post2. Their rules are below, in the order of that code. The package itself cannot be
installed beside the emulators (docs/decisions/0080); tests/journeys/test_container_code.py compares the two, answer by answer.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import flask
from werkzeug.test import run_wsgi_app

ANY, CSV, JSON = "*/*", "text/csv", "application/json"
#: Decoded by the server, where the header says exactly this; bytes otherwise.
_TEXT_TYPES = (CSV, JSON)


class ClientError(Exception):
    """The toolkit's error around whatever the package's code raises. Flask does not know it, so it is a 500, whatever was raised."""


class UnsupportedFormatError(Exception):
    """The container's error for a content type that the code does not read or write."""

    def __init__(self, content_type: str) -> None:
        super().__init__(f"Content type {content_type} is not supported by this framework.")


class BaseInferenceToolkitError(Exception):
    """An error of the multi-model server, which answers its status. The single-model server does not know it."""

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


class Response(flask.Response):
    """JSON, unless it says otherwise."""

    default_mimetype = JSON


@dataclass(frozen=True)
class Answer:
    """`headers` as the server sends them, with lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


#: What a package's code may import from the container: a stand-in for each, under the container's names.
_CONTAINER_MODULES: Mapping[str, Mapping[str, Any]] = {
    "sagemaker_containers._errors": {"UnsupportedFormatError": UnsupportedFormatError, "ClientError": ClientError},
    "sagemaker_containers._worker": {"Response": Response},
    "sagemaker_containers.beta.framework": {},
    "sagemaker_inference.errors": {
        error.__name__: error for error in (UnsupportedFormatError, BaseInferenceToolkitError, GenericInferenceToolkitError)
    },
}


def install_container_modules() -> None:
    """Make the container's own error types importable where the toolkits are not installed."""
    for module, members in _CONTAINER_MODULES.items():
        parts = module.split(".")
        for depth in range(1, len(parts) + 1):
            name = ".".join(parts[:depth])
            made = sys.modules.setdefault(name, types.ModuleType(name))
            if depth > 1:
                setattr(sys.modules[".".join(parts[: depth - 1])], parts[depth - 1], made)
        vars(sys.modules[module]).update(members)
    # These are attributes there, and no modules: `from sagemaker_containers.beta.framework.errors import ...` is an error in the image.
    framework = vars(sys.modules["sagemaker_containers.beta.framework"])
    framework |= {name: sys.modules[f"sagemaker_containers._{name}"] for name in ("errors", "worker")}


def load(model_directory: Path, code: Path, environment: Mapping[str, str]) -> Server:
    """Import the package's program and load its model. Raises ContractError, or whatever importing and `model_fn` raise."""
    module = program_in(code, environment)
    return Server(vars(module), model_directory, environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON), module.__name__)


def program_in(code: Path, environment: Mapping[str, str]) -> types.ModuleType:
    """Import the program that the environment names. Raises ContractError, or whatever importing raises.

    `code`: the folder that the image imports from, `/opt/ml/code`.
    """
    program = environment.get("SAGEMAKER_PROGRAM", "")
    if not program:
        raise ContractError("the container's environment has no SAGEMAKER_PROGRAM, such as inference.py; script mode needs it")
    if not (code / program).is_file():
        submitted = environment.get("SAGEMAKER_SUBMIT_DIRECTORY")
        raise ContractError(f"there is no {program} in {f'SAGEMAKER_SUBMIT_DIRECTORY, {submitted}' if submitted else '/opt/ml/code'}")
    install_container_modules()
    sys.path.insert(0, str(code))
    return importlib.import_module(program.removesuffix(".py"))


class Server:
    """`transform_fn`, or `input_fn`, `predict_fn` and `output_fn` with the container's defaults for those that are missing."""

    def __init__(self, functions: Mapping[str, Any], model_directory: Path, default_accept: str = JSON, name: str = "inference") -> None:
        self._default_accept = default_accept
        transform = functions.get("transform_fn")
        if transform and any(name in functions for name in ("input_fn", "predict_fn", "output_fn")):
            raise ContractError("transform_fn cannot be used together with input_fn, predict_fn or output_fn")
        if "model_fn" not in functions:
            raise ContractError("the program has no model_fn(model_dir)")
        self._transform = _wrapped(transform) if transform else self._default_transform
        self._input = _wrapped(functions.get("input_fn", default_input_fn))
        self._predict = _wrapped(functions.get("predict_fn", default_predict_fn))
        self._output = _wrapped(functions.get("output_fn", default_output_fn))
        self._application = flask.Flask(name)
        self._application.add_url_rule("/invocations", "invocations", self._invocation, methods=["POST"])
        self._application.add_url_rule("/ping", "ping", Response)
        self.model = functions["model_fn"](str(model_directory))

    def respond(self, body: bytes, content_type: str | None = None, accept: str | None = None) -> Answer:
        """Answer one invocation. Never raises: an error of the package's code is an answer too, with its traceback on standard error."""
        headers = {"content-type": content_type, "accept": accept}
        return self.answer("POST", "/invocations", {name: value for name, value in headers.items() if value}, body)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Any HTTP request, through Flask."""
        parts, status, sent = run_wsgi_app(self._application, _environ(method, path, headers, body), buffered=True)
        return Answer(int(status.split()[0]), {name.lower(): value for name, value in sent}, b"".join(parts))

    def _invocation(self) -> Any:
        request = flask.request
        content_type = request.headers.get("ContentType") or request.headers.get("Content-Type") or JSON
        accept = request.headers.get("Accept")
        if not accept or accept == ANY:
            accept = self._default_accept
        data: str | bytes = request.get_data(as_text=True) if content_type in _TEXT_TYPES else request.get_data()
        result = self._transform(self.model, data, content_type, accept)
        return Response(result[0], mimetype=result[1]) if isinstance(result, tuple) else result

    def _default_transform(self, model: Any, data: str | bytes, content_type: str, accept: str) -> Any:
        return self._output(self._predict(self._input(data, content_type), model), accept)


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """`error_wrapper` of sagemaker_containers/_functions.py; the container wraps its own default functions in it, too."""

    @wraps(function)
    def wrapper(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            raise ClientError(error) from error

    return wrapper


def _environ(method: str, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """A request as WSGI has it (PEP 3333)."""
    location, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": location,
        "QUERY_STRING": query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **{
            f"HTTP_{name.upper().replace('-', '_')}": value
            for name, value in headers.items()
            if name not in ("content-type", "content-length")
        },
    }


def default_input_fn(data: str | bytes, content_type: str) -> Any:
    """CSV without a header becomes a DMatrix; the container's other formats are left to the package's `input_fn`."""
    if content_type.split(";")[0].strip() != CSV:
        raise UnsupportedFormatError(content_type)
    import numpy
    import xgboost

    text = data if isinstance(data, str) else data.decode()
    return xgboost.DMatrix(numpy.array([[cell or "nan" for cell in line.split(",")] for line in text.split("\n")]).astype(float))


def default_predict_fn(data: Any, model: Any) -> Any:
    return model.predict(data, validate_features=False)


def default_output_fn(prediction: Any, accept: str) -> Response:
    """JSON, or CSV with a line for each value, as `_encoders.py` of sagemaker-containers writes them."""
    values = prediction.tolist() if hasattr(prediction, "tolist") else prediction
    if accept == JSON:
        return Response(json.dumps(values), mimetype=accept)
    if accept == CSV:
        rows = [row if isinstance(row, list) else [row] for row in values]
        return Response("".join(",".join(map(str, row)) + "\n" for row in rows), mimetype=accept)
    raise UnsupportedFormatError(accept)
