"""What the account's port refuses, it refuses at once and without keeping what was sent; nothing that anybody sends breaks it."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from local_account import request_body
from local_account.account import Account
from local_account.authorization.credentials import ADMINISTRATOR_KEY
from local_account.codecommit import account_of_password
from local_account.context import Context
from local_account.errors import ServiceError
from local_account.signatures import Request, read_signature, verify_body, verify_head

HUGE = 400 * 1024**2


def signed(
    account: Account, method: str, path: str, service: str = "ssm", body: bytes = b"", secret: str = "", key: str = ""
) -> dict[str, str]:
    """Headers of a request as a client of AWS signs it."""
    request = AWSRequest(method, account.settings.endpoint_url + path, {"content-type": "application/x-amz-json-1.1"}, data=body)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    credentials = Credentials(key or ADMINISTRATOR_KEY, secret or account.settings.secret)
    signer(credentials, service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


def ask(account: Account, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", account.settings.port, timeout=30)
    connection.request(method, path, body=body, headers=dict(headers))
    response = connection.getresponse()
    return response.status, response.read()


def answer_before_the_body(account: Account, headers: Mapping[str, str], path: str = "/", method: str = "PUT") -> bytes:
    """Sends a head that announces a huge body, and nothing of the body. Times out if the account waits for it."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{account.settings.port}", f"Content-Length: {HUGE}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() not in ("content-length", "host")]
    with socket.create_connection(("127.0.0.1", account.settings.port), timeout=20) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


# ------------------------------------------------------------------------------------------------ bodies


def test_a_stranger_is_refused_before_the_body(account: Account) -> None:
    assert answer_before_the_body(account, {}).startswith(b"HTTP/1.1 403")
    assert answer_before_the_body(account, {"Authorization": "Basic YTpi"}, "/v1/repos/x/git-receive-pack", "POST").startswith(
        b"HTTP/1.1 401"
    )
    assert answer_before_the_body(account, {}, "/_local/clock").startswith(b"HTTP/1.1 401")


def test_a_malformed_old_or_unknown_signature_is_refused_before_the_body(account: Account) -> None:
    old = {**signed(account, "PUT", "/"), "X-Amz-Date": "20200101T000000Z"}
    unknown = signed(account, "PUT", "/", key="AKIAIOSFODNN7EXAMPLE")
    for headers in (old, unknown, {"Authorization": "AWS4-HMAC-SHA256 Credential=x"}):
        assert answer_before_the_body(account, headers).startswith(b"HTTP/1.1 403"), headers


def test_a_signature_over_the_hash_of_the_body_is_checked_before_the_body(account: Account) -> None:
    forged = signed(account, "PUT", "/bucket/key", "s3", b"what it says", secret="guess")
    assert b"SignatureDoesNotMatch" in answer_before_the_body(account, forged, "/bucket/key")


def test_what_s3_would_store_is_not_read_unless_its_hash_is_signed(account: Account) -> None:
    """An access key is no secret, and without the hash only the whole body, of gigabytes perhaps, would show a forgery."""
    without = {name: value for name, value in signed(account, "PUT", "/bucket/key", "s3").items() if name.lower() != "x-amz-content-sha256"}
    without["Authorization"] = without["Authorization"].replace("x-amz-content-sha256;", "")
    answer = answer_before_the_body(account, without, "/bucket/key")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Missing required header for this request: x-amz-content-sha256" in answer


def test_a_body_that_is_longer_than_the_service_takes_is_refused_before_it_is_read(account: Account) -> None:
    answer = answer_before_the_body(account, signed(account, "PUT", "/"))
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"16,777,216 bytes" in answer


def test_a_body_that_does_not_say_its_length_is_read_no_further_than_allowed() -> None:
    taken = 0

    async def endless() -> dict[str, Any]:
        nonlocal taken
        taken += 1024
        return {"type": "http.request", "body": b"x" * 1024, "more_body": True}

    with pytest.raises(ServiceError, match="longer than the 10,000 bytes"):
        asyncio.run(request_body.Incoming(endless, {"transfer-encoding": "chunked"}).read(10_000))
    assert taken <= 10_000 + 1024


def test_a_body_is_hashed_as_it_comes() -> None:
    chunks = iter([b"ab", b"c"])

    async def receive() -> dict[str, Any]:
        chunk = next(chunks)
        return {"type": "http.request", "body": chunk, "more_body": chunk != b"c"}

    body = asyncio.run(request_body.Incoming(receive, {}).read(10))
    assert (body.content, body.sha256) == (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def test_a_refused_client_that_still_sends_a_short_body_sees_the_answer_and_keeps_its_connection(account: Account) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", account.settings.port, timeout=30)
    for _ in range(2):
        connection.request("PUT", "/bucket/key", body=b"x" * 300_000)
        response = connection.getresponse()
        assert response.status == 403
        response.read()


def test_a_body_other_than_the_one_that_was_signed_is_refused(account: Account) -> None:
    headers = signed(account, "PUT", "/bucket/key", "s3", b"signed")
    assert b"XAmzContentSHA256Mismatch" in ask(account, "PUT", "/bucket/key", headers, b"forged")[1]


# ----------------------------------------------------------------------------------------- the emulator itself

INTERNAL = [
    ("POST", "/_ministack/reset"),
    ("POST", "/_ministack/reset?init=1"),
    ("POST", "/%5fministack/reset"),
    ("POST", "/%5Fministack%2Freset"),
    ("POST", "/_ministack/config"),
    ("GET", "/_ministack/health"),
    ("GET", "/_ministack/ready"),
    ("GET", "/_ministack/ses/messages"),
    ("GET", "/_ministack/lambda-code/x"),
    ("POST", "/_ministack/eks-auth/x"),
    ("GET", "/_ministack/rds/iam-auth"),
    ("GET", "/_localstack/health"),
    ("POST", "/_localstack/state/reset"),
    ("GET", "/_alb/x/"),
    ("GET", "/health"),
]


@pytest.mark.parametrize("service", ["s3", "ssm", "cloudformation"])
@pytest.mark.parametrize(("method", "path"), INTERNAL)
def test_nobody_reaches_the_emulator_behind_the_services(account: Account, service: str, method: str, path: str) -> None:
    account.client("ssm").put_parameter(Name="/kept", Value="yes", Type="String", Overwrite=True)
    request = AWSRequest(method, account.settings.endpoint_url + path)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(Credentials(ADMINISTRATOR_KEY, account.settings.secret), service, "us-east-1").add_auth(request)

    status, answer = ask(account, method, path, dict(request.headers.items()))

    assert (status, b"not a path of any service" in answer or b"SignatureDoesNotMatch" in answer) == (403, True)
    assert account.client("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == "yes"


def test_the_answer_to_an_old_key_says_that_an_account_begins_anew(account: Account) -> None:
    answer = ask(account, "POST", "/", signed(account, "POST", "/", body=b"{}", secret="of the account before"), b"{}")[1]
    assert "each start is a new account" in json.loads(answer)["message"]


# ------------------------------------------------------------------------------------------- whatever is sent

HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=60)


@settings(max_examples=300)
@given(authorization=st.one_of(HEADER, HEADER.map(lambda text: f"Basic {text}"), HEADER.map(lambda text: f"basic  {text}")))
def test_no_password_is_broken(authorization: str) -> None:
    assert account_of_password({"111122223333": "secret"}, authorization) is None


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "authorization": st.one_of(
            HEADER,
            st.tuples(HEADER, HEADER, HEADER).map(lambda f: f"AWS4-HMAC-SHA256 Credential={f[0]}, SignedHeaders={f[1]}, Signature={f[2]}"),
            st.tuples(HEADER, HEADER).map(
                lambda f: f"AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/{f[0]}/aws4_request,SignedHeaders=host,Signature={f[1]}"
            ),
        ),
        "x-amz-date": st.one_of(HEADER, st.just("20260101T000000Z")),
        "x-amz-content-sha256": HEADER,
        "host": HEADER,
    },
)
QUERIES = st.one_of(
    HEADER.map(lambda text: quote(text, safe="=&%")),
    HEADER.map(lambda text: f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/20260101/b/s3/aws4_request&X-Amz-Expires={text}"
               "&X-Amz-SignedHeaders=host&X-Amz-Signature=x&X-Amz-Date=20260101T000000Z"),
    st.one_of(HEADER, st.integers().map(str)).map(lambda text: f"AWSAccessKeyId=a&Signature=x&Expires={text}"),
)  # fmt: skip


@settings(max_examples=500)
@given(path=HEADER.map(lambda text: f"/{text}"), query=QUERIES, headers=FIELDS)
def test_no_signature_is_broken(path: str, query: str, headers: dict[str, str]) -> None:
    """Either there is none, or it is refused by an error of AWS's."""
    request = Request(method="PUT", path=path, query=query, headers=headers)
    try:
        signature = read_signature(request)
        if signature is not None:
            verify_head(request, signature, "secret")
            verify_body(request, signature, "secret", "0" * 64)
            pytest.fail("a signature out of nothing was right")
    except ServiceError as refused:
        assert 400 <= refused.status < 500


RAW = [
    b"GET /v1/repos/x/info/refs HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAuthorization: Basic \xe9\xff\r\n\r\n",
    b"GET /\xe9\xff HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
    b"GET /%ff%fe HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAuthorization: AWS4-HMAC-SHA256 \xe9=\xe9\r\n\r\n",
    b"GET //[/ HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: \xe9:PORT\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 9999999999999999999999\r\n\r\n",
    b"PUT / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: -1\r\n\r\n",
    b"\xff\xfe\r\n\r\n",
]


@pytest.mark.parametrize("raw", RAW)
def test_no_bytes_on_the_wire_are_a_failure_of_the_account(account: Account, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", account.settings.port), timeout=20) as connection:
        connection.sendall(raw.replace(b"PORT", str(account.settings.port).encode()))
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 4")


def password(account: Account) -> str:
    return "Basic " + base64.b64encode(f"x:{account.settings.secret}".encode()).decode()


GIT = [
    ("GET", "/v1/repos/git-fuzz/info/refs?service=git-upload-pack", {}, 200),
    ("GET", "/v1/repos/git-fuzz/info/refs?service=%ff", {}, 403),
    ("GET", "/v1/repos/git-fuzz/git-upload-pack", {}, 405),
    ("POST", "/v1/repos/git-fuzz/info/refs", {}, 405),
    ("DELETE", "/v1/repos/git-fuzz/git-receive-pack", {}, 405),
    ("POST", "/v1/repos/git-fuzz/git-upload-pack", {}, 415),
    ("POST", "/v1/repos/git-fuzz/git-upload-pack", {"Content-Type": "application/x-git-upload-pack-request"}, 200),
    ("POST", "/v1/repos/git-fuzz/git-receive-pack", {"Content-Type": "application/x-git-receive-pack-request"}, 200),
    (
        "POST",
        "/v1/repos/git-fuzz/git-upload-pack",
        {"Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip"},
        200,  # begun before Git finds that it is not: the error is in the answer
    ),
    ("POST", "/v1/repos/git-fuzz/git-upload-pack", {"Content-Type": "é", "Git-Protocol": "version=9:é"}, 415),
    ("GET", "/v1/repos/git-fuzz/HEAD", {}, 404),
    ("GET", "/v1/repos/git-fuzz/objects/../../other.git/config", {}, 404),
    ("GET", "/v1/repos/../account.json", {}, 404),
    ("GET", "/v1/repos/./info/refs", {}, 404),
    ("GET", "/v1/repos/-c/info/refs", {}, 404),
    ("GET", "/v1/repos/%2e%2e/info/refs", {}, 404),
    ("GET", "/v1/repos/", {}, 404),
    ("GET", "/v1/repos/git-fuzz//info/refs", {}, 404),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), GIT)
def test_git_refuses_what_no_git_asks(account: Account, method: str, path: str, headers: dict[str, str], status: int) -> None:
    if "git-fuzz" not in [each["repositoryName"] for each in account.client("codecommit").list_repositories()["repositories"]]:
        account.client("codecommit").create_repository(repositoryName="git-fuzz")
    answered, _ = ask(account, method, path, {"Authorization": password(account), **headers}, b"0000garbage" if method == "POST" else b"")
    assert answered == status


# ------------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize("name", [".", "..", "-c", "-", "x.git", "a/b", "größe", "x" * 101])
def test_a_repository_that_nothing_could_address_is_refused(account: Account, name: str) -> None:
    import botocore.exceptions

    session = account.client("codecommit")
    with pytest.raises((botocore.exceptions.ClientError, botocore.exceptions.ParamValidationError)) as refused:
        session.create_repository(repositoryName=name)
    if isinstance(refused.value, botocore.exceptions.ClientError):
        assert refused.value.response["Error"]["Code"] == "InvalidRepositoryNameException"
    assert not [found for found in session.list_repositories()["repositories"] if found["repositoryName"] == name]


@pytest.mark.parametrize("name", ["a.b", "_x", "X-1", "9"])
def test_every_other_name_that_aws_allows_is_a_repository(account: Account, name: str) -> None:
    account.client("codecommit").create_repository(repositoryName=name)
    answer, _ = ask(account, "GET", f"/v1/repos/{name}/info/refs?service=git-upload-pack", {"Authorization": password(account)})
    assert answer == 200


@pytest.mark.parametrize("name", ["../x", "-x", "..", "a b", "x" * 151])
def test_a_build_project_has_a_name_that_codebuild_allows(account: Account, name: str) -> None:
    import botocore.exceptions

    with pytest.raises(botocore.exceptions.ClientError, match="at 'name' failed to satisfy constraint"):
        account.client("codebuild").create_project(
            name=name,
            source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole="arn:aws:iam::111122223333:role/x",
        )


@pytest.mark.parametrize("name", ["", ".", "..", "-c", "a/b", "../x", "a\0b", "x" * 300, "/etc"])
def test_no_name_leads_out_of_its_folder_or_is_taken_for_an_option(account: Account, name: str) -> None:
    context: Context = account.context
    with pytest.raises(ServiceError, match="cannot be used"):
        context.directory("jobs", name)
    assert context.directory("jobs", "a.b-c_1").parent == context.settings.state_directory / "jobs"
