"""The one program of a multi-model container: it lets each model be served by the code in that model's own archive.

The image imports one program for all models of such a container, and starts a process for each model that it loads (`serving_mms.py` and
`mms_patch/model_server.py` of sagemaker-xgboost-container; `WorkerLifeCycle.java` of multi-model-server 1.1.2). So a process finds its
model's code beside the model, as it was when the version was evaluated, and what another model has is never imported there.
In: an archive as a version has it, with `environment.json` in addition: what its own endpoint would tell its container by environment
(SAGEMAKER_PROGRAM at least). Out: the answers of its own endpoint; but custom attributes, and what `Serving.headers` says in them, get no
further than the image's multi-model server, which gives a program (sagemaker-inference 1.5.5) no way to set them: the version and the id
of an answer are also in its content type. How long each request took, and whether it or the loading failed, CloudWatch is told
(request_metrics.py). Changing these files changes how models are handed requests, not what they answer.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

from container_output import let_metrics_out
from flask import Response
from request_metrics import RequestMetrics

ENVIRONMENT, CODE, PROGRAM = "environment.json", "code", "SAGEMAKER_PROGRAM"


@dataclass(frozen=True)
class Member:
    """A loaded version, the module that serves it, and what is told of its requests."""

    program: ModuleType
    model: Any
    metrics: RequestMetrics


def model_fn(model_dir: str) -> Member:
    """Raises KeyError or OSError for an archive that is no member's, or whatever the version's own `model_fn` raises.

    The server calls it again with each request until it raises nothing (`validate_and_initialize` of sagemaker-inference 1.5.5): what
    `model_loader.py` of multi-model-server 1.1.2 catches says nobody, and to SageMaker the model is loaded.
    """
    folder = Path(model_dir)
    told: dict[str, str] = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    # The server names its one program by the same variable, and looks again with each request where a model could not be loaded.
    os.environ.update({name: value for name, value in told.items() if name != PROGRAM})
    let_metrics_out()
    metrics = RequestMetrics(told)
    try:
        member = Member(*_loaded(folder, told[PROGRAM]), metrics)
    except Exception:
        metrics.ended(0.0, failed=True)  # whoever asked for it gets an error
        metrics.say()
        raise
    metrics.begin()
    return member


def _loaded(folder: Path, name: str) -> tuple[ModuleType, Any]:
    if str(folder / CODE) not in sys.path:
        sys.path.insert(0, str(folder / CODE))
    program = importlib.import_module(name.removesuffix(".py"))
    return program, program.model_fn(str(folder))


def transform_fn(member: Member, body: bytes | str, content_type: str, accept: str) -> tuple[bytes, str]:
    """Body and content type of an answer. Raises the server's own error, which keeps its status, for what the version refuses."""
    started, status = time.perf_counter(), 500
    try:
        answered = _answered(member.program, member.model, body, content_type, accept)
        status = answered.status_code if isinstance(answered, Response) else 200
    except Exception as error:
        status = getattr(error, "status_code", 500)  # the server's own errors have one
        raise
    finally:
        member.metrics.ended((time.perf_counter() - started) * 1000, failed=status >= 500)
    if not isinstance(answered, Response):
        content, answered_type = answered
        return content if isinstance(content, bytes) else content.encode(), answered_type
    if answered.status_code >= 400:
        from sagemaker_inference.errors import GenericInferenceToolkitError

        # The server writes the phrase into the status line of its answer, where a refusal's words may be longer than who reads it takes.
        phrase = HTTPStatus(answered.status_code).phrase
        raise GenericInferenceToolkitError(answered.status_code, answered.get_data(as_text=True).strip(), phrase)
    return answered.get_data(), str(answered.content_type)


def _answered(program: ModuleType, model: Any, body: bytes | str, content_type: str, accept: str) -> Any:
    return program.output_fn(program.predict_fn(program.input_fn(body, content_type), model), accept)
