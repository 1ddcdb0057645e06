"""Every permission of every role can take effect: by AWS's service authorization reference, its actions exist and act on its resources."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.infra.grants import authorization, matches, only, roles


@pytest.fixture(scope="session")
def allowed(case: Any) -> list[tuple[str, str, list[str]]]:
    """Role, action and resources of everything that is allowed, each action by its name."""
    _, (_, templates) = case
    return [
        (name, action, statement.resources)
        for name, role in roles(templates).items()
        for statement in role.statements
        for action in statement.actions
    ]


def test_every_action_exists(allowed: Any) -> None:
    reference = authorization()
    for name, action, _ in allowed:
        service, _, verb = action.partition(":")
        known = reference[service]["Actions"]
        assert any(matches(verb, candidate, ignore_case=True) for candidate in known), f"{name} allows {action}"


def test_what_takes_no_resource_is_allowed_on_all(allowed: Any) -> None:
    """Allowed on an ARN, such an action is never allowed."""
    reference = authorization()
    on_all = {(name, action) for name, action, resources in allowed if "*" in resources}
    for name, action, _ in allowed:
        service, _, verb = action.partition(":")
        definition = reference[service]["Actions"].get(verb.lower())
        if definition is not None and not definition.get("Resources"):
            assert (name, action) in on_all, f"{name}: {action} takes no resource"


def test_what_acts_on_a_kind_of_resource_is_allowed_on_one_of_that_kind(allowed: Any) -> None:
    """Allowed on another kind's ARN, such an action is never allowed either."""
    reference = authorization()
    by_role: dict[tuple[str, str], list[str]] = {}
    for name, action, resources in allowed:
        by_role.setdefault((name, action), []).extend(resources)
    for (name, action), resources in by_role.items():
        service, _, verb = action.partition(":")
        kinds = reference[service]["Actions"].get(verb.lower(), {}).get("Resources", [])
        known = {kind.lower(): definition for kind, definition in reference[service]["Resources"].items()}
        formats = [form for kind in kinds for form in known[kind.lower()]["ARNFormats"]]
        expressions = [re.sub(r"\$\{\w+\}", ".*", form) for form in formats]
        fits = any(resource == "*" or re.fullmatch(expression, resource) for resource in resources for expression in expressions)
        assert fits or not formats, f"{name}: {action} acts on {', '.join(kinds)}, and is allowed on {resources}"


def test_a_key_makes_grants_for_aws_services_only(templates: Any) -> None:
    granting = [statement for role in roles(templates).values() for statement in role.allowing("kms:CreateGrant")]
    assert granting
    assert all(statement.condition["Bool"] == {"kms:GrantIsForAWSResource": "true"} for statement in granting)


ARTIFACTS = "arn:aws:s3:::shop--artifacts-111122223333-us-east-1"
DECIDES = ("code/0123456789abcdef/steps/train.py", "code/templates/0abc/shop--abalone--live.template.json")
#: CodePipeline shortens a pipeline's name to 20 characters.
ARTIFACT = "shop--abalone--deplo/Rendered/0a1b2c3d.zip"
OF_THE_RETURN = "shop--abalone--retur/Rendered/0a1b2c3d.zip"
OF_THE_BUILD = "shop--build/Source/0a1b2c3d.zip"
#: What people were told last about the model's deployments.
TOLD = "deployments/abalone/told.txt"
MODEL = "pipelines/shop--abalone--training/abcdefghijkl/choose/model/model.tar.gz"


def test_a_job_writes_what_its_pipeline_makes_and_nothing_that_decides_later(templates: Any) -> None:
    role = only(roles(templates), "shop--abalone/TrainingRole")
    assert role.may("s3:PutObject", f"{ARTIFACTS}/{MODEL}")
    for key in (*DECIDES, ARTIFACT):
        assert not role.may("s3:PutObject", f"{ARTIFACTS}/{key}"), key
    assert not role.may("s3:DeleteObject")
    assert not role.may("s3:DeleteObjectVersion")


def test_an_endpoint_reads_models_and_writes_only_what_it_captures(templates: Any) -> None:
    role = only(roles(templates), "shop--environment--live/ModelsabaloneInferenceRole")
    assert role.may("s3:GetObject", f"{ARTIFACTS}/{MODEL}")
    for key in (*DECIDES, ARTIFACT):
        assert not role.may("s3:GetObject", f"{ARTIFACTS}/{key}"), key
    written = [resource for statement in role.allowing("s3:PutObject") for resource in statement.resources]
    assert written == ["arn:aws:s3:::shop--live-111122223333-us-east-1/capture/shop--abalone--live/*"]


def test_a_build_cannot_replace_what_an_earlier_one_published(templates: Any) -> None:
    """`if-none-match` is a condition of the request: S3 then refuses to write over an object."""
    role = only(roles(templates), "shop--build/PipelineBuildRole")
    for key in DECIDES:
        granting = role.allowing("s3:PutObject", f"{ARTIFACTS}/{key}")
        assert granting
        assert all(statement.condition == {"Null": {"s3:if-none-match": "false"}} for statement in granting), key
    assert not role.may("s3:DeleteObject")
    assert not role.may("s3:PutObject", f"{ARTIFACTS}/{MODEL}")
    assert not role.may("s3:PutObject", f"{ARTIFACTS}/{ARTIFACT}")


@pytest.mark.parametrize("build", ["RenderRole", "VerifyRole"])
def test_what_deploys_reads_only_what_it_needs(templates: Any, build: str) -> None:
    role = only(roles(templates), f"shop--abalone/DeployProjects{build}")
    for key in (*DECIDES, MODEL, OF_THE_BUILD, TOLD):
        assert not role.may("s3:PutObject", f"{ARTIFACTS}/{key}"), key
    for artifact in (ARTIFACT, OF_THE_RETURN):
        assert role.may("s3:PutObject", f"{ARTIFACTS}/{artifact}") is (build == "RenderRole")
    readable = {key for key in (*DECIDES, MODEL, OF_THE_BUILD) if role.may("s3:GetObject", f"{ARTIFACTS}/{key}")}
    assert readable == {"RenderRole": {*DECIDES[1:], MODEL}, "VerifyRole": {MODEL}}[build]


def test_a_pipeline_reaches_its_own_artifacts_and_no_other_s(templates: Any) -> None:
    prefixes = {
        "shop--build/PipelinePipelineRole": "shop--build",
        "shop--abalone/DeployPipelineRole": "shop--abalone--deplo",
        "shop--abalone/ReturnPipelineRole": "shop--abalone--retur",
    }
    for name, own in prefixes.items():
        role = only(roles(templates), name)
        for action in ("s3:GetObject", "s3:PutObject"):
            assert not role.may(action, f"{ARTIFACTS}/{MODEL}")
            for prefix in prefixes.values():
                assert role.may(action, f"{ARTIFACTS}/{prefix}/Source/0a1b.zip") is (prefix == own)


def test_pushed_code_registers_versions_only_as_undecided(templates: Any) -> None:
    """A version that is approved would be deployed without a person."""
    for name, role in roles(templates).items():
        registering = role.allowing("sagemaker:CreateModelPackage")
        assert bool(registering) is ("/TrainingRole" in name), name
        for statement in registering:
            assert statement.condition == {"StringEquals": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}}


@pytest.mark.parametrize(
    "action",
    [
        "sagemaker:UpdateModelPackage",
        "sagemaker:DeleteModelPackage",
        "codepipeline:PutApprovalResult",
        "codepipeline:RollbackStage",
        "codepipeline:UpdatePipeline",
    ],
)
def test_no_role_approves_or_changes_who_decides(templates: Any, action: str) -> None:
    """People do, with roles of their own. The review of an experiment is none of a version: a person let that in before, and the function
    that answers it with yes has nothing to try, or says no (test_experiment.py).
    """
    assert [name for name, role in roles(templates).items() if role.may(action) and "ExperimentFunction" not in name] == []


@pytest.mark.parametrize("action", ["lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"])
def test_a_function_is_changed_only_as_a_part_of_a_stack_that_an_approval_deploys(templates: Any, action: str) -> None:
    changing = {role.arn.rsplit("/", 1)[-1]: role.allowing(action) for role in roles(templates).values() if role.may(action)}
    assert {name for name in changing if not name.endswith("--deployment")} == set()
    changed = {resource.rsplit(":", 1)[-1] for statements in changing.values() for item in statements for resource in item.resources}
    assert changed == {f"shop--{model}--{environment}--score" for model in ("arrests", "arrests-large") for environment in ("try", "live")}


@pytest.mark.parametrize("action", ["StartPipelineExecution", "StopPipelineExecution"])
@pytest.mark.parametrize("kind", ["deploy", "return"])
@pytest.mark.parametrize("model", ["abalone", "arrests"])
def test_only_the_function_that_decides_starts_a_deployment_or_a_return(templates: Any, model: str, kind: str, action: str) -> None:
    """What it starts becomes CodePipeline's history, by which a version returns to production without an approval."""
    pipeline = f"arn:aws:codepipeline:us-east-1:111122223333:shop--{model}--{kind}"
    (starting,) = [role for role in roles(templates).values() if role.may(f"codepipeline:{action}", pipeline)]
    assert (starting.service, starting.arn.rsplit("/", 1)[-1]) == ("lambda.amazonaws.com", f"shop--{model}--start-deployment")
    function = f"arn:aws:lambda:us-east-1:111122223333:function:shop--{model}--start-deployment"
    waking = [role for role in roles(templates).values() if role.may("lambda:InvokeFunction", function)]
    assert [role.service for role in waking] == ["scheduler.amazonaws.com"], "the clock alone"


def test_the_function_that_decides_sets_the_variables_that_the_pipelines_have() -> None:
    from infra.model.return_pipeline import LEAVING_VARIABLE
    from infra.model.rollout_pipeline import PACKAGE_VARIABLE
    from infra.model.start_deployment.handler import LEAVING, PACKAGE

    assert (PACKAGE, LEAVING) == (PACKAGE_VARIABLE, LEAVING_VARIABLE)


@pytest.mark.parametrize(("environment", "pipelines"), [("try", ["deploy"]), ("live", ["deploy", "return"])])
def test_only_production_is_returned_to(templates: Any, environment: str, pipelines: list[str]) -> None:
    """The Deploy action's role lets in the pipelines that deploy there, and nobody else."""
    role = only(roles(templates), f"shop--environment--{environment}/ModelsabaloneDeployRole")
    let_in = [arn for item in role.trust["Statement"] for arn in item["Condition"]["ArnLike"]["aws:PrincipalArn"]]
    assert [str(arn).rsplit("shop--abalone--", 1)[-1].split("'")[0].rstrip(']} ,"') for arn in let_in] == pipelines
