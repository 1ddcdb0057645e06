"""Where jobs run: in the network that is deployed, whoever starts them, and nowhere while the wanted one is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from build_scripts.command_line import ProblemError
from build_scripts.project_environment import ProjectEnvironment
from tests.example_models import ABALONE, PROJECT

OUTPUTS = {"SubnetIds": "subnet-1,subnet-2", "SecurityGroupId": "sg-1"}


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Where a project is, of what the foundation stack puts out, whether a VPC is wanted, and the variables of a build."""

    def set_up(outputs: dict[str, str], *, in_vpc: bool, variables: Mapping[str, str] | None = None) -> ProjectEnvironment:
        monkeypatch.setattr(ProjectEnvironment, "foundation_outputs", outputs)
        return ProjectEnvironment(PROJECT.but(in_vpc=in_vpc), variables or {})

    return set_up


@pytest.mark.parametrize("in_vpc", [True, False])
def test_by_hand_the_network_is_the_deployed_one(deployed, in_vpc):
    by_hand = deployed(OUTPUTS, in_vpc=in_vpc)
    assert by_hand.subnets == ("subnet-1", "subnet-2")
    assert by_hand.security_group_ids == ("sg-1",)


def test_a_build_has_it_as_variables_and_asks_nobody(deployed):
    variables = {"ARTIFACT_BUCKET": "artifacts", "VPC_SUBNET_IDS": "subnet-3, subnet-4", "VPC_SECURITY_GROUP_IDS": "sg-2"}
    build = deployed({"SubnetIds": "never-asked"}, in_vpc=True, variables=variables)
    assert build.subnets == ("subnet-3", "subnet-4")
    assert build.security_group_ids == ("sg-2",)


def test_without_a_network_there_is_none(deployed):
    assert deployed({}, in_vpc=False).subnets == ()
    assert deployed({}, in_vpc=False, variables={"ARTIFACT_BUCKET": "artifacts"}).subnets == ()


@pytest.mark.parametrize("variables", [{}, {"ARTIFACT_BUCKET": "artifacts"}])
def test_jobs_do_not_run_outside_of_a_network_that_is_wanted_and_not_deployed(deployed, variables):
    with pytest.raises(ProblemError, match=r"in_vpc is True in settings\.py, but stack \S+-foundation has no network; `npx cdk deploy"):
        _ = deployed({}, in_vpc=True, variables=variables).subnets


def test_what_is_made_of_a_model_is_tagged_with_it_and_with_the_id_that_studio_gave(deployed):
    names = ABALONE.names(PROJECT)
    tags = {tag["Key"]: tag["Value"] for tag in deployed({}, in_vpc=False).tags(names)}
    assert tags == {"sagemaker:project-name": "shop", "sagemaker:project-id": "p-shop", "model": "abalone"}
    given = deployed({}, in_vpc=False, variables={"SAGEMAKER_PROJECT_ID": "p-7"}).tags(names)
    assert {"Key": "sagemaker:project-id", "Value": "p-7"} in given


def test_the_region_is_the_project_s_and_only_where_it_has_none_the_terminal_s():
    variables = {"AWS_REGION": "us-east-1"}
    assert ProjectEnvironment(PROJECT.but(region="eu-west-1"), variables).region == "eu-west-1"
    assert ProjectEnvironment(PROJECT.but(region=None), variables).region == "us-east-1"
