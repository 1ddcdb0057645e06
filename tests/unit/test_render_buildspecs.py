"""Seams between the buildspecs, the modules that they run and the pipelines that read their variables; and how scripts end."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from build_scripts import command_line
from build_scripts.command_line import ProblemError, VerdictError, run
from build_scripts.registry import Version
from deploy_scripts import approve
from deploy_scripts.choose_version import exported
from deploy_scripts.shadow import exported as compared
from local_account.codebuild.buildspec import Buildspec, parse
from settings_schema import SettingsError

ROOT = Path(__file__).resolve().parents[2]
BUILDSPECS = sorted(
    path.relative_to(ROOT).as_posix() for folder in ("build_scripts", "deploy_scripts") for path in (ROOT / folder).glob("*buildspec.yml")
)


def read(path: str) -> Buildspec:
    return parse((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", BUILDSPECS)
def test_every_command_of_a_buildspec_exists(path: str) -> None:
    commands = "\n".join(command for phase in read(path).phases.values() for command in phase.commands)
    modules = re.findall(r"\bpython -m (\S+)", commands)
    assert modules[0] == "build_scripts.install"
    assert len(modules) == commands.count("python ")
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


def test_all_buildspecs_are_there() -> None:
    assert len(BUILDSPECS) == 6


def test_the_version_sets_exactly_the_variables_that_its_buildspec_exports() -> None:
    text = exported(Version(arn="arn:package/1", number=1, approval="Approved"))
    names = {line.split("=")[0].removeprefix("export ") for line in text.splitlines()}
    assert names == set(read("deploy_scripts/render.buildspec.yml").exported_variables)


def test_the_comparison_sets_exactly_the_variable_that_its_buildspec_exports() -> None:
    name, _, _ = compared({"summary": "nothing serves yet"}).removeprefix("export ").partition("=")
    assert [name] == list(read("deploy_scripts/shadow.buildspec.yml").exported_variables)


def test_value_with_shell_characters_stays_a_value() -> None:
    version = Version(arn="arn:$(touch /tmp/never) 'x'", number=1, approval="Approved")
    shell = subprocess.run(["sh", "-c", exported(version) + 'printf %s "$MODEL_PACKAGE_ARN"'], capture_output=True, text=True, check=True)
    assert shell.stdout == version.arn


@pytest.mark.parametrize(("error", "code"), [(ProblemError("say why"), 2), (VerdictError("say why"), 1), (OSError("say why"), 2)])
def test_errors_are_one_line_and_a_traceback_only_when_debugging(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def main(_: object) -> int:
        raise error

    assert run(main, []) == code
    assert capsys.readouterr().err == "error: say why\n"
    assert run(main, ["--debug"]) == code
    assert "Traceback" in capsys.readouterr().err


def test_what_was_chosen_is_known_to_the_shell_once_all_is_decided_in_one_process() -> None:
    """Each process costs a second, and a return is waited for while production is broken."""
    assert list(read("deploy_scripts/render.buildspec.yml").phases["build"].commands) == [
        "python -m deploy_scripts.render",
        ". ./chosen.env",
    ]


def test_values_that_cannot_be_read_are_one_line_for_every_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read_badly() -> None:
        raise SettingsError("Split.test is 2; allowed: more than 0, less than 0.5")

    monkeypatch.setattr(command_line, "read", read_badly)
    with pytest.raises(SystemExit) as ended:
        run(approve.main, [])
    assert (ended.value.code, capsys.readouterr().err) == (2, "error: Split.test is 2; allowed: more than 0, less than 0.5\n")
