"""Seams between the buildspecs, the modules that they run and the pipelines that read their variables; and how scripts end."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from build_scripts.command_line import ProblemError, VerdictError, run
from build_scripts.registry import Version
from deploy_scripts.render import exported
from local_account.codebuild.buildspec import Buildspec, parse

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


def test_all_four_buildspecs_are_there() -> None:
    assert len(BUILDSPECS) == 4


def test_render_sets_exactly_the_variables_that_its_buildspec_exports() -> None:
    text = exported(Version(arn="arn:package/1", number=1, approval="Approved"))
    names = {line.split("=")[0].removeprefix("export ") for line in text.splitlines()}
    assert names == set(read("deploy_scripts/render.buildspec.yml").exported_variables)


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


def test_wrong_settings_are_one_line_for_every_script(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text("from settings_rules import SettingsError\nraise SettingsError('settings.py: Split.test is 2')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import deploy_scripts.render"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ended.returncode, ended.stderr) == (2, "error: settings.py: Split.test is 2\n")
