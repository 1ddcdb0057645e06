"""Whatever a person's environment says, the printed exports and the account's own processes reach this account and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_account import client_environment
from local_account.account import Account
from local_account.authorization.credentials import Credentials
from local_account.context import AccountSettings

from .cdk_command import CDK
from .hostile_environment import hostile_environment

SETTINGS = AccountSettings(state_directory=Path('/srv/a "b" $HOME'), port=4566)
ADMINISTRATOR = Credentials("AKIAEXAMPLE", "secret")


def exported(shell: str, environment: dict[str, str], lines: list[str]) -> dict[str, str]:
    """What a program sees that a terminal starts once these lines were pasted into it."""
    script = "\n".join([*lines, f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"])
    options = {"zsh": ["-f"], "fish": ["--no-config"], "bash": ["--norc"]}.get(shell, [])
    finished = subprocess.run([shell, *options, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    seen: dict[str, str] = json.loads(finished.stdout)
    return seen


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh", "fish"])
def test_the_exports_leave_nothing_that_leads_elsewhere(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    hostile = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **hostile_environment(tmp_path)}
    lines = client_environment.shell_lines(SETTINGS, ADMINISTRATOR, hostile)
    if shell == "fish":
        lines[0] = client_environment.UNSET_IN_FISH

    seen = exported(shell, hostile, lines)

    ours = client_environment.client_environment(SETTINGS, ADMINISTRATOR, {})
    leading = {name: value for name, value in seen.items() if name.startswith(("AWS_", "CDK_"))}
    assert leading == {name: value for name, value in ours.items() if name.startswith(("AWS_", "CDK_"))}
    assert seen["NO_PROXY"].split(",") == ["127.0.0.1", "localhost", "intranet.example.com"]
    assert seen["no_proxy"].split(",")[:2] == ["127.0.0.1", "localhost"]
    assert seen["HTTPS_PROXY"] == hostile["HTTPS_PROXY"]  # for every other host it stays as it was


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh", "fish"])
def test_the_exports_work_in_a_terminal_that_has_nothing_to_unset(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    plain = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    lines = client_environment.shell_lines(SETTINGS, ADMINISTRATOR, plain)
    if shell == "fish":
        lines[0] = client_environment.UNSET_IN_FISH

    assert exported(shell, plain, lines)["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    ("exceptions", "extended"),
    [
        ("", "127.0.0.1,localhost"),
        ("a.example.com, b.example.com", "127.0.0.1,localhost,a.example.com,b.example.com"),
        ("127.0.0.1,localhost,a.example.com", "127.0.0.1,localhost,a.example.com"),
        ("*", "*"),
    ],
)
def test_this_machine_joins_the_hosts_that_need_no_proxy(exceptions: str, extended: str) -> None:
    assert client_environment.without_proxy_here(exceptions) == extended


def test_npms_own_list_of_hosts_is_extended_where_there_is_one() -> None:
    assert (
        client_environment.client_environment(SETTINGS, ADMINISTRATOR, {"npm_config_no_proxy": "x"})["npm_config_no_proxy"]
        == "127.0.0.1,localhost,x"
    )
    assert "npm_config_no_proxy" not in client_environment.client_environment(SETTINGS, ADMINISTRATOR, {})


HANDS_ON = r"""
set -e
aws s3 mb s3://hands-on >/dev/null
aws sts get-caller-identity --query Account --output text
aws codepipeline list-pipelines --query 'length(pipelines)'
aws sagemaker list-endpoints --query 'length(Endpoints)'
aws codecommit create-repository --repository-name hands-on --query repositoryMetadata.repositoryName --output text
python -c '
import boto3
print([bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]])
print(boto3.client("ssm").get_parameters(Names=["/x"])["InvalidParameters"])
'
git ls-remote "$REPOSITORY" && echo listed
cdk bootstrap aws://111122223333/us-east-1 2>&1 | tail -1
"""


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """The address of a proxy that forwards nothing, and the first line of each request that it got."""
    asked: list[str] = []

    class Remember(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline().decode("latin-1").strip())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Remember) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def test_stock_tools_reach_the_account_from_a_hostile_terminal_and_ask_no_other_host(
    account: Account, tmp_path: Path, proxy: tuple[str, list[str]]
) -> None:
    settings = account.settings
    path = os.pathsep.join([str(Path(CDK or "").parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    repository = f"{settings.endpoint_url}/v1/repos/hands-on"
    hostile = {"PATH": path, "HOME": str(tmp_path), "REPOSITORY": repository, **hostile_environment(tmp_path, proxy[0])}
    (tmp_path / ".gitconfig").write_text(f"[http]\n\tproxy = {hostile['http_proxy']}\n")
    lines = client_environment.shell_lines(settings, account.context.keyring.administrator, hostile)

    finished = subprocess.run(
        ["bash", "--norc", "-c", "\n".join([*lines, HANDS_ON])],
        env=hostile,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    *answers, bootstrapped = finished.stdout.splitlines()
    assert finished.returncode == 0, finished.stderr
    assert answers == ["111122223333", "0", "0", "hands-on", "['hands-on']", "['/x']", "listed"]
    assert "bootstrapped" in bootstrapped, finished.stdout + finished.stderr
    assert proxy[1] == []


def test_git_finds_the_secret_without_an_argument_and_keeps_what_the_person_has_set(tmp_path: Path) -> None:
    theirs = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "Me",
    }
    lines = client_environment.shell_lines(SETTINGS, ADMINISTRATOR, theirs)
    script = "\n".join([*lines, "git config user.name", "printf 'url=http://127.0.0.1:4566/v1/repos/x\\n' | git credential fill"])

    finished = subprocess.run(["bash", "--norc", "-c", script], env=theirs, capture_output=True, text=True, check=True)

    name, *filled = finished.stdout.splitlines()
    assert name == "Me"
    assert f"password={ADMINISTRATOR.secret}" in filled
    assert ADMINISTRATOR.secret not in client_environment.git_environment("http://127.0.0.1:4566", {}).values()


def test_a_process_of_the_account_has_of_the_caller_s_environment_only_what_a_build_needs(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_TOKEN", "DATABASE_URL", "SSH_AUTH_SOCK", "PYTHONPATH", "PYTEST_ADDOPTS", "MINISTACK_HOST", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "theirs")
    for name in ("https_proxy", "PIP_INDEX_URL", "SSL_CERT_FILE", "TZ"):
        monkeypatch.setenv(name, "needed")

    seen = account.context.process_environment(None)

    assert "theirs" not in seen.values()
    assert {name for name, value in seen.items() if value == "needed"} == {"https_proxy", "PIP_INDEX_URL", "SSL_CERT_FILE", "TZ"}


def test_a_process_of_the_account_is_led_nowhere_else_and_writes_utf8(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in hostile_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    script = "import boto3, sys; print('é → ✓', len(boto3.client('s3').list_buckets()['Buckets']) >= 0, sys.stdout.encoding)"
    log = tmp_path / "log"

    code = account.context.processes.run(
        [sys.executable, "-c", script],
        environment=account.context.process_environment(account.context.keyring.administrator),
        working_directory=tmp_path,
        log_file=log,
    )

    assert (code, log.read_text(encoding="utf-8")) == (0, "é → ✓ True utf-8\n")
