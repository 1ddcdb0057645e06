"""Another instance type under a multi-model fleet that scales is announced with the two deployments that it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.fleet_type_change import announced
from settings_schema import MemberInstances, MultiModelFleet
from tests.unit import deployed_account
from tests.unit.deployed_account import DeployedAccount
from tests.unit.script_account import SETTINGS

FLEET = "shop--fleet--tiny--live"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> DeployedAccount:
    made = deployed_account.install(monkeypatch)
    made.cloudformation.add(FLEET)
    made.sagemaker.serve(FLEET, 9, config="config-fleet", instances=3)
    return made


def said_of(instance_type: str, **more: int) -> list[str]:
    fleet = MultiModelFleet(name="tiny", instances={"live": MemberInstances(instance_type=instance_type, **more)})
    settings = replace(SETTINGS, fleets={"tiny": fleet})
    return list(announced(ProjectEnvironment(settings.project), settings))


DEPLOY = ", `npx cdk deploy -e shop--fleet--tiny--live`"


def test_what_scales_is_announced_with_its_steps(account: DeployedAccount) -> None:
    (line,) = said_of("ml.m5.xlarge", min_count=2, max_count=4)
    said, _, steps = line.partition(" In settings.py: ")
    assert said.startswith("fleet tiny in live gets another instance type, ml.m5.large to ml.m5.xlarge, which SageMaker refuses")
    first, second, third = steps.split("; ")
    assert first == f"1. ml.m5.large with min_count = max_count = 3{DEPLOY}"
    assert second == f"2. ml.m5.xlarge with min_count = max_count = 3, or what the load needs{DEPLOY}"
    assert third == f"3. min_count=2, max_count=4{DEPLOY}"


def test_what_does_not_scale_yet_changes_its_type_first(account: DeployedAccount) -> None:
    account.cloudformation.unscaled.add(FLEET)
    (line,) = said_of("ml.m5.xlarge", min_count=1, max_count=2)
    assert "1. ml.m5.xlarge with min_count = max_count = 3" in line and "2. min_count=1, max_count=2" in line


def test_one_deployment_does_everything_else(account: DeployedAccount) -> None:
    assert said_of("ml.m5.large", max_count=4) == []
    account.cloudformation.unscaled.add(FLEET)
    assert said_of("ml.m5.xlarge", min_count=2, max_count=2) == []
