"""The lean image's entry point against the managed image: a version answers every request alike, whichever of the two it serves in.

What the managed image answers say `serving_contract.py` and, of that, test_container_code.py. The entry point is started as in the image,
with the packages of the project's lock, of which the image's is a part.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from build_scripts import command_line, lean_image
from build_scripts.command_line import run
from build_scripts.project_environment import ProjectEnvironment
from local_account.account import Account
from local_account.context import AccountSettings
from pipelines.xgboost_image import PROGRAM
from tests.example_models import SETTINGS
from tests.journeys.test_container_code import CSV, JSON, ROOT, TO_A_VERSION, _without_ids, answers, program, request, version

IMAGE = ROOT / "images" / "lean"
SPEAKING = {"MODEL_VERSION": "12", "METRICS_NAMESPACE": "shop/houses/Monitoring", "METRICS_ENDPOINT": "shop--houses--live"}
__all__ = ["version"]  # a fixture
Ask = Callable[..., tuple[int, dict[str, str], bytes]]


class OverSocket(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


class EntryPoint:
    """`python -m serving serve` with one worker, answering on a socket beside the model's folder."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self._socket, self.log = folder / "s", folder / "log"
        given = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(IMAGE),
            "SERVING_SOCKET": str(self._socket),
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": str(folder / "code"),
            "SM_MODEL_DIR": str(folder),
        }
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "serving", "serve"]
            self.process = subprocess.Popen(command, env={**given, **variables}, cwd=folder, stdout=log, stderr=log)

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | Iterator[bytes]) -> tuple[int, dict[str, str], bytes]:
        """Without the two headers that every server has of its own."""
        connection = OverSocket(self._socket)
        try:
            connection.request(method, path, body, dict(headers))
            reply = connection.getresponse()
            kept = {name.lower(): value for name, value in reply.getheaders() if name.lower() not in ("server", "date")}
            return reply.status, kept, reply.read()
        finally:
            connection.close()

    def wait(self) -> EntryPoint:
        while self.process.poll() is None:
            try:
                if self.ask("GET", "/ping", {}, b"")[0] == 200:
                    return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@pytest.fixture
def started() -> Iterator[Callable[..., EntryPoint]]:
    running: list[EntryPoint] = []

    def start(folder: Path, **variables: str) -> EntryPoint:
        running.append(EntryPoint(folder, **variables))
        return running[-1]

    yield start
    for one in running:
        one.end()  # killed, it would leave its workers


def test_a_version_answers_as_in_the_managed_image_and_says_its_last_when_it_is_told_to_end(
    version: Path, started: Callable[..., EntryPoint]
) -> None:
    managed = _without_ids(answers("local", Path(), version, TO_A_VERSION, **SPEAKING))
    server = started(version, **SPEAKING).wait()
    lean = _without_ids({name: server.ask(*asked) for name, asked in TO_A_VERSION.items()})
    for name, (_, path, _, _) in TO_A_VERSION.items():
        if path == "/invocations" and managed[name][0] != 405:
            assert lean[name] == managed[name], name
        assert lean[name][0] == managed[name][0], name  # what Flask says itself is a page of HTML
    assert lean["a row"][2] == b'{"predictions": [{"score": 7.0}]}'
    assert {status for status, _, _ in lean.values()} == {200, 400, 404, 405, 406, 415}
    assert server.end() == 0
    counted = [json.loads(line) for line in server.log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    asked = sum(path == "/invocations" and method == "POST" for method, path, _, _ in TO_A_VERSION.values())
    assert sum(line.get("Requests", 0) for line in counted) == asked


def test_what_a_program_raises_is_a_500_with_its_traceback_in_the_log_and_the_next_request_is_answered(
    tmp_path: Path, started: Callable[..., EntryPoint]
) -> None:
    source = (
        "def model_fn(f): return {'a': 'b'}\ndef input_fn(data, kind): return data.decode()\ndef predict_fn(k, model): return model[k]\n"
    )
    server = started(program(tmp_path, f"{source}def output_fn(said, accept): return said, accept\n")).wait()
    assert server.ask(*request("missing"))[0] == 500
    assert server.ask(*request("a", CSV, CSV)) == (200, {"content-type": "text/csv; charset=utf-8", "content-length": "1"}, b"b")
    assert server.ask(*request("a", CSV, "*/*"))[1]["content-type"] == JSON
    in_chunks = server.ask("POST", "/invocations", {"Content-Type": CSV, "Accept": CSV}, iter([b"a"]))  # says no length; nginx adds one
    assert in_chunks[0] == 200 and in_chunks[2] == b"b"
    assert "KeyError: 'missing'" in server.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def model_fn(folder): return 1\n", r"inference\.py has no input_fn, predict_fn, output_fn; the lean image needs"),
        ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'"),
    ],
)
def test_a_version_that_cannot_be_served_ends_the_server_with_the_reason(
    tmp_path: Path, started: Callable[..., EntryPoint], source: str, said: str
) -> None:
    server = started(program(tmp_path, source))
    assert server.process.wait(timeout=30) == 1
    assert re.search(said, server.log.read_text(encoding="utf-8"))


def pins(lock: Path) -> dict[str, Any]:
    return dict(re.findall(r"^([\w-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


def test_the_image_has_the_packages_of_the_project_s_lock_and_none_that_serving_does_not_need() -> None:
    """So what is tested here is what is served there, and the managed image's xgboost and numpy give the same answers."""
    project, image = pins(ROOT / "requirements.lock"), pins(IMAGE / "requirements.lock")
    assert image == {name: project[name] for name in image}
    assert set(image) == {"click", "granian", "numpy", "scipy", "xgboost-cpu"}


def test_a_local_account_starts_the_pushed_entry_point_which_answers_as_a_model_server(
    version: Path, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the pipeline of the image runs the script, twice; the image's lock has to be this environment's."""
    monkeypatch.setattr(command_line, "read", lambda: SETTINGS)
    with Account(AccountSettings(state_directory=tmp_path_factory.mktemp("account"), port=0)) as account:
        account.client("s3").create_bucket(Bucket="models")
        account.client("s3").put_object(Bucket="models", Key="model.tar.gz", Body=packed(version))
        role = serving_role(account.client("iam"))
        ecr, sagemaker = account.client("ecr"), account.client("sagemaker")
        address = ecr.create_repository(repositoryName="shop/lean", imageTagMutability="IMMUTABLE")["repository"]["repositoryUri"]
        monkeypatch.setattr(ProjectEnvironment, "client", lambda _, service: account.client(service))
        monkeypatch.setenv("AWS_REGION", account.context.settings.region)
        assert run(lean_image.main, []) == run(lean_image.main, []) == 0
        said, again = (lines := capsys.readouterr().out.splitlines())[0], lines[-1]
        assert said.startswith("no Docker in a local account") and again.endswith("is there: of these files, of this base, of this month")
        (image,) = ecr.describe_images(repositoryName="shop/lean")["imageDetails"]
        digest = image["imageDigest"]
        container = {"Image": f"{address}@{digest}", "ModelDataUrl": "s3://models/model.tar.gz", "Environment": {**PROGRAM, **SPEAKING}}
        sagemaker.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=role, EnableNetworkIsolation=True)
        one = {"VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
        sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[one])
        sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="e", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        answer = account.client("sagemaker-runtime").invoke_endpoint(EndpointName="e", Body=b"1,2,flat", ContentType=CSV)
        assert (answer["Body"].read(), answer["ContentType"].split(";")[0]) == (b'{"predictions": [{"score": 7.0}]}', JSON)
        assert answer["CustomAttributes"].startswith("model-version=12; answer-id=")
        logs = list(account.settings.state_directory.rglob("*.log"))
        assert any(f"the entry point of {address}@{digest} starts with this account's Python" in log.read_text() for log in logs)


def serving_role(iam: Any) -> str:
    """It reads archives, pulls the image and writes its log, and nothing else."""
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    pull = [f"ecr:{action}" for action in ("BatchGetImage", "BatchCheckLayerAvailability", "GetDownloadUrlForLayer")]
    allowed = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "logs:PutLogEvents", "logs:CreateLogStream", "logs:CreateLogGroup", *pull],
        "Resource": "*",
    }
    made = iam.create_role(RoleName="serves", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}))
    iam.put_role_policy(RoleName="serves", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": allowed}))
    return str(made["Role"]["Arn"])


def packed(folder: Path) -> bytes:
    """The version as the training pipeline packs it."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz", dereference=True) as archive:
        for name in ("preparation.json", "version.json", "linear.json", "code"):
            archive.add(folder / name, name, filter=lambda member: None if "__pycache__" in member.name else member)
    return written.getvalue()
