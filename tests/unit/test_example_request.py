"""Claims about the example request: what it writes, the endpoint that it names answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from build_scripts.command_line import run
from deploy_scripts import example_request
from settings_schema import Categorical, Component, DataSet, Member, Numeric, Problem
from tests.unit import script_account
from tests.unit.script_account import MODEL, NAMES, PACKAGE, PRODUCTION, SETTINGS, STAGING, ScriptAccount, set_values

SHOPS = DataSet(
    problem=Problem.REGRESSION,
    target="sales",
    numeric=(Numeric(name="area"),),
    categorical=(Categorical(name="town"),),
    metric="rmse",
    threshold=1.0,
)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    """What serves is of other columns than the model has today."""
    made = script_account.install(monkeypatch)
    made.register(4, SHOPS, [["", "Bogotá, D.C.", "1", "1"], ["2.5", "Lima", "1", "1"]])
    made.sagemaker.serve(NAMES.at(PRODUCTION.name).endpoint, 4)
    return made


def test_it_is_a_row_of_the_version_that_is_served(account: ScriptAccount, tmp_path: Path) -> None:
    file = tmp_path / "new" / "row.csv"
    assert run(example_request.main, ["--output", str(file)]) == 0
    assert file.read_bytes() == ',"Bogotá, D.C."\n'.encode()


def test_of_a_model_on_a_fleet_it_is_a_row_of_the_version_behind_its_component(
    account: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live = NAMES.at(PRODUCTION.name)
    shared = MODEL.but(serving={**MODEL.serving, PRODUCTION.name: Component(fleet="small")})
    set_values(monkeypatch, replace(SETTINGS, models={**SETTINGS.models, shared.name: shared}))
    account.sagemaker.endpoints.clear()
    assert run(example_request.main, []) == 2
    assert f"component {live.component} does not exist" in capsys.readouterr().err
    account.sagemaker.put_on_fleet(live.component, live.fleet("small").endpoint, 4)
    assert run(example_request.main, []) == 0
    assert capsys.readouterr().out == ',"Bogotá, D.C."\n'


def test_of_a_member_it_is_a_row_of_the_version_that_clients_are_told_of(
    account: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live = NAMES.at(PRODUCTION.name)
    loaded = MODEL.but(serving={**MODEL.serving, PRODUCTION.name: Member(fleet="tiny")})
    set_values(monkeypatch, replace(SETTINGS, models={**SETTINGS.models, loaded.name: loaded}))
    account.sagemaker.endpoints.clear()
    assert run(example_request.main, []) == 2
    assert f"stack {live.stack} tells clients of no version" in capsys.readouterr().err
    told = [{"OutputKey": "DeployedModelPackageArn", "OutputValue": f"{PACKAGE}/4"}]
    account.cloudformation.described[live.stack] = {"StackName": live.stack, "StackStatus": "UPDATE_COMPLETE", "Outputs": told}
    assert run(example_request.main, []) == 0
    assert capsys.readouterr().out == ',"Bogotá, D.C."\n'


def test_as_json_each_cell_has_its_name(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(example_request.main, ["--rows", "2", "--content-type", "application/json"]) == 0
    instances = json.loads(capsys.readouterr().out)["instances"]
    assert instances == [{"area": None, "town": "Bogotá, D.C."}, {"area": 2.5, "town": "Lima"}]


def test_as_json_lines_each_row_has_its_line(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--rows", "2", "--content-type", "application/jsonlines"]
    assert run(example_request.main, asked) == 0
    assert capsys.readouterr().out == '{"area": null, "town": "Bogotá, D.C."}\n{"area": 2.5, "town": "Lima"}\n'
    account.sagemaker.packages[4]["InferenceSpecification"]["SupportedContentTypes"] = ["text/csv", "application/json"]
    assert run(example_request.main, asked) == 2
    assert (
        "--content-type is 'application/jsonlines'; allowed: text/csv, application/json, which version 4 takes" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--environment", STAGING.name], "endpoint shop--abalone--try does not exist"),
        (["--environment", "nowhere"], "environment is 'nowhere'; allowed: try | live"),
        (["--model", "arrests"], "model arrests has no endpoint in live: models/ says Batch"),
        (["--rows", "3"], "--rows is 3; allowed: 1 to 2"),
        (["--rows", "0"], "--rows is 0; allowed: 1 to 2"),
    ],
)
def test_what_there_is_not_is_one_line(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    assert run(example_request.main, arguments) == 2
    assert named in capsys.readouterr().err
