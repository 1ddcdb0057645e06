"""The load test against a real endpoint of the local account, and the simulator with what it measured."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from build_scripts.command_line import run
from capacity import service
from deploy_scripts import load_test
from local_account.account import Account
from local_account.context import AccountSettings
from packages.local_account.tests.endpoint_models import create_configuration, create_model, variant, wait_until_settled
from packages.local_account.tests.roles import make_role


def test_a_local_endpoint_is_measured_within_its_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result, body = tmp_path / "load.json", tmp_path / "row.csv"
    body.write_text("1,2,3")
    with Account(AccountSettings(state_directory=tmp_path / "account", port=0)) as account:
        make_role(account, "Model")
        monkeypatch.setenv("AWS_ENDPOINT_URL", account.context.settings.endpoint_url)
        person = account.context.keyring.administrator  # not in the environment: there, MiniStack takes them for the root user's
        session = boto3.Session(person.access_key, person.secret, region_name=account.context.settings.region)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        create_configuration(account, "loaded", variant(create_model(account, "loaded")))
        account.client("sagemaker").create_endpoint(EndpointName="loaded", EndpointConfigName="loaded")
        wait_until_settled(account, "loaded")
        arguments = [
            "--endpoint",
            "loaded",
            "--seconds",
            "3",
            "--max-rps",
            "100",
            "--max-senders",
            "4",
            "--p99-ms",
            "5000",
            "--payload",
            str(body),
        ]
        assert run(load_test.main, [*arguments, "--output", str(result)]) == 0
        assert run(load_test.main, [*arguments[2:], "--endpoint", "nobody"]) == 2
    measured = service.read(result)
    assert 0 < measured.mean_seconds < 5
    printed = capsys.readouterr()
    assert "models/: TargetTracking(max_rps_per_instance=" in printed.out
    assert "nobody does not exist" in printed.err and printed.err.count("\n") == 1
