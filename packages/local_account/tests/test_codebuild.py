"""Claims about builds: phases, variables, artifacts, and what a failed build tells."""

from __future__ import annotations

import io
import re
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from local_account.authorization.credentials import Credentials, Keyring
from local_account.codebuild.build import Build
from local_account.codebuild.buildspec import BuildspecError, parse
from local_account.codebuild.files import ArtifactError, pack, select, unpack
from local_account.codebuild.runtimes import select as select_runtimes
from local_account.codebuild.service import with_overrides
from local_account.context import AccountSettings, Context


class FakeS3:
    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.metadata: dict[tuple[str, str], dict[str, str]] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, Metadata: dict[str, str]) -> None:  # noqa: N803 - boto3 spells them so
        self.objects[Bucket, Key] = Body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.objects[Bucket, Key]), "Metadata": self.metadata.get((Bucket, Key), {})}


class FakeLogs:
    class exceptions:  # noqa: N801 - as on a boto3 client
        ResourceAlreadyExistsException = KeyError

    def __init__(self) -> None:
        self.messages: list[str] = []

    def create_log_group(self, **_: str) -> None: ...

    def create_log_stream(self, **_: str) -> None: ...

    def put_log_events(self, *, logEvents: list[dict[str, Any]], **_: str) -> None:  # noqa: N803
        self.messages += [event["message"] for event in logEvents]


class FakeParameters:
    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:  # noqa: N803
        if Name != "/team/colour":
            raise ClientError({"Error": {"Code": "ParameterNotFound", "Message": "no such parameter"}}, "GetParameter")
        return {"Parameter": {"Value": "teal"}}


class AnyRole(Keyring):
    """CodeBuild may assume every role."""

    CREDENTIALS = Credentials("ASIAEXAMPLE", "secret", "token")

    def assume(self, role_arn: str, service: str, session_name: str, source_arn: str = "") -> Credentials:
        assert (role_arn, service) == ("arn:aws:iam::111122223333:role/tests", "codebuild.amazonaws.com")
        return self.CREDENTIALS


class Account(Context):
    """A context whose clients are fakes, of whichever role: builds need no emulator."""

    def __init__(self, directory: Path, *, debug: bool = False) -> None:
        super().__init__(AccountSettings(state_directory=directory, port=1, debug=debug))
        self.fakes: dict[str, Any] = {"s3": FakeS3(), "logs": FakeLogs(), "ssm": FakeParameters()}

        self.keyring = AnyRole(self.settings.account_id, self.settings.region, self.settings.secret)

    def client_with(self, credentials: Credentials, service: str, answers_within_seconds: int | None = None, **place: Any) -> Any:
        assert credentials == AnyRole.CREDENTIALS
        return self.fakes[service]

    def build(self, buildspec: str, files: dict[str, str] | None = None, **project: Any) -> tuple[Build, dict[str, Any]]:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as bundle:
            for name, text in (files or {"readme": ""}).items():
                bundle.writestr(name, text)
        self.fakes["s3"].objects["artifacts", "source.zip"] = buffer.getvalue()
        described = {
            "name": "tests",
            "serviceRole": "tests",
            "source": {"type": "S3", "location": "artifacts/source.zip", "buildspec": buildspec},
            "artifacts": {"type": "S3", "location": "artifacts", "path": "out", "name": "result.zip", "packaging": "ZIP"},
            **project,
        }
        record = {
            "id": "tests:1", "arn": "arn:aws:codebuild:us-east-1:111122223333:build/tests:1", "buildNumber": 1, "phases": [],
            "initiator": "someone", "logs": {"groupName": "/builds", "streamName": "1"},
        }  # fmt: skip
        return Build(self, described, record), record

    def run(self, buildspec: str, files: dict[str, str] | None = None, **project: Any) -> dict[str, Any]:
        build, record = self.build(buildspec, files, **project)
        build.run()
        return record

    @property
    def log(self) -> str:
        return self.log_path("build", "tests:1").read_text()

    def artifact(self) -> dict[str, str]:
        with zipfile.ZipFile(io.BytesIO(self.fakes["s3"].objects["artifacts", "out/result.zip"])) as bundle:
            return {name: bundle.read(name).decode() for name in bundle.namelist()}


@pytest.fixture
def account(tmp_path: Path) -> Any:
    running = Account(tmp_path)
    yield running
    running.close()


def phase(record: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in record["phases"] if entry["phaseType"] == name)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def spec(text: str) -> str:
    return "version: 0.2\n" + text


def test_build_runs_commands_and_stores_artifacts(account: Account) -> None:
    record = account.run(
        spec("phases: {build: {commands: [mkdir out, cp input.txt out/copy.txt]}}\nartifacts: {base-directory: out, files: ['**/*']}"),
        {"input.txt": "rows"},
    )
    assert record["buildStatus"] == "SUCCEEDED"
    assert account.artifact() == {"copy.txt": "rows"}


def test_buildspec_is_read_from_the_source(account: Account) -> None:
    record = account.run("ci/steps.yml", {"ci/steps.yml": spec("phases: {build: {commands: [echo from-the-source]}}")})
    assert record["buildStatus"] == "SUCCEEDED"
    assert "from-the-source" in account.log


def test_failed_build_still_runs_post_build_and_uploads(account: Account) -> None:
    record = account.run(
        spec(
            "phases:\n  build: {commands: ['exit 3', 'echo never']}\n"
            "  post_build: {commands: ['echo succeeding=$CODEBUILD_BUILD_SUCCEEDING > report.txt']}\n"
            "artifacts: {files: [report.txt]}"
        )
    )
    assert record["buildStatus"] == "FAILED"
    assert account.artifact() == {"report.txt": "succeeding=0\n"}


def test_failed_pre_build_ends_the_build(account: Account) -> None:
    record = account.run(spec("phases: {pre_build: {commands: ['false']}, build: {commands: [echo]}, post_build: {commands: [echo]}}"))
    assert [entry["phaseType"] for entry in record["phases"]][-4:] == ["INSTALL", "PRE_BUILD", "FINALIZING", "COMPLETED"]


def test_failure_names_command_exit_status_and_log_file(account: Account) -> None:
    record = account.run(spec("phases: {build: {commands: [echo fine, 'sh -c \"exit 7\"']}}"))
    context = phase(record, "BUILD")["contexts"][0]
    assert context["statusCode"] == "COMMAND_EXECUTION_ERROR"
    assert 'sh -c "exit 7". Reason: exit status 7' in context["message"]
    assert str(account.log_path("build", "tests:1")) in context["message"]


def test_finally_runs_after_a_failed_command_and_the_failure_stays(account: Account) -> None:
    record = account.run(spec("phases: {build: {commands: ['exit 1'], finally: [echo cleaned-up]}}"))
    assert record["buildStatus"] == "FAILED"
    assert "\ncleaned-up\n" in account.log


def test_on_failure_continue_carries_on_and_abort_does_not(account: Account) -> None:
    carried_on = account.run(spec("phases: {install: {on-failure: CONTINUE, commands: ['false']}, build: {commands: [echo reached]}}"))
    assert carried_on["buildStatus"] == "SUCCEEDED"
    assert "\nreached\n" in account.log
    aborted = account.run(spec("phases: {build: {on-failure: ABORT, commands: ['false']}, post_build: {commands: [echo reached-post]}}"))
    assert aborted["buildStatus"] == "FAILED"
    assert "\nreached-post\n" not in account.log


def test_only_the_last_line_of_a_multi_line_command_decides(account: Account) -> None:
    record = account.run(spec("phases:\n  build:\n    commands:\n      - |\n        false\n        echo second-line\n"))
    assert record["buildStatus"] == "SUCCEEDED"
    assert "\nsecond-line\n" in account.log


def test_exports_and_directory_carry_over_between_phases(account: Account) -> None:
    record = account.run(
        spec(
            "env: {exported-variables: [VERSION, UNSET]}\n"
            "phases: {pre_build: {commands: [mkdir deep, cd deep, export VERSION=v7]}, build: {commands: ['basename $PWD']}}"
        )
    )
    assert record["exportedEnvironmentVariables"] == [{"name": "VERSION", "value": "v7"}]
    assert "\ndeep\n" in account.log


def test_start_wins_over_project_and_project_over_buildspec(account: Account) -> None:
    project = {"environment": {"environmentVariables": [{"name": "A", "value": "project"}, {"name": "B", "value": "project"}]}}
    started = with_overrides({**project, "source": {}}, {"environmentVariablesOverride": [{"name": "A", "value": "start"}]})
    account.run(
        spec("env: {variables: {A: buildspec, B: buildspec, C: buildspec}}\nphases: {build: {commands: ['echo $A $B $C']}}"),
        environment=started["environment"],
    )
    assert "\nstart project buildspec\n" in account.log


def test_parameter_store_variables_are_read_and_a_missing_one_fails_clearly(account: Account) -> None:
    account.run(spec("env: {parameter-store: {COLOUR: /team/colour}}\nphases: {build: {commands: [echo $COLOUR]}}"))
    assert "\nteal\n" in account.log
    record = account.run(spec("env: {parameter-store: {COLOUR: /team/none}}\nphases: {build: {commands: [echo]}}"))
    assert "'/team/none'" in phase(record, "DOWNLOAD_SOURCE")["contexts"][0]["message"]


def test_commit_of_the_artifact_reaches_the_build(account: Account) -> None:
    account.fakes["s3"].metadata["artifacts", "source.zip"] = {"codepipeline-revision": "abc123", "codepipeline-name": "mlops-build"}
    account.run(spec("phases: {build: {commands: ['echo $CODEBUILD_RESOLVED_SOURCE_VERSION $CODEBUILD_INITIATOR']}}"))
    assert "\nabc123 codepipeline/mlops-build\n" in account.log


def test_timeout_ends_the_build(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_account.codebuild.build.int", lambda minutes: minutes, raising=False)
    record = account.run(spec("phases: {build: {commands: [sleep 60]}, post_build: {commands: [echo]}}"), timeoutInMinutes=0.01)
    assert record["buildStatus"] == "TIMED_OUT"
    assert phase(record, "BUILD")["phaseStatus"] == "TIMED_OUT"


def test_stopped_build_ends_with_its_processes(account: Account) -> None:
    build, record = account.build(spec("phases: {build: {commands: ['sleep 61 & echo sleeper=$!; wait']}}"))
    runner = threading.Thread(target=build.run)
    runner.start()
    deadline = time.monotonic() + 20
    while not (sleeper := re.search(r"\nsleeper=(\d+)\n", account.log)) and time.monotonic() < deadline:
        time.sleep(0.02)
    build.stop()
    runner.join(timeout=20)
    assert record["buildStatus"] == "STOPPED"
    assert sleeper
    assert not is_running(int(sleeper[1]))


def test_source_directory_is_removed_unless_debugging(tmp_path: Path) -> None:
    for debug in (False, True):
        account = Account(tmp_path / str(debug), debug=debug)
        account.run(spec("phases: {build: {commands: [echo]}}"))
        account.close()
        assert (tmp_path / str(debug) / "builds" / "tests_1").exists() is debug


def test_log_reaches_cloudwatch(account: Account) -> None:
    account.run(spec("phases: {build: {commands: [echo hello-log]}}"))
    assert "hello-log" in account.fakes["logs"].messages


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("phases: [", "not YAML"),
        ("version: 0.1\nphases: {}", "version 0.2"),
        (spec("phases: {compile: {commands: [make]}}"), "phases has unknown keys: compile"),
        (spec("batch: {}"), "does not implement batch"),
        (spec("run-as: nobody"), "does not implement run-as"),
        (spec("phases: {build: {run-as: nobody, commands: [a]}}"), "does not implement phases.build.run-as"),
        (spec("reports: {tests: {files: [r.xml]}}"), "does not implement reports"),
        (spec("env: {varables: {A: b}}\nphases: {build: {commands: [a]}}"), "env has unknown keys: varables"),
        (spec("artifacts: {file: [a]}\nphases: {build: {commands: [a]}}"), "artifacts has unknown keys: file"),
        (spec(""), "has no phases"),
        (spec("phases: {build: {}}"), "phases.build has no commands"),
        (spec("artifacts: {files: [a], secondary-artifacts: {b: {files: [c]}}}"), "secondary-artifacts"),
        (spec("phases: {build: {on-failure: RETRY, commands: [a]}}"), "on-failure is 'RETRY'"),
        (spec("env: {shell: powershell.exe}\nphases: {build: {commands: [a]}}"), "env.shell is 'powershell.exe'"),
        (spec("phases: {build: {commands: [{echo: a}]}}"), "list of strings"),
        (spec("phases: {build: {runtime-versions: {python: 3.12}, commands: [a]}}"), "phases.build has runtime-versions"),
        (spec("phases: {install: {runtime-versions: 3.12}}"), "phases.install.runtime-versions is str"),
    ],
)
def test_buildspec_that_cannot_run_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(BuildspecError, match=named):
        parse(text)


def test_ignored_sections_are_said_in_the_log(account: Account) -> None:
    account.run(spec("cache: {paths: [x]}\nphases: {build: {commands: [echo]}}"))
    assert "ignored cache" in account.log


STANDARD = {"environment": {"image": "aws/codebuild/standard:8.0"}}
#: Allows the Python that runs the tests, whichever it is, and 3.13; not the default of CodeBuild's image.
PYPROJECT = '[project]\nrequires-python = ">=3.11,<3.14"\n'
REFUSES_NEW = "import sys\nsys.exit(0 if sys.version_info[:2] < (3, 14) else f'too new: {sys.version_info.minor}')"


def test_a_build_without_a_named_python_runs_the_default_of_its_image(account: Account) -> None:
    """CodeBuild's standard:8.0 has 3.14.3, which this project's dependencies do not support."""
    commands = spec("phases: {build: {commands: [python --version, python3 check.py]}}")
    record = account.run(commands, {"pyproject.toml": PYPROJECT, "check.py": REFUSES_NEW}, **STANDARD)
    assert record["buildStatus"] == "FAILED"
    assert "\nPython 3.14.3\n" in account.log
    assert "\ntoo new: 14\n" in account.log


@pytest.mark.parametrize("version", ["3.12", "3.13", "'3.13'", "3.12.1"])
def test_a_build_with_a_python_that_the_project_takes_runs(account: Account, version: str) -> None:
    commands = f"phases: {{install: {{runtime-versions: {{python: {version}}}}}, build: {{commands: [python check.py]}}}}"
    record = account.run(spec(commands), {"pyproject.toml": PYPROJECT, "check.py": REFUSES_NEW}, **STANDARD)
    assert record["buildStatus"] == "SUCCEEDED"
    assert f"Selecting 'python' runtime version '{version.strip(chr(39))}' based on manual selections..." in account.log


def test_a_python_that_the_project_does_not_take_is_the_one_that_was_named(account: Account) -> None:
    """Also 3.10, which YAML reads as the number 3.1."""
    commands = spec("phases: {install: {runtime-versions: {python: 3.10}}, build: {commands: [python version.py]}}")
    files = {"pyproject.toml": PYPROJECT, "version.py": "import platform; print(platform.python_version())"}
    account.run(commands, files, **STANDARD)
    assert "\n3.10.20\n" in account.log


def test_a_build_starts_with_no_package_of_the_account(account: Account) -> None:
    account.run(spec("phases: {build: {commands: [python -m yaml]}}"), {"pyproject.toml": PYPROJECT}, **STANDARD)
    assert "No module named yaml" in account.log


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("docker: 20", "Unknown runtime named 'docker'. This build image has the following runtimes: dotnet, golang, java, nodejs, php"),
        ("python: three", "Unknown runtime version named 'three' of python. This build image has the following versions: 3.10, 3.11, 3.12"),
        ("nodejs: 2.x.y", "Unknown runtime version named '2.x.y' of nodejs. This build image has the following versions: 22, 24"),
    ],
)
def test_a_runtime_that_the_image_has_not_is_refused_in_the_words_of_codebuild(account: Account, asked: str, words: str) -> None:
    record = account.run(spec(f"phases: {{install: {{runtime-versions: {{{asked}}}}}, build: {{commands: [echo]}}}}"), **STANDARD)
    context = phase(record, "DOWNLOAD_SOURCE")["contexts"][0]
    assert (record["buildStatus"], context["statusCode"]) == ("FAILED", "YAML_FILE_ERROR")
    assert context["message"].startswith(words)


@pytest.mark.parametrize(("asked", "python"), [("latest", "3.14.3"), ("3.x", "3.14.3"), ("3.11", "3.11.15"), ("3.9.2", "3.9.2")])
def test_runtime_versions_are_chosen_as_the_user_guide_says(asked: str, python: str) -> None:
    assert select_runtimes("aws/codebuild/standard:8.0", {"python": asked}).python == python


def test_an_image_that_is_not_known_takes_the_machine_s_python_and_says_so(account: Account) -> None:
    commands = spec("phases: {install: {runtime-versions: {python: 3.10}}, build: {commands: [python check.py]}}")
    record = account.run(commands, {"pyproject.toml": PYPROJECT, "check.py": REFUSES_NEW}, environment={"image": "team/own:1"})
    assert record["buildStatus"] == "SUCCEEDED"
    assert "ignored runtime-versions" in account.log


def test_artifact_selection(tmp_path: Path) -> None:
    for name in ("out/a.json", "out/deep/b.json", "out/deep/c.txt", "other.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    def chosen(section: str) -> list[str]:
        parsed = parse(spec("phases: {build: {commands: [a]}}\nartifacts: " + section)).artifacts
        assert parsed is not None
        return list(select(parsed, tmp_path))

    assert chosen("{base-directory: out, files: ['**/*']}") == ["a.json", "deep/b.json", "deep/c.txt"]
    assert chosen("{files: [other.txt, out/*]}") == ["other.txt", "out/a.json"]
    assert chosen("{files: ['**/*.json'], discard-paths: yes}") == ["a.json", "b.json"]
    assert chosen("{base-directory: out, files: ['**/*'], exclude-paths: ['**/*.txt']}") == ["a.json", "deep/b.json"]
    for section in ("{files: [missing.txt]}", "{base-directory: ../, files: ['*']}", "{files: [../secret]}"):
        with pytest.raises(ArtifactError):
            chosen(section)


def test_missing_artifact_fails_the_build(account: Account) -> None:
    record = account.run(spec("phases: {build: {commands: [echo]}}\nartifacts: {files: [never-made.txt]}"))
    assert record["buildStatus"] == "FAILED"
    assert "never-made.txt" in phase(record, "UPLOAD_ARTIFACTS")["contexts"][0]["message"]


def test_archive_cannot_leave_its_directory(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("../outside.txt", "x")
    with pytest.raises(ValueError, match="outside"):
        unpack(buffer.getvalue(), tmp_path / "inside")
    with pytest.raises(ValueError, match="not a ZIP"):
        unpack(b"not an archive", tmp_path / "inside")


def test_same_files_pack_to_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = pack({"a": tmp_path / "a"})
    (tmp_path / "a").touch()
    assert pack({"a": tmp_path / "a"}) == first
