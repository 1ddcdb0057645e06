"""Where jobs run: in the network that is deployed, whoever starts them, and nowhere while the wanted one is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from build_scripts import project_environment
from build_scripts.command_line import ProblemError
from build_scripts.project_environment import ProjectEnvironment
from tests.unit.script_account import PROJECT

OUTPUTS = {"SubnetIds": "subnet-1,subnet-2", "SecurityGroupId": "sg-1"}


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what the foundation stack puts out, and whether settings.py wants a VPC."""

    def set_up(outputs: dict[str, str], *, in_vpc: bool) -> None:
        monkeypatch.setattr(ProjectEnvironment, "foundation_outputs", outputs)
        monkeypatch.setattr(project_environment, "PROJECT", replace(PROJECT, in_vpc=in_vpc))

    return set_up


@pytest.mark.parametrize("in_vpc", [True, False])
def test_by_hand_the_network_is_the_deployed_one(deployed, in_vpc):
    deployed(OUTPUTS, in_vpc=in_vpc)
    by_hand = ProjectEnvironment({})
    assert by_hand.subnets == ("subnet-1", "subnet-2")
    assert by_hand.security_group_ids == ("sg-1",)


def test_a_build_has_it_as_variables_and_asks_nobody(deployed):
    deployed({"SubnetIds": "never-asked"}, in_vpc=True)
    build = {"ARTIFACT_BUCKET": "artifacts", "VPC_SUBNET_IDS": "subnet-3, subnet-4", "VPC_SECURITY_GROUP_IDS": "sg-2"}
    assert ProjectEnvironment(build).subnets == ("subnet-3", "subnet-4")
    assert ProjectEnvironment(build).security_group_ids == ("sg-2",)


def test_without_a_network_there_is_none(deployed):
    deployed({}, in_vpc=False)
    assert ProjectEnvironment({}).subnets == ()
    assert ProjectEnvironment({"ARTIFACT_BUCKET": "artifacts"}).subnets == ()


@pytest.mark.parametrize("variables", [{}, {"ARTIFACT_BUCKET": "artifacts"}])
def test_jobs_do_not_run_outside_of_a_network_that_is_wanted_and_not_deployed(deployed, variables):
    deployed({}, in_vpc=True)
    with pytest.raises(ProblemError, match=r"in_vpc is True in settings\.py, but stack \S+-foundation has no network; `npx cdk deploy"):
        _ = ProjectEnvironment(variables).subnets
