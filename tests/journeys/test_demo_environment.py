"""Whatever a person's environment says, what the demo starts reaches the local account only, and its logs are for its owner."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from demo.terminal import Terminal
from local_account import client_environment
from packages.local_account.tests.hostile_environment import hostile_environment

PROJECT = Path(__file__).parents[2]


def test_what_the_demo_runs_is_led_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in hostile_environment(tmp_path).items():
        monkeypatch.setenv(name, value)

    seen = Terminal(PROJECT, tmp_path).environment

    assert [name for name in seen if name.startswith("AWS_")] == []
    assert {name for name in seen if name.startswith("CDK_")} == set(client_environment.cdk_environment(""))
    assert seen["CDK_HOME"].startswith(str(tmp_path))


def test_what_the_demo_logs_is_for_its_owner_only(tmp_path: Path) -> None:
    """The account's log begins with the exports that it prints, the secret among them."""
    assert stat.S_IMODE(Terminal(PROJECT, tmp_path / "new").logs.stat().st_mode) == 0o700
