"""The account's one port: it serves its own clients, and nobody else."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.client import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local_account.account import Account, CannotStartError
from local_account.authorization.credentials import ADMINISTRATOR_KEY
from local_account.context import AccountSettings

from .roles import make_role, trust

PROJECT = Path(__file__).parents[1]


def ask(
    account: Account, method: str = "GET", path: str = "/", headers: Mapping[str, str] | None = None, body: bytes = b""
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", account.settings.port, timeout=30)
    connection.request(method, path, body=body, headers=dict(headers or {}))
    response = connection.getresponse()
    return response.status, response.read()


def signed_headers(account: Account, body: bytes, secret: str = "") -> dict[str, str]:
    request = AWSRequest(
        "POST",
        account.settings.endpoint_url + "/",
        {"x-amz-target": "AmazonSSM.GetParameters", "content-type": "application/x-amz-json-1.1"},
        data=body,
    )
    SigV4Auth(Credentials(ADMINISTRATOR_KEY, secret or account.settings.secret), "ssm", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def client_with(account: Account, service: str, key: str, secret: str, token: str | None = None) -> Any:
    session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token, region_name="us-east-1")
    return session.client(service, endpoint_url=account.settings.endpoint_url, config=Config(retries={"max_attempts": 1}))


# --------------------------------------------------------------------------------------------- who is asking


@pytest.mark.parametrize(
    "path", ["/", "/bucket/key", "/_ministack/health", "/_ministack/reset", "/_ministack/config", "/2015-03-31/functions"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unsigned_requests_are_refused(account: Account, method: str, path: str) -> None:
    status, body = ask(account, method, path)

    assert status == 403
    assert b"MissingAuthenticationToken" in body


def test_a_request_signed_with_another_secret_is_refused(account: Account) -> None:
    for service, operation in (("s3", "list_buckets"), ("sagemaker", "list_endpoints"), ("cloudwatch", "list_metrics")):
        with pytest.raises(ClientError) as error:
            getattr(client_with(account, service, account.settings.account_id, "not-the-secret"), operation)()
        assert error.value.response["Error"]["Code"] in ("SignatureDoesNotMatch", "403"), service


def test_a_key_that_nobody_issued_is_refused(account: Account) -> None:
    for key in ("AKIAIOSFODNN7EXAMPLE", "test", "999988887777"):
        with pytest.raises(ClientError) as error:
            client_with(account, "sts", key, "test").get_caller_identity()
        assert error.value.response["Error"]["Code"] == "UnrecognizedClientException", key


def test_a_body_that_was_changed_after_signing_is_refused(account: Account) -> None:
    body = b'{"Names": ["a"]}'
    assert ask(account, "POST", "/", signed_headers(account, body), body)[0] == 200

    status, answer = ask(account, "POST", "/", signed_headers(account, body), body.replace(b"a", b"b"))

    assert (status, b"SignatureDoesNotMatch" in answer) == (403, True)


def test_an_old_signature_is_refused(account: Account) -> None:
    headers = signed_headers(account, b"{}")
    headers["X-Amz-Date"] = "20200101T000000Z"

    status, answer = ask(account, "POST", "/", headers, b"{}")

    assert (status, b"RequestExpired" in answer) == (403, True)


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example.com", "127.0.0.1", "localhost:1"])
def test_a_name_that_was_rebound_to_this_machine_is_refused(account: Account, host: str) -> None:
    status, body = ask(account, "POST", "/", {**signed_headers(account, b"{}"), "Host": host}, b"{}")

    assert (status, b"is not this local account" in body) == (403, True)


def test_browsers_are_refused(account: Account) -> None:
    status, body = ask(account, "POST", "/", {**signed_headers(account, b"{}"), "Origin": "null"}, b"{}")

    assert (status, b"does not answer browsers" in body) == (403, True)


def test_it_listens_on_the_loopback_address_only(account: Account) -> None:
    listening = {
        connection.laddr.ip
        for connection in psutil.Process().net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == account.settings.port
    }

    assert listening == {"127.0.0.1"}


def test_an_assumed_role_is_served_with_its_own_key(account: Account) -> None:
    trusted = trust() | {"Statement": {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}}
    arn = make_role(account, "reader", trusted=trusted)
    role = account.client("sts").assume_role(RoleArn=arn, RoleSessionName="me")["Credentials"]

    for service, operation in (("s3", "list_buckets"), ("sagemaker", "list_endpoints")):
        client = client_with(account, service, role["AccessKeyId"], role["SecretAccessKey"], role["SessionToken"])
        assert getattr(client, operation)()["ResponseMetadata"]["HTTPStatusCode"] == 200
        forged = client_with(account, service, role["AccessKeyId"], "guess", role["SessionToken"])
        with pytest.raises(ClientError):
            getattr(forged, operation)()


def fetch(url: str) -> bytes:
    return bytes(urllib.request.urlopen(url, timeout=10).read())  # noqa: S310  # the account's own http address


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_gives_one_object_for_a_while(account: Account, version: str) -> None:
    settings = account.settings
    session = boto3.Session(aws_access_key_id=ADMINISTRATOR_KEY, aws_secret_access_key=settings.secret, region_name=settings.region)
    s3 = session.client("s3", endpoint_url=settings.endpoint_url, config=Config(signature_version=version))
    account.client("s3").create_bucket(Bucket=f"shared-{version}")
    account.client("s3").put_object(Bucket=f"shared-{version}", Key="a b/ü+c.txt", Body=b"secret text")

    url = s3.generate_presigned_url("get_object", Params={"Bucket": f"shared-{version}", "Key": "a b/ü+c.txt"}, ExpiresIn=60)

    assert fetch(url) == b"secret text"
    expired = s3.generate_presigned_url("get_object", Params={"Bucket": f"shared-{version}", "Key": "a b/ü+c.txt"}, ExpiresIn=-1)
    for refused in (url.replace("a%20b", "other"), expired):
        with pytest.raises(urllib.error.HTTPError) as error:
            fetch(refused)
        assert error.value.code in (400, 403)


# -------------------------------------------------------------------------------------- what is not there


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "named"),
    [
        ("sagemaker", "list_hubs", {}, "sagemaker:ListHubs"),
        ("codecommit", "list_pull_requests", {"repositoryName": "x"}, "codecommit:ListPullRequests"),
        ("ssm", "list_associations", {}, "ssm:ListAssociations"),
        ("iam", "list_roles", {}, None),
        ("iam", "generate_credential_report", {}, "iam:GenerateCredentialReport"),
        ("cloudwatch", "describe_insight_rules", {}, "cloudwatch:DescribeInsightRules"),
        ("redshift", "describe_clusters", {}, "redshift:DescribeClusters"),
        ("rekognition", "list_collections", {}, "rekognition:ListCollections"),
        ("codeartifact", "list_domains", {}, "codeartifact:POST /v1/domains"),
    ],
)
def test_an_operation_that_is_missing_says_so_by_name(
    account: Account, service: str, operation: str, parameters: Any, named: str | None
) -> None:
    client = account.client(service)
    if named is None:  # a neighbour that exists: the account does not refuse everything
        assert getattr(client, operation)(**parameters)
        return

    with pytest.raises(ClientError) as error:
        getattr(client, operation)(**parameters)

    assert error.value.response["Error"] == {"Code": "NotImplemented", "Message": f"The local account does not implement {named}."} | {
        key: value for key, value in error.value.response["Error"].items() if key == "Type"
    }
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


# -------------------------------------------------------------------------------------- start and end


def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        finished = subprocess.run(
            [sys.executable, "-m", "local_account", "--port", str(port), "--state", str(tmp_path / "state")],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert f"Port {port} of 127.0.0.1 cannot be used" in finished.stderr
    assert not (tmp_path / "state").exists()


def test_files_that_are_not_an_accounts_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    finished = subprocess.run(
        [sys.executable, "-m", "local_account", "--port", "0", "--state", str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (finished.returncode, finished.stderr.count("\n")) == (2, 1)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--speed", "0"], ["--speed", "fast"]])
def test_a_wrong_option_exits_2_and_says_what_is_allowed(arguments: list[str]) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "local_account", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )

    assert finished.returncode == 2
    assert "allowed:" in finished.stderr


def test_a_second_account_in_the_same_process_is_refused(account: Account, tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match="already running"):
        Account(AccountSettings(state_directory=tmp_path, port=0)).start()


@contextmanager
def separate_account(state: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`python -m local_account` in a process of its own, and its description."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local_account", "--port", "0", "--state", str(state)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert "answers on http://127.0.0.1:" in process.stdout.readline()
        yield process, json.loads((state / "account.json").read_text())
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def zip_of(source: str) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    return buffer.getvalue()


BUSY_FUNCTION = """
import os, time
def handler(event, context):
    if event.get('stay'):
        time.sleep(600)
    return {'process': os.getpid()}
"""


def test_a_restart_says_what_is_gone(tmp_path: Path) -> None:
    """Not to be found out by SignatureDoesNotMatch: what the earlier account had, and its exports."""
    said = []
    for _ in range(2):
        command = [sys.executable, "-m", "local_account", "--port", "0", "--state", str(tmp_path / "state")]
        process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        while not (tmp_path / "state" / "account.json").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        said.append(process.communicate(timeout=60)[0])

    assert "It is a new account" not in said[0]
    assert "It is a new account" in said[1]
    assert "its exports no longer work" in " ".join(said[1].split())


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_it_however_it_ends(tmp_path: Path, ending: signal.Signals) -> None:
    with separate_account(tmp_path / "state") as (process, description):
        session = boto3.Session(
            aws_access_key_id=description["environment"]["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=description["environment"]["AWS_SECRET_ACCESS_KEY"],
            region_name=description["region"],
        )
        functions, iam = (session.client(service, endpoint_url=description["endpoint_url"]) for service in ("lambda", "iam"))
        iam.create_role(RoleName="x", AssumeRolePolicyDocument=json.dumps(trust()))
        functions.create_function(
            FunctionName="busy",
            Runtime="python3.12",
            Handler="index.handler",
            Role="arn:aws:iam::111122223333:role/x",
            Timeout=900,
            Code={"ZipFile": zip_of(BUSY_FUNCTION)},
        )
        worker = json.loads(functions.invoke(FunctionName="busy", Payload=b"{}")["Payload"].read())["process"]
        functions.invoke(FunctionName="busy", InvocationType="Event", Payload=b'{"stay": true}')
        children = psutil.Process(process.pid).children(recursive=True)
        assert worker in [child.pid for child in children]

        process.send_signal(ending)
        process.wait(30)

        _, alive = psutil.wait_procs(children, timeout=10)
        assert alive == []
        if ending is not signal.SIGKILL:
            assert process.returncode == 0
            assert not (tmp_path / "state" / "account.json").exists()


def test_its_secret_is_readable_by_its_owner_only(account: Account) -> None:
    description = account.settings.state_directory / "account.json"

    assert description.stat().st_mode & 0o077 == 0
    assert json.loads(description.read_text())["environment"]["AWS_SECRET_ACCESS_KEY"] == account.settings.secret


def test_the_callers_environment_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, because the fixture's account is running in this one."""
    script = (
        "import os, sys\nfrom pathlib import Path\nos.environ['AWS_PROFILE'] = 'work'\nbefore = dict(os.environ)\n"
        "from local_account.account import Account\nfrom local_account.context import AccountSettings\n"
        "for _ in range(2):\n"
        "    with Account(AccountSettings(state_directory=Path(sys.argv[1]), port=0)) as account:\n"
        "        assert 'AWS_PROFILE' not in os.environ\n"
        "        assert account.client('s3').list_buckets()['Buckets'] == []\n"
        "        account.client('s3').create_bucket(Bucket='only-here')\n"
        "        assert account.client('sagemaker').list_models()['Models'] == []\n"
        "        account.client('sagemaker').create_model(ModelName='m', PrimaryContainer={'Image': 'x'})\n"
        "assert dict(os.environ) == before, set(os.environ) ^ set(before)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "state")],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
