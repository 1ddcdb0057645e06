"""The one program of a multi-model container: it lets each model be served by the code in that model's own archive.

The image imports one program for all models of such a container, and starts a process for each model that it loads (`serving_mms.py` and
`mms_patch/model_server.py` of sagemaker-xgboost-container; `WorkerLifeCycle.java` of multi-model-server 1.1.2). So a process finds its
model's code beside the model, as it was when the version was evaluated, and what another model has is never imported there.
In: an archive as a version has it, with `environment.json` in addition: what its own endpoint would tell its container by environment
(SAGEMAKER_PROGRAM at least). Out: the answers of its own endpoint; but custom attributes, and what `Serving.headers` says in them, get no
further than the image's multi-model server, which gives a program (sagemaker-inference 1.5.5) no way to set them: the version and the id
of an answer are also in its content type. Changing this file changes how models are handed requests, not what they answer.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from flask import Response

ENVIRONMENT, CODE, PROGRAM = "environment.json", "code", "SAGEMAKER_PROGRAM"


@dataclass(frozen=True)
class Member:
    """A loaded version and the module that serves it."""

    program: ModuleType
    model: Any


def model_fn(model_dir: str) -> Member:
    """Raises KeyError or OSError for an archive that is no member's, or whatever the version's own `model_fn` raises."""
    folder = Path(model_dir)
    told: dict[str, str] = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    os.environ.update(told)
    sys.path.insert(0, str(folder / CODE))
    program = importlib.import_module(told[PROGRAM].removesuffix(".py"))
    return Member(program, program.model_fn(model_dir))


def transform_fn(member: Member, body: bytes | str, content_type: str, accept: str) -> tuple[bytes, str]:
    """Body and content type of an answer. Raises the server's own error, which keeps its status, for what the version refuses."""
    program = member.program
    answered = program.output_fn(program.predict_fn(program.input_fn(body, content_type), member.model), accept)
    if not isinstance(answered, Response):
        content, answered_type = answered
        return content if isinstance(content, bytes) else content.encode(), answered_type
    if answered.status_code >= 400:
        from sagemaker_inference.errors import GenericInferenceToolkitError

        raise GenericInferenceToolkitError(answered.status_code, answered.get_data(as_text=True).strip())
    return answered.get_data(), str(answered.content_type)
