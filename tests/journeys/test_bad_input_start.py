"""What stands in the way of the local account or the demo is one line that says what to do; nothing is started or lost."""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from demo import __main__ as demo
from demo.lock import only_one
from demo.subject import left_out, subjects
from local_account import __main__ as local
from local_account import account
from local_account.account import Account, CannotStartError
from local_account.context import AccountSettings
from settings_schema.reading import read
from tests.example_models import ABALONE, SETTINGS


def account_refuses(state: Path) -> str:
    with pytest.raises(CannotStartError) as refusal:
        Account(AccountSettings(state_directory=state, port=0)).start()
    return str(refusal.value)


@pytest.fixture
def demo_refuses(capsys: pytest.CaptureFixture[str]) -> Callable[[Path], str]:
    def refuse(out: Path) -> str:
        assert demo.main(["--out", str(out)]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        return lines[0]

    return refuse


def test_a_second_demo_names_the_first_and_leaves_its_files_alone(tmp_path: Path, demo_refuses: Callable[[Path], str]) -> None:
    page = tmp_path / "index.html"
    with only_one(tmp_path):
        page.write_text("of the first", encoding="utf-8")
        line = demo_refuses(tmp_path)
    assert line == f"demo: A demo is already running here (process {os.getpid()}). Wait for it, or stop it with `kill {os.getpid()}`."
    assert page.read_text(encoding="utf-8") == "of the first"


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, demo_refuses: Callable[[Path], str]) -> None:
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    assert demo_refuses(file).startswith(f"demo: {file} cannot be written")
    assert account_refuses(file).startswith(f"{file} cannot be written")
    assert file.read_text(encoding="utf-8") == "mine"


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What the demo finds in models/."""

    def have(*names: str) -> None:
        given = dataclasses.replace(SETTINGS, models={name: ABALONE.but(name=name) for name in names})
        monkeypatch.setattr(demo, "read_settings", lambda: given)

    return have


def test_the_demo_of_other_data_asks_for_it(tmp_path: Path, models: Callable[..., None], demo_refuses: Callable[[Path], str]) -> None:
    models("shells")
    assert demo_refuses(tmp_path / "out").startswith("demo: models/shells.py: the data is not part of this project. Tell the story of one")


def test_the_demo_of_a_model_without_data_asks_for_it(
    tmp_path: Path, models: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    models("abalone", "shells")
    assert demo.main(["--out", str(tmp_path), "--model", "shells"]) == 2
    assert capsys.readouterr().err == "demo: models/shells.py: the data is not part of this project. Give it with --data FILE.\n"


def test_the_demo_of_a_table_asks_whose_it_is(tmp_path: Path, models: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    models("abalone", "shells")
    assert demo.main(["--out", str(tmp_path), "--data", "table.csv"]) == 2
    assert capsys.readouterr().err == "demo: --model is missing; allowed: abalone, shells\n"


@pytest.mark.parametrize("options", [["--target", "rings"], ["--target", "rings", "--data", "table.csv", "--model", "shells"]])
def test_the_demo_drafts_a_model_of_a_file_and_of_nothing_else(
    options: list[str], tmp_path: Path, models: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    models("abalone", "shells")
    assert demo.main(["--out", str(tmp_path), *options]) == 2
    assert capsys.readouterr().err.startswith("demo: --target drafts a model of --data FILE")


@pytest.mark.parametrize(
    ("have", "told", "rest"), [(("abalone", "shells"), ["abalone"], ["shells"]), (("abalone", "arrests"), ["abalone", "arrests"], [])]
)
def test_the_demo_tells_of_each_model_whose_data_is_here(have: tuple[str, ...], told: list[str], rest: list[str]) -> None:
    settings = dataclasses.replace(SETTINGS, models={name: ABALONE.but(name=name) for name in have})
    found = subjects(settings)
    assert [one.name for one in found] == told
    assert left_out(settings, found) == rest


def test_the_demo_of_a_file_that_breaks_the_contract_ends_before_anything_is_deployed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.csv").write_text("nothing,known\n1,2\n", encoding="utf-8")
    settings = read()  # the check is a command of this checkout
    if not settings.models:
        pytest.skip("models/ has no file")
    model = next(iter(settings.models))
    assert demo.main(["--out", str(tmp_path / "out"), "--model", model, "--data", str(tmp_path / "mine.csv")]) == 1
    printed = capsys.readouterr()
    assert "breaks the contract" in printed.err.splitlines()[0]
    assert "cdk" not in printed.out


def test_files_that_no_account_made_are_left_alone(tmp_path: Path) -> None:
    for name in ("thesis.txt", ".lock"):  # the second is what many programs call their lock
        (tmp_path / name).write_text("mine", encoding="utf-8")
    assert f"{tmp_path} has files that no local account made" in account_refuses(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "thesis.txt"]


def test_a_disk_that_is_full_when_the_account_starts_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_a_full_disk(_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(account, "_describe", on_a_full_disk)
    assert account_refuses(tmp_path) == (f"{tmp_path} cannot be written (No space left on device). Choose another directory with --state.")


def test_only_its_owner_reads_what_an_account_keeps(tmp_path: Path) -> None:
    with Account(AccountSettings(state_directory=tmp_path / "state", port=0)):
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_without_git_both_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_refuses: Callable[[Path], str]) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cdk", "node"):
        (tools / name).symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tools))
    assert "git is not on PATH" in demo_refuses(tmp_path / "out")
    assert "git is not on PATH" in account_refuses(tmp_path / "state")
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("program", "arguments", "allowed"),
    [
        (local, ["--port", "99999"], "'99999' is not a port; allowed: 0 to 65535"),
        (local, ["--speed", "zero"], "'zero' is not a speed; allowed: more than 0, at most 3600"),
        (local, ["--region", "mars"], "'mars' is not a region; allowed: a name such as eu-west-1"),
        (demo, ["--port", "x"], "'x' is not a port; allowed: 0 to 65535"),
        (demo, ["--traffic-speed", "-3"], "'-3' is not a speed; allowed: more than 0, at most 3600"),
    ],
)
def test_an_option_out_of_range_says_what_is_allowed(
    program: object, arguments: list[str], allowed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(arguments)  # type: ignore[attr-defined]  # both modules have it
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(allowed)
