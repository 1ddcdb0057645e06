"""Claims about starting the watch by hand: what it starts, and what is one clear line instead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest

from build_scripts import command_line, monitor
from tests.example_models import ABALONE, PRODUCTION, SETTINGS
from tests.unit import script_account
from tests.unit.script_account import ScriptAccount, refusal

LIVE = ABALONE.names(SETTINGS.project).at(PRODUCTION.name)


class Watch:
    """SageMaker with the pipelines that are deployed, and what was started."""

    def __init__(self, account: ScriptAccount) -> None:
        self.pipelines = account.sagemaker.pipelines
        self.started: list[tuple[str, dict[str, str]]] = []

    def describe_pipeline(self, *, PipelineName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        if PipelineName not in self.pipelines:
            raise refusal("ResourceNotFound", f"Pipeline {PipelineName} does not exist.", "DescribePipeline")
        return self.pipelines[PipelineName]

    def start_pipeline_execution(self, *, PipelineName: str, ClientRequestToken: str, PipelineParameters: list[Any]) -> dict[str, str]:  # noqa: N803
        assert len(ClientRequestToken) == 32
        self.started.append((PipelineName, {item["Name"]: item["Value"] for item in PipelineParameters}))
        return {"PipelineExecutionArn": f"arn:aws:sagemaker:us-east-1:111122223333:pipeline/{PipelineName}/execution/abc"}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    made = script_account.install(monkeypatch)
    made.clients["watch"] = made.clients["sagemaker"] = Watch(made)
    made.clients["sts"] = type("Sts", (), {"get_caller_identity": lambda _: {"Account": "111122223333"}})()
    return made


@pytest.fixture
def deployed(account: ScriptAccount) -> ScriptAccount:
    for environment in SETTINGS.environments:
        names = ABALONE.names(SETTINGS.project).at(environment.name)
        account.sagemaker.pipelines[names.monitoring_pipeline] = {}
        account.cloudformation.names.add(names.stack)
    return account


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = command_line.run(monitor.main, list(arguments))
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_it_judges_what_is_due_where_the_model_serves(deployed: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys)
    assert (code, deployed.clients["watch"].started) == (0, [("shop--abalone--live--monitoring", {})])
    assert "pipeline/shop--abalone--live--monitoring/execution/abc" in text


def test_windows_are_asked_for_in_utc_whatever_the_offset(deployed: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = said(capsys, "--environment", "try", "--from", "2026-11-27T10:00Z", "--to", "2026-11-27T16:00+02:00")
    expected = {"From": "2026-11-27T10:00:00Z", "To": "2026-11-27T14:00:00Z"}
    assert (code, deployed.clients["watch"].started) == (0, [("shop--abalone--try--monitoring", expected)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "2026-11-27T10:00Z"], "--to is missing; allowed: --from and --to together, or none for what is due"),
        (["--to", "2026-11-27T10:00Z"], "--from is missing"),
        (["--from", "yesterday", "--to", "2026-11-27T10:00Z"], "--from is 'yesterday'; allowed: an ISO 8601 time"),
        (["--from", "2026-11-27T10:00", "--to", "2026-11-27T11:00Z"], "--from is '2026-11-27T10:00', which says no offset from UTC"),
        (["--from", "2026-11-27T11:00Z", "--to", "2026-11-27T11:00Z"], "--to is '2026-11-27T11:00Z'; allowed: a time after --from"),
        (["--environment", "moon"], "environment is 'moon'; allowed: try | live"),
        (["--model", "whale"], "--model is 'whale'; allowed: abalone, arrests"),
    ],
)
def test_a_wrong_option_is_one_line_and_starts_nothing(
    deployed: ScriptAccount, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, text = said(capsys, *arguments)
    assert (code, text.count("\n"), deployed.clients["watch"].started) == (2, 1, [])
    assert text.startswith(f"error: {message}")


def test_a_model_that_was_never_deployed_is_one_clear_line(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys)
    assert (code, text.count("\n")) == (2, 1)
    assert text.startswith("error: abalone was never deployed in live (us-east-1), so there is nothing to watch; approve a version")


def test_a_model_that_was_deployed_before_it_was_watched_says_so(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.cloudformation.names.add(LIVE.stack)
    code, text = said(capsys)
    assert (code, text.count("\n")) == (2, 1)
    assert "shop--abalone--live was deployed before its monitoring was set; the next push deploys it" in text


def test_a_model_whose_file_switches_it_off_says_so(
    deployed: ScriptAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    off = replace(SETTINGS, models={**SETTINGS.models, "abalone": ABALONE.but(monitoring=None)})
    script_account.set_values(monkeypatch, off)
    code, text = said(capsys)
    assert (code, text) == (2, "error: abalone is not watched: Model.monitoring of models/abalone.py is None; allowed: Monitoring()\n")


def test_a_profile_chooses_the_credentials(
    deployed: ScriptAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[str] = []
    monkeypatch.setattr(boto3, "setup_default_session", lambda profile_name: chosen.append(profile_name))
    code, _ = said(capsys, "--profile", "theirs")
    assert (code, chosen, len(deployed.clients["watch"].started)) == (0, ["theirs"], 1)


def test_another_account_s_credentials_are_asked_for(
    deployed: ScriptAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = SETTINGS.project.but(account="111122223333", region="us-east-1")
    elsewhere = replace(SETTINGS, project=home, environments=(SETTINGS.staging, PRODUCTION.but(account="333333333333")))
    script_account.set_values(monkeypatch, elsewhere)
    code, text = said(capsys)
    assert (code, deployed.clients["watch"].started) == (2, [])
    wanted = "environment live lives in account 333333333333, and these credentials are of 111122223333; add --profile NAME of some of"
    assert f"{wanted} 333333333333" in text
