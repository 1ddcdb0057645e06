"""Answers HTTP requests with one of two servers, in a process of its own: `container` is the image's code, `local` the local account's.

    python answer_requests.py container|local MODEL_FOLDER CODE_FOLDER PROGRAM < requests.json > answers.json

Started by test_container_code.py. Of the image, sagemaker-containers is on PyPI; the lines that sagemaker_xgboost_container/serving.py
puts around it are in `container` below.
"""

from __future__ import annotations

import base64
import collections
import collections.abc
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

Reply = tuple[int, dict[str, str], bytes]
Ask = Callable[[str, str, dict[str, str], bytes], Reply]


def container(model: str, code: str, program: str) -> Ask:
    # The image's Dockerfile replaces `collections.Mapping` in the package's source, which Python 3.10 has no more.
    collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined]
    # What its training side imports: an extension in C, and packages that serving does not use.
    sys.modules |= {name: MagicMock(name=name) for name in ("gethostname", "inotify_simple", "pkg_resources", "retrying")}
    from sagemaker_containers import _env, _transformer, _worker  # type: ignore[import-not-found]

    _env.model_dir = model
    sys.path.insert(0, code)
    module = importlib.import_module(program.removesuffix(".py"))
    functions = {
        name: getattr(module, name) for name in ("model_fn", "input_fn", "predict_fn", "output_fn", "transform_fn") if hasattr(module, name)
    }
    transformer = _transformer.Transformer(**functions)
    transformer.initialize()
    client = _worker.Worker(transform_fn=transformer.transform, module_name=module.__name__).test_client()

    def ask(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        answer = client.open(path, method=method, headers=headers, data=body)
        return answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, answer.get_data()

    return ask


def local(model: str, code: str, program: str) -> Ask:
    from local_account.endpoints import serving_contract

    server = serving_contract.load(Path(model), Path(code), {"SAGEMAKER_PROGRAM": program})

    def ask(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        answer = server.answer(method, path, headers, body)
        return answer.status, dict(answer.headers), answer.body

    return ask


def main(kind: str, model: str, code: str, program: str) -> None:
    ask = {"container": container, "local": local}[kind](model, code, program)
    answers: list[Any] = []
    for method, path, headers, body in json.load(sys.stdin):
        status, sent, content = ask(method, path, headers, base64.b64decode(body))
        answers.append([status, sent, base64.b64encode(content).decode()])
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
