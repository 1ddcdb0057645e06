"""Every role that CloudFormation is given may do what CloudFormation does for the resource types that it deploys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from build_scripts.registry import Version
from deploy_scripts.render import template_configuration
from tests.infra.acceptances import NOT_CALLED, NOT_SET
from tests.infra.conftest import ENDPOINTS
from tests.infra.grants import Role, handlers, is_met_without_tags, only, roles


@pytest.fixture(scope="session")
def deploying(templates: Any) -> Role:
    return only(roles(templates), "DeployCloudFormation")


@pytest.fixture(scope="session")
def deployed(templates: Any) -> dict[str, list[dict[str, Any]]]:
    """Resource type -> properties of each resource of the stacks that CloudFormation deploys with that role."""
    found: dict[str, list[dict[str, Any]]] = {}
    for stack in ENDPOINTS:
        for resource in templates[stack]["Resources"].values():
            found.setdefault(resource["Type"], []).append(resource.get("Properties", {}))
    return found


def test_the_role_may_do_what_the_handlers_of_its_resource_types_do(deploying: Role, deployed: Any) -> None:
    """AWS's own schemas say which actions creating, reading, updating and deleting a resource calls."""
    accepted = {action for actions in NOT_SET.values() for action in actions} | set(NOT_CALLED)
    for kind in deployed:
        called = {action for name, actions in handlers(kind).items() if name != "list" for action in actions}
        assert called, f"{kind} publishes no handlers"
        lacking = sorted(action for action in called - accepted if not deploying.may(action))
        assert lacking == [], f"{kind} needs {lacking}"


def test_an_action_is_left_out_only_while_its_property_is_not_set(deployed: Any) -> None:
    for (kind, name), actions in NOT_SET.items():
        assert not any(name in properties for properties in deployed[kind]), f"{kind}.{name} is set now: allow {actions}"


def test_every_exception_is_still_one(deploying: Role, deployed: Any) -> None:
    called = {action for kind in deployed for actions in handlers(kind).values() for action in actions}
    excepted = {action for actions in NOT_SET.values() for action in actions} | set(NOT_CALLED)
    assert excepted <= called, "no handler calls these any more"
    assert {action for action in excepted if deploying.may(action)} == set(), "allowed, and excepted as well"


def test_whoever_deploys_a_stack_with_tags_may_tag_it(templates: Any) -> None:
    assert template_configuration(Version("arn", 1, "Approved"), {}, {})["Tags"]
    pipeline = only(roles(templates), "DeployPipelineRole")
    for stack in ENDPOINTS:
        arn = f"arn:aws:cloudformation:us-east-1:111122223333:stack/{stack}/an-id"
        for action in ("cloudformation:CreateStack", "cloudformation:TagResource", "cloudformation:UntagResource"):
            assert pipeline.may(action, arn), f"{action} on {stack}"


def test_two_versions_are_deployed_with_the_same_stack_tags() -> None:
    """A tag that changes would change every resource of the stack, also the scalable target whose bounds a schedule has set."""
    first, second = (template_configuration(Version("arn", number, "Approved"), {}, {})["Tags"] for number in (1, 2))
    assert first == second


def test_sagemaker_may_watch_the_alarms_that_roll_an_endpoint_back(templates: Any) -> None:
    """It asks for them as the endpoint's execution role."""
    role = only(roles(templates), "InferenceRole")
    for stack in ENDPOINTS:
        resources = templates[stack]["Resources"]
        (endpoint,) = [item["Properties"] for item in resources.values() if item["Type"] == "AWS::SageMaker::Endpoint"]
        for alarm in endpoint["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]:
            name = resources[alarm["AlarmName"]["Ref"]]["Properties"]["AlarmName"]
            assert role.may("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{name}"), name


def test_every_alarm_of_an_endpoint_stack_is_one_that_the_role_may_make(templates: Any, deploying: Role) -> None:
    for stack in ENDPOINTS:
        for resource in templates[stack]["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                name = resource["Properties"]["AlarmName"]
                assert deploying.may("cloudwatch:PutMetricAlarm", f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{name}"), name


@pytest.mark.parametrize(
    ("action", "tried_on"),
    [
        ("sagemaker:DescribeEndpoint", "arn:aws:sagemaker:us-east-1:111122223333:endpoint/made-up"),
        ("sagemaker:DescribeEndpointConfig", "arn:aws:sagemaker:us-east-1:111122223333:endpoint-config/made-up"),
        ("sagemaker:UpdateEndpointWeightsAndCapacities", "arn:aws:sagemaker:us-east-1:111122223333:endpoint/made-up"),
        ("cloudwatch:PutMetricAlarm", "*"),
        ("cloudwatch:DescribeAlarms", "*"),
        ("cloudwatch:DeleteAlarms", "*"),
    ],
)
def test_the_role_may_do_what_application_auto_scaling_tries_before_it_registers_a_target(
    deploying: Role, deployed: Any, action: str, tried_on: str
) -> None:
    """Its user guide, "Permissions validation for API calls on target resources": with made-up names, or none."""
    assert "AWS::ApplicationAutoScaling::ScalableTarget" in deployed
    assert deploying.may(action, tried_on)


@pytest.mark.parametrize("action", ["sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"])
def test_an_endpoint_gets_a_configuration_whose_tags_do_not_count_yet(deploying: Role, action: str) -> None:
    """CloudFormation makes it a second before, and gives it a name that says nothing of the project."""
    statements = deploying.allowing(action, "arn:aws:sagemaker:us-east-1:111122223333:endpoint-config/configuration-aBcDeFgHiJkL")
    assert any(is_met_without_tags(statement.condition) for statement in statements)
    assert not deploying.may(action, "arn:aws:sagemaker:us-east-1:111122223333:endpoint/of-others")


def test_a_function_waits_for_the_policies_that_lambda_asks_about(templates: Any) -> None:
    """Lambda refuses a function whose role may not send to its dead letters: "... does not have permissions to call SendMessage on SQS"."""
    functions = 0
    for template in templates.values():
        for name, function in template["Resources"].items():
            if function["Type"] != "AWS::Lambda::Function" or "DeadLetterConfig" not in function["Properties"]:
                continue
            functions += 1
            waited_for = {key: template["Resources"][key] for key in function.get("DependsOn", [])}
            sends = [key for key, resource in waited_for.items() if "sqs:SendMessage" in json.dumps(resource["Properties"])]
            assert sends, f"{name} depends on {', '.join(waited_for)}"
    assert functions >= 3
