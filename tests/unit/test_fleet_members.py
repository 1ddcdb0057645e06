"""The program of a multi-model container: each model is served by the code and with the environment of its own archive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def member(folder: Path, version: str, word: str) -> Path:
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "serve.py").write_text(CODE)
    (folder / "code" / "answers.py").write_text(f"WORD = {word!r}")
    (folder / "environment.json").write_text(json.dumps({"SAGEMAKER_PROGRAM": "serve.py", "MODEL_VERSION": version}))
    return folder


def answer(folder: Path, *requests: str) -> list[dict[str, Any]]:
    """What the multi-model server of the local account, which has the image's rules, answers in a process for this model."""
    script = (
        "import json, sys; from pathlib import Path; from local_account.endpoints import multi_model_contract as contract\n"
        f"worker = contract.load(Path(sys.argv[1]), Path({str(PROGRAM.parent)!r}), {{'SAGEMAKER_PROGRAM': 'members.py'}})\n"
        "answers = [worker.answer('POST', '/invocations', {'content-type': 'text/csv'}, body.encode()) for body in sys.argv[2:]]\n"
        "print(json.dumps([{'status': one.status, 'type': one.headers.get('content-type'), 'body': one.body.decode()} for one in answers]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "packages" / "local_account")}
    finished = subprocess.run(
        [sys.executable, "-c", script, str(folder), *requests], capture_output=True, text=True, check=True, env=environment
    )
    found: list[dict[str, Any]] = json.loads(finished.stdout)
    return found


def test_a_model_is_served_by_its_own_code_and_told_its_own_environment(tmp_path: Path) -> None:
    (first,) = answer(member(tmp_path / "a", "3", "hello"), "1,2")
    (second,) = answer(member(tmp_path / "b", "12", "welcome"), "1,2")
    assert first == {"status": 200, "type": "text/plain; version=3", "body": "hello 1,2 from version 3"}
    assert second == {"status": 200, "type": "text/plain; version=12", "body": "welcome 1,2 from version 12"}


def test_what_a_version_refuses_keeps_its_status_and_its_words(tmp_path: Path) -> None:
    refused, served = answer(member(tmp_path, "3", "hello"), "", "1")
    assert refused["status"] == 400 and refused["body"].startswith("row 1 is empty\n")
    assert served["status"] == 200
