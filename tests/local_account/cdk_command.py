"""Runs the stock `cdk` command against a local account."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_account.account import Account

PROJECT = Path(__file__).parents[2]
_CDK = PROJECT / "node_modules" / ".bin" / "cdk"
_TIMEOUT_SECONDS = 180


def run_cdk(account: Account, app: Path, *arguments: str) -> str:
    """Output of `cdk <arguments>` for the app at `app`. Fails the test with that output if the command fails."""
    if not _CDK.exists():
        pytest.skip("the CDK CLI is not installed; run `npm ci`")
    state = account.settings.state_directory
    environment = account.context.process_environment(
        account.context.keyring.administrator,
        {
            "HOME": str(state),
            **{name: account.context.client_environment[name] for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")},
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(PROJECT / ".cache" / "jsii"),
            "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        },
    )
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    command = [
        str(_CDK),
        *arguments,
        "--app",
        f"{sys.executable} {app}",
        "--output",
        str(state / "cdk.out"),
        "--no-color",
        "--ci",
    ]
    finished = subprocess.run(
        command, env=environment, cwd=app.parent, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout
