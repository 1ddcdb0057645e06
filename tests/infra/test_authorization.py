"""Every permission of every role can take effect: by AWS's service authorization reference, its actions exist and act on its resources."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.infra.grants import authorization, matches, only, roles


@pytest.fixture(scope="session")
def allowed(templates: Any) -> list[tuple[str, str, list[str]]]:
    """Role, action and resources of everything that is allowed, each action by its name."""
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
    assert all(statement.condition == {"Bool": {"kms:GrantIsForAWSResource": "true"}} for statement in granting)


PROJECT_TAG = "sagemaker:project-name"
#: Read by their kind, because neither their name nor, once they are gone, their tags say whose they are.
READING = ("Describe", "List", "Get")
#: Authorised also on the configuration that an endpoint gets, which they do not change.
USING_CONFIGURATIONS = ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint")


def resources_of(project: str) -> list[str]:
    """ARNs of what a project of that name has in the same account."""
    region, account = "us-east-1", "111122223333"
    sagemaker = (
        *(f"processing-job/{project}-prepare-abcdefghijkl-0123456789", f"pipeline/{project}-training", f"pipeline/{project}-batch"),
        *(
            f"pipeline/{project}-training/execution/abcdefghijkl",
            f"model-package-group/{project}-models",
            f"model-package/{project}-models/1",
        ),
        *(f"endpoint/{project}-staging", f"endpoint/{project}-production", "model/model-abcdefghijkl", "endpoint-config/config-abcdef"),
        *("hyper-parameter-tuning-job/abcdefghijkl-tunegra-0123456789", "transform-job/pipelines-abcdefghijkl-score-0123456789"),
    )
    return [
        *(f"arn:aws:sagemaker:{region}:{account}:{name}" for name in sagemaker),
        *(f"arn:aws:cloudwatch:{region}:{account}:alarm:{project}-{stage}-latency-p99" for stage in ("staging", "production")),
        f"arn:aws:cloudwatch:{region}:{account}:alarm:TargetTracking-endpoint/{project}-staging/variant/AllTraffic-AlarmHigh-1",
        *(f"arn:aws:logs:{region}:{account}:log-group:/aws/sagemaker/Endpoints/{project}-{stage}" for stage in ("staging", "production")),
        f"arn:aws:cloudformation:{region}:{account}:stack/{project}-endpoint-staging/an-id",
        *(f"arn:aws:codepipeline:{region}:{account}:{project}-{kind}" for kind in ("build", "deploy")),
        f"arn:aws:lambda:{region}:{account}:function:{project}-data-version",
        f"arn:aws:codecommit:{region}:{account}:{project}",
    ]


@pytest.mark.parametrize("other", ["mlops-x", "mlops-staging", "mlops-prepare"])
def test_no_role_changes_what_another_project_has(templates: Any, other: str) -> None:
    """Also of a project whose name begins with ours. Where a name cannot tell, the project's tag does."""
    for name, role in roles(templates).items():
        for resource in resources_of(other):
            for statement in role.statements:
                changing = [action for action in statement.actions if not action.partition(":")[2].startswith(READING)]
                if ":endpoint-config/" in resource:
                    changing = [action for action in changing if action not in USING_CONFIGURATIONS]
                if changing and "*" not in statement.resources and any(matches(pattern, resource) for pattern in statement.resources):
                    assert _is_by_tag(statement.condition), f"{name} allows {changing} on {resource}"


def _is_by_tag(condition: dict[str, Any]) -> bool:
    equal = condition.get("StringEquals", {})
    if set(equal.get("aws:ResourceTag/made-for-endpoint", [])) == {"mlops-staging", "mlops-production"}:
        return True
    return any(equal.get(f"aws:{kind}Tag/{PROJECT_TAG}") == "mlops" for kind in ("Request", "Resource"))


@pytest.fixture(scope="session")
def artifacts(templates: Any) -> str:
    """ARN of the artifact bucket."""
    resources = templates["mlops-foundation"]["Resources"]
    (logical_id,) = [name for name, item in resources.items() if item["Type"] == "AWS::S3::Bucket" and "Artifacts" in name]
    return f"arn:aws:s3:::<{logical_id}>"


DECIDES = ("code/0123456789abcdef/steps/train.py", "code/templates/0abc/mlops-endpoint-production.template.json")
ARTIFACT = "mlops-deploy/Rendered/0a1b2c3d.zip"
MODEL = "pipelines/mlops-training/abcdefghijkl/choose/model/model.tar.gz"


def test_a_job_writes_what_its_pipeline_makes_and_nothing_that_decides_later(templates: Any, artifacts: str) -> None:
    role = only(roles(templates), "foundation/PipelineRole")
    assert role.may("s3:PutObject", f"{artifacts}/{MODEL}")
    for key in (*DECIDES, ARTIFACT):
        assert not role.may("s3:PutObject", f"{artifacts}/{key}"), key
    assert not role.may("s3:DeleteObject")
    assert not role.may("s3:DeleteObjectVersion")


def test_an_endpoint_reads_models_and_writes_only_what_it_captures(templates: Any, artifacts: str) -> None:
    role = only(roles(templates), "InferenceRole")
    assert role.may("s3:GetObject", f"{artifacts}/{MODEL}")
    for key in (*DECIDES, ARTIFACT):
        assert not role.may("s3:GetObject", f"{artifacts}/{key}"), key
    written = [resource for statement in role.allowing("s3:PutObject") for resource in statement.resources]
    assert written
    assert all("/capture/mlops-" in resource for resource in written)


def test_a_build_cannot_replace_what_an_earlier_one_published(templates: Any, artifacts: str) -> None:
    """`if-none-match` is a condition of the request: S3 then refuses to write over an object."""
    role = only(roles(templates), "PipelineBuildRole")
    for key in DECIDES:
        granting = role.allowing("s3:PutObject", f"{artifacts}/{key}")
        assert granting
        assert all(statement.condition == {"Null": {"s3:if-none-match": "false"}} for statement in granting), key
    assert not role.may("s3:DeleteObject")
    assert not role.may("s3:PutObject", f"{artifacts}/{MODEL}")
    assert not role.may("s3:PutObject", f"{artifacts}/{ARTIFACT}")


@pytest.mark.parametrize("build", ["RenderRole", "StillApprovedRole", "VerifyRole"])
def test_what_deploys_reads_only_what_it_needs(templates: Any, artifacts: str, build: str) -> None:
    role = only(roles(templates), f"Projects{build}")
    for key in (*DECIDES, MODEL, "mlops-build/Source/0a1b2c3d.zip"):
        assert not role.may("s3:PutObject", f"{artifacts}/{key}"), key
    assert role.may("s3:PutObject", f"{artifacts}/{ARTIFACT}") is (build == "RenderRole")
    readable = {key for key in (*DECIDES, MODEL, "mlops-build/Source/0a1b2c3d.zip") if role.may("s3:GetObject", f"{artifacts}/{key}")}
    assert readable == {"RenderRole": {*DECIDES[1:], MODEL}, "StillApprovedRole": set(), "VerifyRole": {MODEL}}[build]


def test_a_pipeline_reaches_its_own_artifacts_and_no_other_s(templates: Any, artifacts: str) -> None:
    named = (("PipelinePipelineRole", "mlops-build", "mlops-deploy"), ("DeployPipelineRole", "mlops-deploy", "mlops-build"))
    for name, own, other in named:
        role = only(roles(templates), name)
        for action in ("s3:GetObject", "s3:PutObject"):
            assert role.may(action, f"{artifacts}/{own}/Source/0a1b.zip")
            assert not role.may(action, f"{artifacts}/{other}/Source/0a1b.zip")
            assert not role.may(action, f"{artifacts}/{MODEL}")


def test_pushed_code_registers_versions_only_as_undecided(templates: Any) -> None:
    """A version that is approved would be deployed without a person."""
    registering = {name: role.allowing("sagemaker:CreateModelPackage") for name, role in roles(templates).items()}
    (role,) = [name for name, statements in registering.items() if statements]
    assert role.startswith("mlops-foundation/PipelineRole")
    (statement,) = registering[role]
    assert statement.condition == {"StringEquals": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}}


@pytest.mark.parametrize(
    "action",
    [
        "sagemaker:UpdateModelPackage",
        "sagemaker:DeleteModelPackage",
        "codepipeline:PutApprovalResult",
        "codepipeline:RollbackStage",
        "codepipeline:UpdatePipeline",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
    ],
)
def test_no_role_approves_or_changes_who_decides(templates: Any, action: str) -> None:
    """People do, with roles of their own."""
    assert [name for name, role in roles(templates).items() if role.may(action)] == []


def test_only_the_function_that_decides_starts_a_deployment(templates: Any) -> None:
    """What it starts becomes CodePipeline's history, by which a version returns to production without an approval."""
    deploy = "arn:aws:codepipeline:us-east-1:111122223333:mlops-deploy"
    starting = [name for name, role in roles(templates).items() if role.may("codepipeline:StartPipelineExecution", deploy)]
    assert len(starting) == 1
    assert roles(templates)[starting[0]].service == "lambda.amazonaws.com"
    assert "StartDeployment" in starting[0]
    assert [name for name, role in roles(templates).items() if role.may("lambda:InvokeFunction") and "Start" in name] == []


def test_the_function_that_decides_sets_the_variables_that_the_pipeline_has() -> None:
    from infra.model.deploy_pipeline import PACKAGE_VARIABLE, RETURNING_VARIABLE
    from infra.model.start_deployment.handler import PACKAGE, RETURNING

    assert (PACKAGE, RETURNING) == (PACKAGE_VARIABLE, RETURNING_VARIABLE)
