"""Preflight after a deployment: everything that is there is the project's own, and nothing stands in the way of the next one."""

from __future__ import annotations

import json
import subprocess
import sys

from settings_schema import Endpoint
from tests.loop.person import ABALONE, PROJECT, Person


def test_a_deployed_account_is_ready_to_be_deployed_to_again(person: Person) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "deploy_scripts.preflight", "--json", "--assembly", str(person.terminal.directory / "cdk.out")],
        cwd=person.clone,
        env=person.terminal.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.stdout, made.stderr
    findings = [finding for section in json.loads(made.stdout).values() for finding in section]
    # The clone is a checkout whose tools are not installed: these are the checkout's that the tests run in.
    assert [finding["what"] for finding in findings if finding["sign"] == "✗"] == ["CDK CLI"]
    assert made.returncode == 1
    by_name = {finding["what"]: finding for finding in findings}
    assert PROJECT.foundation_stack in by_name["stacks"]["found"]
    assert " 0 are the deployed stacks' own" not in by_name["names"]["found"]
    assert "left behind" not in by_name  # what is there belongs to stacks that are there
    assert by_name["bootstrap"]["sign"] == by_name["bootstrap resources"]["sign"] == "✓"
    served = [serving for serving in ABALONE.model.serving.values() if isinstance(serving, Endpoint)]
    assert all(serving.instance_type in json.dumps(findings) for serving in served)
