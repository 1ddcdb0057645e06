"""A place for a second version beside the one that serves, and who may put one there: the function that a push cannot change."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from infra.model.change_production import experiment_plan as plan
from infra.serving import challenger_variant
from infra.serving.endpoint_alarms import CHALLENGER
from settings_schema.names import CHALLENGER_VARIANT, VARIANT
from settings_schema.reading import Settings
from tests.example_models import PRODUCTION
from tests.infra.cases import ONE, THREE
from tests.infra.conftest import guarded_and_at_once, resources_of
from tests.infra.grants import Templates, roles

PLAIN, STACK = "shop--abalone--live", "shop--tried--live"
FUNCTION, LOAD_ALARM = "shop--tried--change-experiment", f"{STACK}--challenger-load"


def variants(templates: Templates, stack: str) -> list[dict[str, Any]]:
    (config,) = resources_of(templates, "AWS::SageMaker::EndpointConfig", stack).values()
    return list(config["ProductionVariants"])


def test_nothing_is_beside_what_serves_unless_somebody_puts_it_there(templates: Templates) -> None:
    champion, beside = variants(templates, STACK)
    condition, challenger, otherwise = beside["Fn::If"]
    assert templates[STACK]["Parameters"][challenger_variant.PACKAGE]["Default"] == ""
    assert templates[STACK]["Conditions"][condition] == {"Fn::Not": [{"Fn::Equals": [{"Ref": challenger_variant.PACKAGE}, ""]}]}
    assert otherwise == {"Ref": "AWS::NoValue"}
    assert (champion["VariantName"], challenger["VariantName"]) == (VARIANT, CHALLENGER_VARIANT)


def test_the_challenger_gets_its_share_of_the_requests_and_preflight_sees_as_many_instances_as_there_can_be(templates: Templates) -> None:
    champion, beside = variants(templates, STACK)
    challenger = beside["Fn::If"][1]
    weights = [item["InitialVariantWeight"] for item in (champion, challenger)]
    assert weights[1] / sum(weights) == pytest.approx(0.2)
    assert (challenger["InstanceType"], challenger["InitialInstanceCount"]) == (champion["InstanceType"], {"Ref": plan.INSTANCES})
    assert templates[STACK]["Parameters"][plan.INSTANCES]["Default"] == 2  # of at most 8


def test_the_challenger_scales_by_the_champion_s_policies_in_its_share_of_the_bounds(templates: Templates) -> None:
    targets = resources_of(templates, "AWS::ApplicationAutoScaling::ScalableTarget", STACK)
    bounds = {item["ResourceId"].rsplit("/", 1)[-1]: (item["MinCapacity"], item["MaxCapacity"]) for item in targets.values()}
    assert bounds == {VARIANT: (2, 8), CHALLENGER_VARIANT: (1, 2)}
    policies = resources_of(templates, "AWS::ApplicationAutoScaling::ScalingPolicy", STACK).values()
    champions, challengers = ([without_target(item) for item in policies if scales(item, target)] for target in targets)
    assert champions == challengers and champions
    (alarm,) = (item for item in resources_of(templates, "AWS::CloudWatch::Alarm", STACK).values() if item["AlarmName"] == LOAD_ALARM)
    assert {"Name": "VariantName", "Value": CHALLENGER_VARIANT} in alarm["Dimensions"]


def scales(policy: dict[str, Any], target: str) -> bool:
    return bool(policy["ScalingTargetId"] == {"Ref": target.rsplit("/", 1)[-1]})


def without_target(policy: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in policy.items() if name != "ScalingTargetId"}


def test_its_scaling_is_there_only_while_the_function_says_so_and_no_deployment_does(templates: Templates) -> None:
    """SageMaker removes no variant that is a scalable target, and CloudFormation takes a target away after it has updated the endpoint."""
    made = templates[STACK]["Resources"]
    scaling = {name: item for name, item in made.items() if name.startswith("AutoscalingChallenger")}
    assert len(scaling) == 4, "a target, a policy that tracks, one of steps and its alarm"
    assert {item["Condition"] for item in scaling.values()} == {challenger_variant.SCALES}
    first, second = templates[STACK]["Conditions"][challenger_variant.SCALES]["Fn::And"]
    assert first == {"Condition": challenger_variant.CONDITION}
    assert second == {"Fn::Equals": [{"Ref": plan.SCALING}, "on"]}
    assert templates[STACK]["Parameters"][plan.SCALING]["Default"] == "off"
    (endpoint,) = (name for name, item in made.items() if item["Type"] == "AWS::SageMaker::Endpoint")
    assert all(endpoint in item["DependsOn"] for item in scaling.values())


def test_an_update_that_changes_the_variants_has_no_guardrails(templates: Templates) -> None:
    """With them SageMaker takes the same variants only ("Exclusions"); a version that is rolled out is guarded as ever."""
    (endpoint,) = resources_of(templates, "AWS::SageMaker::Endpoint", STACK).values()
    guarded, at_once = guarded_and_at_once(endpoint)
    assert at_once == {"Ref": "AWS::NoValue"}
    assert "AutoRollbackConfiguration" in guarded


def test_the_challenger_has_alarms_of_its_own_by_the_same_limits(templates: Templates) -> None:
    made = resources_of(templates, "AWS::CloudWatch::Alarm", STACK).values()
    alarms = {item["AlarmName"]: item for item in made if isinstance(item["AlarmName"], str)}
    for own, of_all in zip(CHALLENGER, ("server-errors", "latency-p99"), strict=True):
        mine, theirs = alarms[f"{STACK}--{own}"], alarms[f"{STACK}--{of_all}"]
        assert [item["Threshold"] for item in (mine, theirs)] == [theirs["Threshold"]] * 2
        assert {"Name": "VariantName", "Value": CHALLENGER_VARIANT} in mine["Dimensions"]


def test_the_watch_is_told_what_is_tried_since_when_and_until_when(templates: Templates) -> None:
    body = json.dumps(templates[STACK])
    for name in (challenger_variant.VERSION, plan.BEGAN):
        assert f"${{{name}}}" in body
    assert "EXPERIMENT_LABELLED_ANSWERS" in body and "EXPERIMENT" not in json.dumps(templates[PLAIN])


def test_the_function_knows_the_parameters_by_their_names() -> None:
    known = ("PACKAGE", "VERSION", "NEVER", "INSTANCES", "SCALING", "OFF", "ON")
    assert [getattr(challenger_variant, name) for name in known] == [getattr(plan, name) for name in known]


@pytest.mark.parametrize(
    ("settings", "account", "stack", "changing"),
    [(ONE, "111122223333", STACK, FUNCTION), (THREE, "333333333333", PLAIN, f"{PLAIN}--experiment")],
    ids=["one account", "production in another"],
)
def test_besides_the_pipelines_only_the_function_changes_production(
    synthesized: Callable[[Settings], Any], settings: Settings, account: str, stack: str, changing: str
) -> None:
    templates = synthesized(settings)[1]
    region = templates.place(f"shop--environment--{PRODUCTION.name}")[1]
    arn = f"arn:aws:cloudformation:{region}:{account}:stack/{stack}/an-id"
    changers = {role.arn.rsplit("/", 1)[-1] for role in roles(templates).values() if role.may("cloudformation:UpdateStack", arn)}
    assert changers == {f"{stack}--deploy", changing}


def test_it_answers_the_review_of_experiments_and_no_other(templates: Templates) -> None:
    pipeline = "arn:aws:codepipeline:us-east-1:111122223333:shop--tried--deploy"
    answering = {
        review: {role.arn.rsplit("/", 1)[-1] for role in roles(templates).values() if role.may("codepipeline:PutApprovalResult", review)}
        for review in (f"{pipeline}/Experiment/Decide", f"{pipeline}/Staging/Approve")
    }
    assert list(answering.values()) == [{FUNCTION}, set()]


def test_the_review_is_between_the_approval_and_production_and_as_long_as_an_experiment_can_be(templates: Templates) -> None:
    pipelines = {item["Name"]: item for item in resources_of(templates, "AWS::CodePipeline::Pipeline").values()}
    stages = {stage["Name"]: stage["Actions"] for stage in pipelines["shop--tried--deploy"]["Stages"]}
    assert list(stages) == ["Source", "Render", "Staging", "Experiment", "Production"]
    (decide,) = stages["Experiment"]
    told = [item.get("Configuration", {}).get("EnvironmentVariables", "[]") for item in stages["Production"]]
    given = {item["name"]: item["value"] for item in json.loads(told[0])}
    assert given["EXPERIMENT"] == "Experiment", "the function that takes a challenger out is there, so it is waited for"
    assert decide["TimeoutInMinutes"] == (10 + 7) * 24 * 60
    assert "20 % of production's requests" in decide["Configuration"]["CustomData"]
    assert "Experiment" not in [stage["Name"] for stage in pipelines["shop--abalone--deploy"]["Stages"]]
