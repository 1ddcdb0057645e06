"""SageMaker's container contract around a version's own program: which request gets which answer.

In: the folders of the model and of its program. Out: `Contract.answer`, with the statuses, headers and bodies that the managed XGBoost
image gives around the same program (`Worker` and `Transformer` of sagemaker-containers). Next: `application.py`, which is asked by HTTP.
Source: "Custom Inference Code with Hosting Services" of the SageMaker guide: GET /ping, POST /invocations, an answer within 60 seconds, the
model in /opt/ml/model, which is read-only.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from serving.response import Response, stand_in_for_flask

ANY, JSON, PLAIN = "*/*", "application/json", "text/plain; charset=utf-8"
FUNCTIONS = ("model_fn", "input_fn", "predict_fn", "output_fn")


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class ProgramError(Exception):
    """The version cannot be served; the message says what it lacks."""


class Contract:
    """One loaded version. `default_accept`: what is answered to whoever takes anything, or does not say."""

    def __init__(self, program: ModuleType, model_folder: Path, default_accept: str = JSON) -> None:
        missing = [name for name in FUNCTIONS if not hasattr(program, name)]
        if missing:
            raise ProgramError(f"{program.__name__}.py has no {', '.join(missing)}; the lean image needs {', '.join(FUNCTIONS)}")
        self._input, self._predict, self._output = program.input_fn, program.predict_fn, program.output_fn
        self._default_accept = default_accept
        self._model = program.model_fn(str(model_folder))

    def answer(self, method: str, path: str, content_type: str | None, accept: str | None, body: bytes) -> Answer:
        """Never raises."""
        allowed = {"/invocations": ("POST",), "/ping": ("GET", "HEAD")}.get(path)
        if allowed is None:
            return Answer(404, [("Content-Type", PLAIN)], b"")
        if method not in allowed:
            return Answer(405, [("Content-Type", PLAIN), ("Allow", ", ".join(allowed))], b"")
        if path == "/ping":
            return Answer(200, [("Content-Type", JSON)], b"")
        return self._invocation(content_type or JSON, self._default_accept if not accept or accept == ANY else accept, body)

    def _invocation(self, content_type: str, accept: str, body: bytes) -> Answer:
        try:
            result = self._output(self._predict(self._input(body, content_type), self._model), accept)
            made = result if isinstance(result, Response) else Response(result[0], mimetype=result[1])
        except Exception:  # as in the managed image, whatever a program raises is a fault of the endpoint
            traceback.print_exc()
            return Answer(500, [("Content-Type", PLAIN)], b"the program failed; its log says why\n")
        return Answer(made.status_code, made.headers, made.body)


def load(code: Path, program: str, model_folder: Path, default_accept: str = JSON) -> Contract:
    """Raises ProgramError, or what importing the program and its `model_fn` raise."""
    if not program or not (code / program).is_file():
        raise ProgramError(f"SAGEMAKER_PROGRAM is {program!r}; allowed: a file of SAGEMAKER_SUBMIT_DIRECTORY, {code}")
    stand_in_for_flask()
    sys.path.insert(0, str(code))
    return Contract(importlib.import_module(program.removesuffix(".py")), model_folder, default_accept)
