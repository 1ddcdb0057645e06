"""Runs the stock `cdk` command against a local account."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from local_account.account import Account

#: The nearest one that npm has installed, or the one on PATH.
CDK = next((cdk for folder in Path(__file__).parents if (cdk := folder / "node_modules" / ".bin" / "cdk").exists()), shutil.which("cdk"))
#: Unpacked once for all runs.
_JSII_CACHE = os.environ.get("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(Path(tempfile.gettempdir()) / "jsii-of-tests"))
_TIMEOUT_SECONDS = 180


def run_cdk(account: Account, app: Path, *arguments: str) -> str:
    """Output of `cdk <arguments>` for the app at `app`. Fails the test with that output if the command fails."""
    if CDK is None:
        pytest.skip("the CDK CLI is not installed; `npm install aws-cdk` does")
    state = account.settings.state_directory
    environment = account.context.process_environment(
        account.context.keyring.administrator,
        {
            "HOME": str(state),
            **{name: account.context.client_environment[name] for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")},
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT": _JSII_CACHE,
            "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        },
    )
    environment["CDK_VALIDATION"] = "false"  # the CDK's own, of templates, takes longer than most of these deployments
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    command = [
        str(CDK),
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
