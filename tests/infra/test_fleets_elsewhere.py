"""Fleets in accounts, regions and networks of their own: what is on them is read with all policies agreeing, and through the network.

THREE has the project in 111111111111 (eu-west-1), `try` in 222222222222 (eu-west-1), `live` in 333333333333 (eu-central-1), each with a
network that reaches AWS's services through VPC endpoints only. Sources: "Give SageMaker AI Hosted Endpoints Access to Resources in Your
Amazon VPC" of the SageMaker guide (the container fetches through the VPC what it fetches), "Cross-account policy evaluation logic".
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.cases import THREE
from tests.infra.conftest import resources_of
from tests.infra.grants import Role, Templates, as_list, matches, only, roles, text
from tests.infra.test_accounts import HOME, PLACES, home_of, lets_in, policy, role_of

#: Kind of the fleet -> what of the artifact bucket its instances fetch.
FETCHED = {"small": "pipelines/shop--fish--training/abc/model.tar.gz", "tiny": "fleets/tiny/{}/crab/7-0a.tar.gz"}


@pytest.fixture(scope="module")
def three(synthesized: Any) -> Templates:
    return synthesized(THREE)[1]


def fleet_role(templates: Templates, fleet: str, environment: str) -> Role:
    return role_of(templates, f"shop--fleet--{fleet}--{environment}--fleet")


def network_lets_out(templates: Templates, environment: str, role: Role, action: str, resource: str) -> bool:
    """Whether the gateway endpoint's policy lets a request of this role to S3 pass."""
    stack = f"shop--environment--{environment}"
    (gateway,) = [item for item in resources_of(templates, "AWS::EC2::VPCEndpoint", stack).values() if item["VpcEndpointType"] == "Gateway"]
    for item in gateway["PolicyDocument"]["Statement"]:
        account = item.get("Condition", {}).get("StringEquals", {}).get("aws:PrincipalAccount")
        is_ours = account is None or text(account, stack, templates) == role.arn.split(":")[4]
        named = any(matches(pattern, action) for pattern in as_list(item["Action"]))
        if is_ours and named and any(matches(text(arn, stack, templates), resource) for arn in as_list(item["Resource"])):
            return True
    return False


@pytest.mark.parametrize("environment", PLACES)
@pytest.mark.parametrize("fleet", FETCHED)
def test_a_fleet_fetches_its_models_with_role_bucket_key_and_network_agreeing(three: Templates, fleet: str, environment: str) -> None:
    stack, region = home_of(environment)
    bucket = f"arn:aws:s3:::shop--artifacts-{HOME}-{region}"
    role, archive = fleet_role(three, fleet, environment), f"{bucket}/{FETCHED[fleet].format(environment)}"
    shared = policy(three, stack, "AWS::S3::BucketPolicy", "Artifacts")
    for action, resource in (("s3:GetObject", archive), ("s3:ListBucket", bucket)):
        assert role.may(action, resource)
        assert lets_in(three, stack, shared, role.arn, action, resource)
        assert network_lets_out(three, environment, role, action, resource)
    (using,) = [item for item in role.allowing("kms:Decrypt") if any(f":kms:{region}:{HOME}:" in arn for arn in item.resources)]
    assert using.condition == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/shop"}}
    assert lets_in(three, stack, policy(three, stack, "AWS::KMS::Key"), role.arn, "kms:Decrypt")


@pytest.mark.parametrize("environment", PLACES)
def test_the_program_of_many_in_one_container_is_fetched_through_the_network(three: Templates, environment: str) -> None:
    """Out of the bucket of the bootstrap in its own account, whose key is AWS's or lets in whoever comes through S3."""
    stack, (account, region) = f"shop--fleet--tiny--{environment}", PLACES[environment]
    (model,) = resources_of(three, "AWS::SageMaker::Model", stack).values()
    address = text(model["PrimaryContainer"]["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"], stack, three)
    assert address.startswith(f"s3://cdk-hnb659fds-assets-{account}-{region}/")
    role, program = fleet_role(three, "tiny", environment), address.replace("s3://", "arn:aws:s3:::")
    assert role.may("s3:GetObject", program)
    assert network_lets_out(three, environment, role, "s3:GetObject", program)
    assert not network_lets_out(three, environment, role, "s3:PutObject", f"arn:aws:s3:::anybody/{program.rsplit('/', 1)[1]}")


@pytest.mark.parametrize("environment", PLACES)
def test_what_is_on_a_fleet_is_in_the_network_that_the_fleet_has(three: Templates, environment: str) -> None:
    """A component's network is that of the endpoint's configuration, and its model has none (CreateInferenceComponent of the guide)."""
    (configuration,) = resources_of(three, "AWS::SageMaker::EndpointConfig", f"shop--fleet--small--{environment}").values()
    (container,) = resources_of(three, "AWS::SageMaker::Model", f"shop--fleet--tiny--{environment}").values()
    (component,) = resources_of(three, "AWS::SageMaker::Model", f"shop--fish--{environment}").values()
    of_environment = f"shop--environment--{environment}"
    for made in (configuration, container):
        assert made["VpcConfig"]["SecurityGroupIds"] == [{"Fn::ImportValue": f"{of_environment}-SecurityGroupId"}]
        assert made["VpcConfig"]["Subnets"] == {"Fn::Split": [",", {"Fn::ImportValue": f"{of_environment}-SubnetIds"}]}
    assert "VpcConfig" not in component
    for fleet in FETCHED:
        assert fleet_role(three, fleet, environment).may("ec2:CreateNetworkInterface"), "which SageMaker makes as this role"


@pytest.mark.parametrize("environment", PLACES)
def test_one_build_of_the_project_alone_puts_versions_where_a_fleet_elsewhere_finds_them(three: Templates, environment: str) -> None:
    region = PLACES[environment][1]
    archive = f"arn:aws:s3:::shop--artifacts-{HOME}-{region}/{FETCHED['tiny'].format(environment)}"
    (writer,) = [role for role in roles(three).values() if role.may("s3:PutObject", archive)]
    assert writer.arn == f"arn:aws:iam::{HOME}:role/shop--crab--offer"
    encrypting = [arn for item in writer.allowing("kms:GenerateDataKey") for arn in item.resources]
    assert any(f":kms:{region}:{HOME}:key/" in arn or "<shop--foundation" in arn for arn in encrypting)
    assert writer.may("sts:AssumeRole", role_of(three, f"shop--crab--{environment}--verify").arn), "to ask it there"


def test_the_image_of_many_in_one_container_is_of_the_fleet_s_own_region(three: Templates) -> None:
    """ContainerDefinition of SageMaker's service model: image and archive are in the region of the model."""
    (model,) = resources_of(three, "AWS::SageMaker::Model", "shop--fleet--tiny--live").values()
    assert "AWS::Region" in str(model["PrimaryContainer"]["Image"])
    bucket = f"s3://shop--artifacts-{HOME}-eu-central-1/fleets/tiny/live/"
    assert text(model["PrimaryContainer"]["ModelDataUrl"], "shop--fleet--tiny--live", three) == bucket


def test_clients_read_which_version_to_ask_for_in_production_s_account(three: Templates) -> None:
    (told,) = resources_of(three, "AWS::SSM::Parameter", "shop--crab--live").values()
    assert told["Name"] == "/shop/crab/live/target"
    assert three.place("shop--crab--live") == PLACES["live"]
    role = only(roles(three), "shop--environment--live/ModelscrabDeploymentRole")
    account = PLACES["live"][0]
    assert role.may("ssm:PutParameter", f"arn:aws:ssm:eu-central-1:{account}:parameter/shop/crab/live/target")
