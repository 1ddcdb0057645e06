"""The program of a multi-model container: each model is served by the code and with the environment of its own archive."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import pytest

from local_account.endpoints.serving_contract import GenericInferenceToolkitError, install_container_modules

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "pipelines" / "fleet" / "steps" / "members.py"
#: Answers what its own code and environment say; refuses as a version does, with a response.
CODE = """
import os
import flask
import answers

def model_fn(model_dir):
    return os.environ["MODEL_VERSION"]

def input_fn(body, content_type):
    return flask.Response("row 1 is empty\\n", 400, mimetype="text/plain") if not body else body

def predict_fn(body, model):
    return body if isinstance(body, flask.Response) else f"{answers.WORD} {body} from version {model}"

def output_fn(answer, accept):
    if isinstance(answer, flask.Response):
        return answer
    return flask.Response(answer, 200, content_type="text/plain; version=" + os.environ["MODEL_VERSION"])
"""


#: Loads its model at the third attempt.
LATE = CODE.replace(
    "def model_fn(model_dir):",
    """
attempts = []

def model_fn(model_dir):
    attempts.append(model_dir)
    if len(attempts) < 3:
        raise OSError("no such disk")""",
)
METRICS = {"METRICS_NAMESPACE": "shop/crab/Monitoring", "METRICS_ENDPOINT": "shop--crab--live"}


def member(folder: Path, version: str, word: str, code: str = CODE) -> Path:
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "serve.py").write_text(code)
    (folder / "code" / "answers.py").write_text(f"WORD = {word!r}")
    told = {"SAGEMAKER_PROGRAM": "serve.py", "MODEL_VERSION": version, **METRICS}
    (folder / "environment.json").write_text(json.dumps(told))
    return folder


def answer(folder: Path, *requests: str) -> list[dict[str, Any]]:
    return answer_and_tell(folder, *requests)[0]


def answer_and_tell(folder: Path, *requests: str) -> tuple[list[dict[str, Any]], list[int]]:
    """What the multi-model server of the local account, which has the image's rules, answers in a process for this model.

    Last: of each request of which metrics tell, whether it failed.
    """
    script = (
        "import json, os, sys; from pathlib import Path; from local_account.endpoints import multi_model_contract as contract\n"
        f"worker = contract.Worker(Path(sys.argv[1]), Path({str(PROGRAM.parent)!r}), os.environ)\n"
        "answers = [worker.answer('POST', '/invocations', {'content-type': 'text/csv'}, body.encode()) for body in sys.argv[2:]]\n"
        "print(json.dumps([{'status': one.status, 'type': one.headers.get('content-type'), 'body': one.body.decode()} for one in answers]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "packages" / "local_account"), "SAGEMAKER_PROGRAM": PROGRAM.name}
    finished = subprocess.run(
        [sys.executable, "-c", script, str(folder), *requests], capture_output=True, text=True, check=True, env=environment
    )
    printed = [json.loads(line) for line in finished.stdout.splitlines()]
    (answers,) = [line for line in printed if isinstance(line, list)]
    return answers, [failed for line in printed if isinstance(line, dict) for failed in line["ServerErrors"]]


def test_a_model_is_served_by_its_own_code_and_told_its_own_environment(tmp_path: Path) -> None:
    (first,) = answer(member(tmp_path / "a", "3", "hello"), "1,2")
    (second,) = answer(member(tmp_path / "b", "12", "welcome"), "1,2")
    assert first == {"status": 200, "type": "text/plain; version=3", "body": "hello 1,2 from version 3"}
    assert second == {"status": 200, "type": "text/plain; version=12", "body": "welcome 1,2 from version 12"}


def test_what_a_version_refuses_keeps_its_status_and_its_words(tmp_path: Path) -> None:
    refused, served = answer(member(tmp_path, "3", "hello"), "", "1")
    assert refused["status"] == 400 and refused["body"].startswith("row 1 is empty\n")
    assert served["status"] == 200


def test_the_words_of_a_refusal_are_not_in_the_status_line(monkeypatch: pytest.MonkeyPatch) -> None:
    install_container_modules()
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    members = importlib.import_module("members")
    words = "row 1: " + "no number; " * 1000
    refused = flask.Response(words, 400)
    program = SimpleNamespace(input_fn=lambda *_: refused, predict_fn=lambda *_: refused, output_fn=lambda *_: refused)
    with pytest.raises(GenericInferenceToolkitError) as raised:
        members.transform_fn(members.Member(program, None, members.RequestMetrics({})), "", "text/csv", "application/json")
    assert (raised.value.status_code, raised.value.message, raised.value.phrase) == (400, words.strip(), "Bad Request")


def test_a_version_that_could_not_be_loaded_is_asked_again_with_each_request_and_served_by_this_program_still(tmp_path: Path) -> None:
    (failed, served, refused), told = answer_and_tell(member(tmp_path, "3", "hello", LATE), "1,2", "1,2", "")
    assert failed["status"] == 500 and failed["body"].startswith("no such disk\n")
    assert served == {"status": 200, "type": "text/plain; version=3", "body": "hello 1,2 from version 3"}
    assert refused["status"] == 400
    assert told == [1, 1, 0, 0]  # the first attempt, before any request, too
