"""Every role that CloudFormation is given may do what CloudFormation does for the resource types that it deploys."""

from __future__ import annotations

from typing import Any

import pytest

from deploy_scripts.render import template_configuration
from tests.example_models import ABALONE, PROJECT
from tests.infra.acceptances import NOT_CALLED, NOT_SET
from tests.infra.cases import ONE, serving_stacks
from tests.infra.conftest import guarded_and_at_once
from tests.infra.grants import Role, Templates, handlers, is_met_without_tags, roles, text

ENDPOINTS, BATCHES = serving_stacks(ONE, batch=False), serving_stacks(ONE, batch=True)


def of_stack(templates: Templates, stack: str, kind: str) -> Role:
    """A role of that stack's model in that stack's environment, by the end of its name."""
    (role,) = [role for role in roles(templates).values() if role.arn.endswith(f":role/{stack}--{kind}")]
    return role


@pytest.fixture(scope="session")
def deploying(templates: Templates) -> Role:
    return of_stack(templates, "shop--abalone--live", "deployment")


@pytest.fixture(scope="session")
def deployed(templates: Any) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Stack -> resource type -> properties of each resource that CloudFormation deploys with that stack's role."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for stack in serving_stacks(ONE):
        for resource in templates[stack]["Resources"].values():
            found.setdefault(stack, {}).setdefault(resource["Type"], []).append(resource.get("Properties", {}))
    return found


@pytest.mark.parametrize("stack", serving_stacks(ONE))
def test_the_role_may_do_what_the_handlers_of_its_resource_types_do(templates: Templates, deployed: Any, stack: str) -> None:
    """AWS's own schemas say which actions creating, reading, updating and deleting a resource calls."""
    accepted, role = (
        {action for actions in NOT_SET.values() for action in actions} | set(NOT_CALLED),
        of_stack(templates, stack, "deployment"),
    )
    for kind in deployed[stack]:
        called = {action for name, actions in handlers(kind).items() if name != "list" for action in actions}
        assert called, f"{kind} publishes no handlers"
        lacking = sorted(action for action in called - accepted if not role.may(action))
        assert lacking == [], f"{kind} needs {lacking}"


def test_an_action_is_left_out_only_while_its_property_is_not_set(deployed: Any) -> None:
    for (kind, name), actions in NOT_SET.items():
        made = [properties for kinds in deployed.values() for properties in kinds.get(kind, [])]
        assert made, f"{kind} is deployed no more"
        assert not any(name in properties for properties in made), f"{kind}.{name} is set now: allow {actions}"


def test_every_exception_is_still_one(templates: Templates, deployed: Any) -> None:
    called = {action for kinds in deployed.values() for kind in kinds for actions in handlers(kind).values() for action in actions}
    excepted = {action for actions in NOT_SET.values() for action in actions} | set(NOT_CALLED)
    assert excepted <= called, "no handler calls these any more"
    for stack in deployed:
        role = of_stack(templates, stack, "deployment")
        assert {action for action in excepted if role.may(action)} == set(), f"allowed, and excepted as well: {stack}"


@pytest.mark.parametrize("stack", serving_stacks(ONE))
def test_whoever_deploys_a_stack_with_tags_may_tag_it(templates: Templates, stack: str) -> None:
    names = ABALONE.names(PROJECT).at("live")
    assert template_configuration({}, {}, names, "p-1")["Tags"] == {
        "sagemaker:project-name": "shop",
        "sagemaker:project-id": "p-1",
        "model": "abalone",
        "environment": "live",
    }
    role = of_stack(templates, stack, "deploy")
    for action in ("cloudformation:CreateStack", "cloudformation:TagResource", "cloudformation:UntagResource"):
        assert role.may(action, f"arn:aws:cloudformation:us-east-1:111122223333:stack/{stack}/an-id")


def test_two_versions_are_deployed_with_the_same_stack_tags() -> None:
    """A tag that changes would change every resource of the stack, also the scalable target whose bounds a schedule has set."""
    names = ABALONE.names(PROJECT).at("live")
    first, second = (template_configuration({"ModelPackageArn": f"arn/{number}"}, {}, names, "p-1")["Tags"] for number in (1, 2))
    assert first == second


@pytest.mark.parametrize("stack", serving_stacks(ONE))
def test_what_is_made_has_the_tags_by_which_the_role_may_make_it(templates: Templates, stack: str) -> None:
    """CloudFormation names models and configurations, so nothing else says whose they are."""
    role = of_stack(templates, stack, "deployment")
    for resource in templates[stack]["Resources"].values():
        if resource["Type"] in ("AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig"):
            tags = {tag["Key"]: tag["Value"] for tag in resource["Properties"]["Tags"]}
            making = role.allowing(f"sagemaker:Create{resource['Type'].rsplit(':', 1)[-1]}")
            wanted = [statement.condition["StringEquals"] for statement in making if "StringEquals" in statement.condition]
            assert wanted
            for condition in wanted:
                for key, value in condition.items():
                    assert tags[key.removeprefix("aws:RequestTag/")] == value


def test_sagemaker_may_watch_the_alarms_that_roll_an_endpoint_back(templates: Any) -> None:
    """It asks for them as the endpoint's execution role."""
    for stack in ENDPOINTS:
        resources, role = templates[stack]["Resources"], of_stack(templates, stack, "inference")
        (endpoint,) = [item["Properties"] for item in resources.values() if item["Type"] == "AWS::SageMaker::Endpoint"]
        for alarm in guarded_and_at_once(endpoint)[0]["AutoRollbackConfiguration"]["Alarms"]:
            name = resources[alarm["AlarmName"]["Ref"]]["Properties"]["AlarmName"]
            assert role.may("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{name}"), name


def of_version_12(name: Any) -> str:
    """The name of an alarm that may be one version's: then it ends with what the stack is given."""
    return name if isinstance(name, str) else "".join(part if isinstance(part, str) else "12" for part in name["Fn::Join"][1])


def test_every_alarm_of_a_serving_stack_is_one_that_the_role_may_make(templates: Any) -> None:
    for stack in serving_stacks(ONE):
        deploying = of_stack(templates, stack, "deployment")
        for resource in templates[stack]["Resources"].values():
            if resource["Type"] == "AWS::CloudWatch::Alarm":
                name = of_version_12(resource["Properties"]["AlarmName"])
                for action in ("cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"):
                    assert deploying.may(action, f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{name}"), name


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
    assert "AWS::ApplicationAutoScaling::ScalableTarget" in deployed["shop--abalone--live"]
    assert deploying.may(action, tried_on)


@pytest.mark.parametrize("action", ["sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"])
def test_an_endpoint_gets_a_configuration_whose_tags_do_not_count_yet(deploying: Role, action: str) -> None:
    """CloudFormation makes it a second before, and gives it a name that says nothing of the project."""
    statements = deploying.allowing(action, "arn:aws:sagemaker:us-east-1:111122223333:endpoint-config/configuration-aBcDeFgHiJkL")
    assert any(is_met_without_tags(statement.condition) for statement in statements)
    assert not deploying.may(action, "arn:aws:sagemaker:us-east-1:111122223333:endpoint/of-others")


def test_a_function_is_made_after_the_permissions_that_lambda_asks_about(templates: Any) -> None:
    """Lambda refuses a function whose role may not send to its dead letters: "... does not have permissions to call SendMessage on SQS"."""
    by_arn = {role.arn: role for role in roles(templates).values()}
    functions = 0
    for stack, template in templates.items():
        for name, function in template["Resources"].items():
            if function["Type"] == "AWS::Lambda::Function" and "DeadLetterConfig" in function["Properties"]:
                functions += 1
                role = by_arn[text(function["Properties"]["Role"], stack, templates)]
                assert role.may("sqs:SendMessage", text(function["Properties"]["DeadLetterConfig"]["TargetArn"], stack, templates)), name
    attached = [item for template in templates.values() for item in template["Resources"].values() if item["Type"] == "AWS::IAM::Policy"]
    assert (functions > 3, attached) == (True, []), "a policy of its own may come later than its role"


@pytest.mark.parametrize("stack", BATCHES)
def test_every_name_that_a_batch_stack_gives_is_one_that_the_role_may_make(templates: Templates, stack: str) -> None:
    role, making = of_stack(templates, stack, "deployment"), 0
    patterns = {
        "AWS::Lambda::Function": ("FunctionName", "lambda:CreateFunction", "lambda:us-east-1:111122223333:function:{}"),
        "AWS::Events::Rule": ("Name", "events:PutRule", "events:us-east-1:111122223333:rule/{}"),
        "AWS::Scheduler::Schedule": ("Name", "scheduler:CreateSchedule", "scheduler:us-east-1:111122223333:schedule/default/{}"),
        "AWS::Logs::LogGroup": ("LogGroupName", "logs:CreateLogGroup", "logs:us-east-1:111122223333:log-group:{}"),
    }
    for resource in templates[stack]["Resources"].values():
        if resource["Type"] in patterns:
            name, action, arn = patterns[resource["Type"]]
            assert role.may(action, f"arn:aws:{arn.format(resource['Properties'][name])}"), resource["Properties"][name]
            making += 1
    assert making >= 2
