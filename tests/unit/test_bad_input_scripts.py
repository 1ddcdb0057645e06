"""A script that cannot begin says in one line what is missing and where to get it, with exit code 2."""

from __future__ import annotations

import importlib
import socket
from pathlib import Path

import boto3
import pytest

from build_scripts import command_line
from tests.example_models import ABALONE, PROJECT, STAGING
from tests.unit.script_account import set_values

pytestmark = pytest.mark.thorough  # programs are started

ROOT = Path(__file__).resolve().parents[2]
#: Every script that talks to an account, with arguments that are good.
SCRIPTS = {
    "build_scripts.export": [],
    "build_scripts.follow": [],
    "build_scripts.publish": [],
    "build_scripts.run_pipeline": [],
    "deploy_scripts.approve": [],
    "deploy_scripts.example_request": [],
    "deploy_scripts.load_test": [],
    "deploy_scripts.recommend": [],
    "deploy_scripts.render": ["--package", "arn:aws:sagemaker:us-east-1:111122223333:model-package/shop--abalone/1"],
    "deploy_scripts.retire": ["--model", "gone"],
    "deploy_scripts.roll_back": ["--reason", "broken"],
    "deploy_scripts.status": [],
    "deploy_scripts.tear_down": [],
    "deploy_scripts.verify": [
        "--stage",
        STAGING.name,
        "--package",
        "arn:aws:sagemaker:us-east-1:111122223333:model-package/shop--abalone/1",
    ],
}
each_script = pytest.mark.parametrize("name", SCRIPTS)


@pytest.fixture(autouse=True)
def bare_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No region, no credentials, no profile, as on a machine that has never met AWS."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("ARTIFACT_BUCKET", "DATA_BUCKET", "KMS_KEY_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODEL", ABALONE.name)
    set_values(monkeypatch)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # which may have found credentials in a test before


def complaint(name: str, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    main = importlib.import_module(name).main
    assert command_line.run(main, [*SCRIPTS.get(name, []), *more]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@each_script
def test_without_a_region_it_says_how_to_set_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert complaint(name, capsys) == "error: no region is set; export AWS_REGION, or choose a profile with one"


@each_script
def test_without_credentials_it_says_what_to_check(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert complaint(name, capsys) == "error: Unable to locate credentials. Check AWS_PROFILE or the exports of `make local`."


def test_a_local_account_that_has_stopped_is_said_at_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        for variable, value in {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1"}.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111122223333")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "gone")
        line = complaint("deploy_scripts.status", capsys)
    assert line.startswith(f'error: Could not connect to the endpoint URL: "{url}/')
    assert line.endswith("Check AWS_PROFILE or the exports of `make local`.")


def test_without_an_assembly_it_says_how_to_make_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_REGION", "ARTIFACT_BUCKET", "KMS_KEY_ARN"):
        monkeypatch.setenv(name, "us-east-1")
    line = complaint("build_scripts.kept_templates", capsys, "--commit", "abc")
    stack = ABALONE.names(PROJECT).at(STAGING.name).stack
    assert line == f"error: cdk.out has no stack {stack}; synthesize it first with `python -m infra.serving`"


@each_script
def test_an_unknown_option_points_to_the_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main = importlib.import_module(name).main
    with pytest.raises(SystemExit) as ended:
        command_line.run(main, [*SCRIPTS[name], "--nope"])
    assert ended.value.code == 2
    assert "unrecognized arguments: --nope" in capsys.readouterr().err.splitlines()[-1]


#: Whatever a person can start, by its module.
PROGRAMS = [
    *(
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for folder in ("build_scripts", "deploy_scripts")
        for file in sorted((ROOT / folder).rglob("*.py"))
        if "def main(" in file.read_text(encoding="utf-8")
    ),
    "settings_schema.__main__",
]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_help_says_what_the_script_is_for_and_needs_nothing(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither an account nor what was synthesized, trained or deployed."""
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    with pytest.raises(SystemExit) as ended:
        command_line.run(module.main, ["--help"])
    assert ended.value.code == 0
    first = (module.__doc__ or "").split("\n", 1)[0]
    assert " ".join(first.split()[:6]) in " ".join(capsys.readouterr().out.split())
    assert list(tmp_path.iterdir()) == []


def test_an_option_is_named_as_a_person_types_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "_program", lambda: "python -m deploy_scripts.status")
    with pytest.raises(SystemExit):
        command_line.run(importlib.import_module("deploy_scripts.status").main, ["--nope"])
    expected = "error: unrecognized arguments: --nope; `python -m deploy_scripts.status --help` lists what is allowed\n"
    assert capsys.readouterr().err == expected


def test_an_account_without_the_stacks_says_how_to_deploy_them(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from build_scripts.project_environment import ProjectEnvironment
    from tests.unit.script_account import refusal

    class NoStacks:
        def describe_stacks(self, StackName: str) -> None:  # noqa: N803 - boto3 spells it so
            raise refusal("ValidationError", f"Stack with id {StackName} does not exist", "DescribeStacks")

    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setattr(ProjectEnvironment, "client", lambda *_: NoStacks())
    line = complaint("build_scripts.publish", capsys)
    assert line.startswith(f"error: stack {PROJECT.names.foundation_stack} does not exist in us-east-1; deploy it (`npx cdk deploy --all`)")
