"""The local account's model server against the image's own code: status, headers and body of every answer are the same.

The image's code is sagemaker-containers, of whose published archive only the Python files are read: it cannot be installed beside the
emulators (docs/decisions/0080). Without the package index the comparison is skipped, and the claims of test_model_server.py remain.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local_account.sagemaker.jobs import script_mode
from local_account.sagemaker.jobs.container import Container

ROOT = Path(__file__).resolve().parents[2]
STEPS = ROOT / "pipelines" / "tabular" / "steps"
#: The version in the image (docker/xgboost/uv.lock of github.com/aws/deep-learning-containers).
NAME, VERSION = "sagemaker-containers", "2.8.6.post2"
SHA256 = "66dbcbc2f9ca2be4de17212f9312ed0049779ad46f62bf4674e6e5a2cf78bc4e"
CACHE = ROOT / ".cache" / f"{NAME}-{VERSION}"

CSV, JSON, ANY = "text/csv", "application/json", "*/*"
ROW = "1,2,flat"

#: Answers and fails in every way that a program can; the body says which.
AWKWARD = """
import flask, json
from werkzeug.exceptions import HTTPException, NotFound
from sagemaker_containers.beta.framework import errors, worker

class Status(Exception):
    status_code = code = 418
    message = description = "a teapot"

class Refusal(HTTPException):
    code, description = 422, "unprocessable"

RAISED = {"value": ValueError("x"), "status": Status(), "http": Refusal(), "missing": NotFound(),
          "format": errors.UnsupportedFormatError("a/b")}
RETURNED = {
    "text": "text", "bytes": b"bytes", "pair": ("pair", "text/csv"), "pair of bytes": (b"pair", "application/x-npy"),
    "no type": ("pair", None), "dictionary": {"a": 1}, "list": [1, 2], "nothing": None, "number": 7,
    "response": flask.Response("refused", 400, mimetype="text/plain"),
    "headers": flask.Response("x", 200, {"X-Amzn-SageMaker-Custom-Attributes": "c=1"}, content_type="text/plain; charset=latin-1"),
    "empty": flask.Response(status=204),
    "the toolkit's": worker.Response("[1]", status=201),
}

def model_fn(model_dir):
    return "model"

def input_fn(data, content_type):
    word = data if isinstance(data, str) else data.decode()
    if word.startswith("input "):
        raise RAISED[word.removeprefix("input ")]
    return word, content_type, type(data).__name__

def predict_fn(given, model):
    if given[0].startswith("predict "):
        raise RAISED[given[0].removeprefix("predict ")]
    return given

def output_fn(given, accept):
    word, content_type, kind = given
    if word.startswith("output "):
        raise RAISED[word.removeprefix("output ")]
    return RETURNED.get(word, (json.dumps([word, content_type, kind, accept]), "application/json"))
"""
FAILURES = [f"{where} {what}" for where in ("input", "predict", "output") for what in ("value", "status", "http", "missing", "format")]
ANSWERS = [
    "text",
    "bytes",
    "pair",
    "pair of bytes",
    "no type",
    "dictionary",
    "list",
    "nothing",
    "number",
    "response",
    "headers",
    "empty",
    "the toolkit's",
]
TRANSFORM = "def model_fn(folder): return 3\ndef transform_fn(model, data, kind, accept): return f'{model}{data}', accept\n"


def request(body: str | bytes, content_type: str | None = CSV, accept: str | None = None) -> tuple[str, str, dict[str, str], bytes]:
    headers = {name: value for name, value in (("content-type", content_type), ("accept", accept)) if value}
    return "POST", "/invocations", headers, body.encode() if isinstance(body, str) else body


def instances(*rows: Any) -> str:
    return json.dumps({"instances": list(rows)})


#: What clients send to a version, well and badly.
TO_A_VERSION = {
    "a row": request(ROW),
    "rows with other line ends": request(f"{ROW}\r\n{ROW}\r\n"),
    "gaps": request(",,"),
    "a mark before the text": request(b"\xef\xbb\xbf" + ROW.encode()),
    "a quoted cell": request('"1","2","flat"'),
    "answered as CSV": request(ROW, accept=CSV),
    "answered as anything": request(ROW, accept=ANY),
    "a list of types": request(ROW, accept="text/csv, application/json"),
    "with weights": request(ROW, accept="application/xml;q=0.9, text/csv;q=0.5"),
    "of a type that is not made": request(ROW, accept="application/xml"),
    "as JSON lines": request(ROW, accept="application/jsonlines"),
    "a charset": request(ROW, "text/csv; charset=utf-8"),
    "another spelling": request(ROW, "Text/CSV"),
    "no content type": request(ROW, None),
    "no content type, JSON": request(instances([1, 2, "flat"]), None),
    "octets": request(ROW, "application/octet-stream"),
    "an unknown type": request(b"\x00", "application/x-nothing-we-know"),
    "libsvm": request("1 1:2", "text/libsvm"),
    "column names": request(f"area,rooms,kind\n{ROW}"),
    "a word": request("1,x,flat"),
    "infinity": request("1,inf,flat"),
    "a cell too many": request(f"{ROW},4"),
    "a cell too few": request("1,2"),
    "semicolons": request("1;2;flat"),
    "an open quote": request(f'"{ROW}'),
    "nothing": request(""),
    "a line end": request("\n"),
    "no JSON": request("{", JSON),
    "not UTF-8": request(b"1,2,Bogot\xe1"),
    "JSON that is not UTF-8": request(b'{"instances": [[1, 2, "\xf1"]]}', JSON),
    "deep JSON": request("[" * 100_000, JSON),
    "lists": request(instances([1, 2, "flat"], [None, None, None]), JSON),
    "objects": request(instances({"area": 1}), JSON),
    "features": request(instances({"features": [1, 2, "flat"]}), JSON),
    "an unknown column": request(instances({"garden": 1}), JSON),
    "no rows": request(instances(), JSON),
    "JSON lines": request('{"area": 1}\n[1, 2, "flat"]\n', "application/jsonlines", "application/jsonlines"),
    "JSON lines that are cut": request('{"area": 1}\n[1, 2', "application/jsonlines"),
    "one object": request('{"area": 1}', JSON, "application/json;q=0.1, text/csv"),
    "a frame": request('{"columns": ["kind", "area"], "data": [["flat", 1]]}', JSON),
    "a name twice": request('{"area": 1, "area": 2}', JSON),
    "a truth value": request(instances([True, 2, "flat"]), JSON),
    "another key": request('{"data": [[1, 2, "flat"]]}', JSON),
    "a megabyte": request(f"{ROW}\n" * 130_000, accept=CSV),
    "a ping": ("GET", "/ping", {}, b""),
    "a question": ("GET", "/ping?now=1", {}, b""),
    "the wrong method": ("GET", "/invocations", {}, b""),
    "another path": ("GET", "/models", {}, b""),
    "execution parameters": ("GET", "/execution-parameters", {}, b""),
}
TO_AN_AWKWARD_PROGRAM = {
    **{name: request(name) for name in (*FAILURES, *ANSWERS)},
    **{
        f"{kind} {accept}": request("x", kind, accept)
        for kind in (CSV, JSON, "text/plain", f"{CSV};a=b")
        for accept in (None, ANY, CSV, "a/b")
    },
    "another header": ("POST", "/invocations", {"contenttype": CSV}, b"x"),
}


@pytest.fixture(scope="module")
def toolkit() -> Path:
    """A folder with the package's Python files. Skips where the package index does not answer."""
    if not CACHE.is_dir():
        _fetch(CACHE)
    return CACHE


def _fetch(folder: Path) -> None:
    downloads = folder.with_suffix(".download")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:"]
    fetched = subprocess.run(
        [*command, "--no-build-isolation", "--dest", str(downloads), f"{NAME}=={VERSION}"], capture_output=True, text=True, check=False
    )
    if fetched.returncode:
        pytest.skip(f"{NAME} {VERSION} cannot be fetched from the package index: {fetched.stderr.strip().splitlines()[-1:]}")
    (archive,) = downloads.glob("*.tar.gz")
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256
    unpacked = folder.with_suffix(".unpacked")
    with tarfile.open(archive) as members:
        members.extractall(unpacked, filter="data")
    next(unpacked.glob("*/src")).rename(folder)


def answers(
    kind: str, toolkit: Path, folder: Path, requests: Mapping[str, Any], **variables: str
) -> dict[str, tuple[int, dict[str, str], bytes]]:
    """What a server answers for the model in `folder`, in a process of its own: both call the same modules by the same names."""
    path = [*([str(toolkit)] if kind == "container" else []), str(ROOT)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
        "SAGEMAKER_BASE_DIR": str(folder / "ml"),
        "PYTHONHASHSEED": "0",  # Flask lists allowed methods in the order of a set
        "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python",  # the toolkit's generated code is older than protobuf 4
        **variables,
    }
    script = Path(__file__).with_name("answer_requests.py")
    sent = json.dumps([(method, path, headers, base64.b64encode(body).decode()) for method, path, headers, body in requests.values()])
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), kind, str(folder), str(folder / "code"), "inference.py"],
        input=sent, env=environment, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    # A version that speaks has the last word, as it leaves.
    (answered,) = [line for line in finished.stdout.splitlines() if line.startswith("[")]
    found = [(status, headers, base64.b64decode(body)) for status, headers, body in json.loads(answered)]
    return dict(zip(requests, found, strict=True))


def program(folder: Path, source: str) -> Path:
    (folder / "code").mkdir()
    (folder / "code" / "inference.py").write_text(source, encoding="utf-8")
    return folder


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version that answers 7 to every row of an area, rooms and a kind."""
    numeric = {"lower": None, "upper": None, "fill": 1.0, "centre": 0.0, "scale": 1.0, "indicator": False}
    state = {
        "numeric": [{"name": "area", **numeric}, {"name": "rooms", **numeric}],
        "categorical": [{"name": "kind", "categories": ["flat"], "indicator": False}],
        "selected": None,
        "dataset": {"problem": "regression", "metric": "rmse"},
        "classes": None,
    }
    model = {"coefficients": [[0.0]] * 4, "intercepts": [7.0], "centre": [0.0] * 4, "settings": {}}
    for name, document in (("preparation.json", state), ("version.json", {"algorithm": "linear"}), ("linear.json", model)):
        (tmp_path / name).write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "code").symlink_to(STEPS)
    return tmp_path


def test_a_version_s_answers_and_refusals_are_the_image_s(toolkit: Path, version: Path) -> None:
    ours = answers("local", toolkit, version, TO_A_VERSION)
    assert ours == answers("container", toolkit, version, TO_A_VERSION)
    assert ours["a row"] == (200, {"content-type": JSON, "content-length": "33"}, b'{"predictions": [{"score": 7.0}]}')
    assert ours["answered as CSV"][1]["content-type"] == "text/csv; charset=utf-8"
    assert {status for status, _, _ in ours.values()} == {200, 400, 404, 405, 406, 415}


def test_a_version_that_knows_its_number_names_it_in_each_answer_which_is_otherwise_the_same(toolkit: Path, version: Path) -> None:
    """The image's server keeps the header and the parameter of a response that it is given; and speaking changes no answer."""
    speaking = {"MODEL_VERSION": "12", "METRICS_NAMESPACE": "shop/houses/Monitoring", "METRICS_ENDPOINT": "shop--houses--live"}
    unnamed = answers("local", toolkit, version, TO_A_VERSION)
    named = _without_ids(answers("container", toolkit, version, TO_A_VERSION, **speaking))
    assert named == _without_ids(answers("local", toolkit, version, TO_A_VERSION, **speaking))
    assert {name: (status, body) for name, (status, _, body) in named.items()} == {
        name: (status, body) for name, (status, _, body) in unnamed.items()
    }
    for name, (status, headers, _) in named.items():
        answered = status == 200 and "ping" not in name and "question" not in name
        assert (headers.get("x-amzn-sagemaker-custom-attributes") == "model-version=12; answer-id=...") == answered
    assert named["a row"][1]["content-type"] == "application/json; model-version=12; answer-id=..."
    assert named["answered as CSV"][1]["content-type"] == "text/csv; model-version=12; answer-id=...; charset=utf-8"


def _without_ids(asked: dict[str, Any]) -> dict[str, Any]:
    """Each answer has an id of its own."""
    return {
        name: (status, {header: re.sub(r"answer-id=[\w-]{16}", "answer-id=...", value) for header, value in headers.items()}, body)
        for name, (status, headers, body) in asked.items()
    }


def test_whatever_a_program_does_it_is_answered_as_in_the_image(toolkit: Path, tmp_path: Path) -> None:
    folder = program(tmp_path, AWKWARD)
    ours = answers("local", toolkit, folder, TO_AN_AWKWARD_PROGRAM)
    assert ours == answers("container", toolkit, folder, TO_AN_AWKWARD_PROGRAM)
    assert {ours[failure][0] for failure in FAILURES} == {500}
    assert ours["response"][0] == 400


def test_a_program_with_transform_fn_is_answered_as_in_the_image(toolkit: Path, tmp_path: Path) -> None:
    folder = program(tmp_path, TRANSFORM)
    requests = {"CSV": request("x", accept=CSV), "JSON": request("[]", JSON)}
    assert answers("local", toolkit, folder, requests) == answers("container", toolkit, folder, requests)


#: A job's hyperparameters once they are read, as every kind of JSON value.
HYPERPARAMETERS = {"k": 1, "rate": 0.1, "flag": True, "nothing": None, "text": "a b", "list": [1, "2"], "pairs": {"b": 1, "a": "x"}}
TELL = """
import collections, collections.abc, json, sys
collections.Mapping = collections.abc.Mapping
from sagemaker_containers import _errors, _mapping
given = json.load(sys.stdin)
said = str(_errors.ExecuteUserScriptError(return_code=1, cmd=" ".join(["PYTHON", "-m", "train", *_mapping.to_cmd_args(given)])))
variables = _mapping.to_env_vars({**{f"hp_{name}": value for name, value in given.items()}, "hps": given, "channels": ["a", "b"]})
print(json.dumps([_mapping.to_cmd_args(given), variables, said]))
"""


def test_a_script_gets_the_toolkit_s_arguments_and_variables_and_fails_in_its_words(toolkit: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(toolkit), "SAGEMAKER_BASE_DIR": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TELL],
        input=json.dumps(HYPERPARAMETERS), env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    arguments, variables, said = json.loads(told.stdout)
    assert script_mode.arguments(HYPERPARAMETERS) == arguments
    given = script_mode.environment(Container(tmp_path), "job", HYPERPARAMETERS, ["b", "a"], "train.py")
    assert {name: given[name] for name in variables} == variables
    failed = script_mode.failed({**HYPERPARAMETERS, script_mode.PROGRAM: "train.py"})
    assert failed.replace(script_mode.command({script_mode.PROGRAM: "x"})[0], "PYTHON") == said
