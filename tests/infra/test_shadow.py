"""A place for a version in production's shadow, and who may put one there: the function that a push cannot change, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra.model.change_production import shadow_plan as plan
from infra.serving import shadow_variant
from settings_schema.names import SHADOW_VARIANT, VARIANT
from settings_schema.reading import Settings
from settings_schema.rollout import UPDATE, Update
from tests.example_models import PRODUCTION
from tests.infra.cases import ONE, TWO
from tests.infra.conftest import guarded_and_at_once, resources_of
from tests.infra.grants import Templates, roles

PLAIN, STACK = "shop--abalone--live", "shop--abalone-large--live"
FUNCTION = "shop--abalone-large--change-shadow"


def staging(templates: Templates, model: str) -> list[dict[str, Any]]:
    """Actions of the stage of a model's deploy pipeline, in their order."""
    pipelines = {item["Name"]: item for item in resources_of(templates, "AWS::CodePipeline::Pipeline").values()}
    (stage,) = [stage for stage in pipelines[f"shop--{model}--deploy"]["Stages"] if stage["Name"] == "Staging"]
    return sorted(stage["Actions"], key=lambda action: action["RunOrder"])


# ----------------------------------------------------------------------------------------------------- what serves


def test_nothing_is_in_the_shadow_unless_somebody_puts_it_there(templates: Templates) -> None:
    parameters = templates[STACK]["Parameters"]
    assert parameters[shadow_variant.PACKAGE]["Default"] == ""
    assert templates[STACK]["Conditions"]["Shadowed"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": shadow_variant.PACKAGE}, ""]}]}
    (config,) = resources_of(templates, "AWS::SageMaker::EndpointConfig", STACK).values()
    condition, there, otherwise = config["ShadowProductionVariants"]["Fn::If"]
    assert (condition, otherwise) == ("Shadowed", {"Ref": "AWS::NoValue"})
    (production,) = config["ProductionVariants"]
    assert [item["VariantName"] for item in (production, *there)] == [VARIANT, SHADOW_VARIANT]


def test_the_shadow_is_as_production_is_and_gets_its_share_of_requests(templates: Templates) -> None:
    (config,) = resources_of(templates, "AWS::SageMaker::EndpointConfig", STACK).values()
    (shadow,), (production,) = config["ShadowProductionVariants"]["Fn::If"][1], config["ProductionVariants"]
    assert (shadow["InstanceType"], shadow["RoutingConfig"]) == (production["InstanceType"], production["RoutingConfig"])
    assert shadow["InitialVariantWeight"] / production["InitialVariantWeight"] == 0.25
    assert shadow["InitialInstanceCount"] == {"Ref": shadow_variant.INSTANCES}


def test_an_update_that_lets_a_shadow_in_or_out_has_no_guardrails(templates: Templates) -> None:
    """With them SageMaker takes the same variants only ("Exclusions"), and says nothing of shadows."""
    (endpoint,) = resources_of(templates, "AWS::SageMaker::Endpoint", STACK).values()
    guarded, at_once = guarded_and_at_once(endpoint)
    assert at_once == {"Ref": "AWS::NoValue"}
    assert "AutoRollbackConfiguration" in guarded


def test_its_model_is_of_the_version_in_the_shadow_and_is_there_as_long(templates: Templates) -> None:
    models = [item for item in templates[STACK]["Resources"].values() if item["Type"] == "AWS::SageMaker::Model"]
    (shadow,) = [item for item in models if item.get("Condition") == "Shadowed"]
    container = shadow["Properties"]["PrimaryContainer"]
    assert container["ModelPackageName"] == {"Ref": shadow_variant.PACKAGE}
    assert container["Environment"]["MODEL_VERSION"] == {"Ref": shadow_variant.VERSION}
    assert shadow["DeletionPolicy"] == "Delete"


def test_without_a_shadow_a_stack_has_none_of_it(templates: Templates) -> None:
    assert shadow_variant.PACKAGE not in templates[PLAIN]["Parameters"]
    (config,) = resources_of(templates, "AWS::SageMaker::EndpointConfig", PLAIN).values()
    assert "ShadowProductionVariants" not in config
    assert not any(role.arn.endswith("/shop--abalone--change-shadow") for role in roles(templates).values())


def test_the_function_knows_the_parameters_by_their_names() -> None:
    assert (shadow_variant.PACKAGE, shadow_variant.VERSION, shadow_variant.INSTANCES) == (plan.PACKAGE, plan.VERSION, plan.INSTANCES)
    assert (UPDATE, Update.AT_ONCE.value) == (plan.UPDATE, plan.AT_ONCE)


# ---------------------------------------------------------------------------------------------------- who may do it


@pytest.mark.parametrize(
    ("settings", "account", "stack", "changing"),
    [(ONE, "111122223333", STACK, FUNCTION), (TWO, "333333333333", PLAIN, f"{PLAIN}--shadow")],
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


def test_what_a_push_brings_can_only_ask_the_function(templates: Templates) -> None:
    function = f"arn:aws:lambda:us-east-1:111122223333:function:{FUNCTION}"
    asking = {role.service: role.arn for role in roles(templates).values() if role.may("lambda:InvokeFunction", function)}
    assert set(asking) == {"scheduler.amazonaws.com", "codebuild.amazonaws.com"}
    assert asking["codebuild.amazonaws.com"].endswith("/shop--abalone-large--shadow")


# ------------------------------------------------------------------------------------------------------ the pipeline


def test_the_comparison_is_between_the_verification_and_the_approval_which_shows_it(templates: Templates) -> None:
    actions = staging(templates, "abalone-large")
    assert [(action["Name"], action["RunOrder"]) for action in actions] == [
        ("Deploy", 1),
        ("ChangeType", 2),
        ("Verify", 3),
        ("Shadow", 4),
        ("Approve", 5),
    ]
    assert actions[3]["Namespace"] == "Shadow" and "#{Shadow.COMPARISON}" in actions[4]["Configuration"]["CustomData"]


def test_without_a_shadow_nothing_is_compared(templates: Templates) -> None:
    actions = staging(templates, "abalone")
    assert [(action["Name"], action["RunOrder"]) for action in actions] == [("Deploy", 1), ("ChangeType", 2), ("Verify", 3), ("Approve", 4)]
    assert "Shadow" not in actions[3]["Configuration"]["CustomData"]


def test_the_build_has_the_time_that_the_comparison_takes(templates: Templates) -> None:
    projects = {item["Name"]: item for item in resources_of(templates, "AWS::CodeBuild::Project").values()}
    assert 90 + 2 * 30 < projects["shop--abalone-large--shadow"]["TimeoutInMinutes"] <= 8 * 60
