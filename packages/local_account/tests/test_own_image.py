"""Images of an account's own: their entry point serves, as long as it may be pulled and is the same program here."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .endpoint_models import ENVIRONMENT, archive, create_configuration, create_endpoint, invoke, variant
from .roles import make_role

#: Answers what it is asked, with what it was started with.
ENTRY_POINT = """
import http.server, os, socketserver, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.answer(b"%s %s %s" % (body, sys.argv[1].encode(), os.environ["GREETING"].encode()))

    def answer(self, body):
        self.send_response(200)
        self.send_header("content-type", "text/csv")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "router"

socketserver.UnixStreamServer(os.environ["SERVING_SOCKET"], Handler).serve_forever()
"""
LAYER = {"opt/own/answering.py": ENTRY_POINT, "opt/own/requirements.lock": f"numpy=={numpy.__version__} \\\n    --hash=sha256:0\n"}
PULL = ["ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer"]


def _descriptor(content: bytes) -> dict[str, Any]:
    return {"digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content), "data": base64.b64encode(content).decode()}


def manifest(layer: Mapping[str, str], entry_point: tuple[str, ...] = ("python", "-m", "answering")) -> str:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, text in layer.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    told = {"Entrypoint": list(entry_point), "Cmd": ["serve"], "Env": ["PYTHONPATH=/opt/own", "GREETING=hello"]}
    config = json.dumps({"config": told}).encode()
    layers = [_descriptor(gzip.compress(written.getvalue()))]
    return json.dumps({"schemaVersion": 2, "config": _descriptor(config), "layers": layers})


@pytest.fixture(scope="module")
def repository(account: Account) -> str:
    account.client("s3").create_bucket(Bucket="archives")
    account.client("s3").put_object(Bucket="archives", Key="model.tar.gz", Body=archive({"code/inference.py": ""}))
    return str(account.client("ecr").create_repository(repositoryName="team/own")["repository"]["repositoryUri"])


def served(account: Account, name: str, image: str, role: str = "Model") -> dict[str, Any]:
    """An endpoint of that name, as it is described once nothing changes any more."""
    container = {"Image": image, "ModelDataUrl": "s3://archives/model.tar.gz", "Environment": ENVIRONMENT}
    arn = f"arn:aws:iam::111122223333:role/{role}"
    account.client("sagemaker").create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=arn, EnableNetworkIsolation=True)
    return create_endpoint(account, name, create_configuration(account, name, variant(name)))


def pushed(account: Account, repository: str, tag: str, made: str) -> str:
    """The image by its digest."""
    image = account.client("ecr").put_image(repositoryName="team/own", imageTag=tag, imageManifest=made)["image"]
    return f"{repository}@{image['imageId']['imageDigest']}"


def log_of(account: Account, endpoint: str) -> str:
    folder: Path = account.settings.state_directory
    return "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.log") if endpoint in file.name)


def test_an_image_s_entry_point_answers_with_its_command_and_variables_and_the_log_says_what_it_is(
    account: Account, repository: str
) -> None:
    described = served(account, "own", pushed(account, repository, "1", manifest(LAYER)))
    assert described["EndpointStatus"] == "InService", described
    assert invoke(account, "own")["Body"] == b"1,2 serve hello"
    assert "no Docker here" in log_of(account, "own")


def test_a_role_that_may_not_pull_it_cannot_serve_it(account: Account, repository: str) -> None:
    reading = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    make_role(account, "reads", reading, {"Effect": "Allow", "Action": PULL[:1], "Resource": "*"})
    described = served(account, "closed", pushed(account, repository, "2", manifest(LAYER)), role="reads")
    assert described["EndpointStatus"] == "Failed" and "ecr:BatchCheckLayerAvailability" in described["FailureReason"]
    make_role(account, "pulls", reading, {"Effect": "Allow", "Action": PULL, "Resource": "*"})
    assert served(account, "open", pushed(account, repository, "2b", manifest(LAYER)), role="pulls")["EndpointStatus"] == "InService"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (manifest({**LAYER, "opt/own/requirements.lock": "numpy==0.0.1\n"}), "has numpy 0.0.1, and this account has"),
        (manifest({**LAYER, "opt/own/requirements.lock": "of-nobody==1.0\n"}), "has of-nobody 1.0, and this account has none"),
        (manifest(LAYER, entry_point=("/bin/server",)), "whose entry point is /bin/server and not python"),
        (json.dumps({"config": {"digest": "sha256:0"}, "layers": []}), "whose layers are not in its manifest"),
    ],
)
def test_what_would_not_be_the_same_program_here_does_not_start(account: Account, repository: str, made: str, said: str) -> None:
    name = f"other-{hashlib.sha256(said.encode()).hexdigest()[:8]}"
    described = served(account, name, pushed(account, repository, name, made))
    assert described["EndpointStatus"] == "Failed" and said in described["FailureReason"]


def test_an_entry_point_that_ends_fails_the_health_check_at_once(account: Account, repository: str) -> None:
    made = manifest({**LAYER, "opt/own/answering.py": "raise SystemExit(3)"})
    described = served(account, "ends", pushed(account, repository, "3", made))
    assert described["EndpointStatus"] == "Failed" and "did not pass the ping health check" in described["FailureReason"]


def test_of_another_registry_nothing_is_said(account: Account) -> None:
    """Least of all that an image is not there: AWS's own are in registries of AWS."""
    with pytest.raises(ClientError, match="does not implement ecr:BatchGetImage of the registry 999999999999"):
        account.client("ecr").batch_get_image(
            registryId="999999999999", repositoryName="sagemaker-xgboost", imageIds=[{"imageTag": "3.2-0"}]
        )
