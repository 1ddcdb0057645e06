"""The build and deploy pipelines, and what wakes them."""

from __future__ import annotations

import json
import re

import pytest

from deploy_scripts.wait_for_endpoint import LIMIT_MINUTES
from settings_schema import Retraining
from tests.example_models import ABALONE
from tests.infra.cases import CONNECTION, THREE, named
from tests.infra.conftest import resources_of
from tests.infra.grants import roles

PACKAGE = "#{Render.MODEL_PACKAGE_ARN}"


@pytest.fixture
def deploy(resources):
    ((_, pipeline),) = resources("AWS::CodePipeline::Pipeline", "shop--abalone").items()
    return pipeline


@pytest.fixture
def stages(deploy):
    return {stage["Name"]: stage for stage in deploy["Stages"]}


def actions(stage):
    """Names of the actions, in the order in which they run."""
    return [action["Name"] for action in sorted(stage["Actions"], key=lambda action: action["RunOrder"])]


def test_a_version_passes_the_gates_in_order(deploy):
    assert [(stage["Name"], actions(stage)) for stage in deploy["Stages"]] == [
        ("Source", ["Repository"]),
        ("Render", ["Render"]),
        ("Staging", ["Deploy", "Verify", "Approve"]),
        ("StagingReturn", ["Deploy", "Verify"]),
        ("Production", ["StillApproved", "Deploy", "Verify"]),
    ]


def test_a_newer_version_supersedes_those_that_wait(deploy):
    assert (deploy["PipelineType"], deploy["ExecutionMode"]) == ("V2", "SUPERSEDED")


def test_exactly_one_of_the_staging_stages_runs(stages):
    def entry(name):
        (condition,) = stages[name]["BeforeEntry"]["Conditions"]
        (rule,) = condition["Rules"]
        assert condition["Result"] == "SKIP"
        assert rule["RuleTypeId"]["Provider"] == "VariableCheck"
        return rule["Configuration"]

    assert entry("Staging") == {"Variable": "#{variables.Returning}", "Operator": "NE", "Value": "true"}
    assert entry("StagingReturn") == {"Variable": "#{variables.Returning}", "Operator": "EQ", "Value": "true"}


@pytest.mark.parametrize(("project", "endpoints"), [("render", ["try", "live"]), ("still-approved", ["live"])])
def test_the_build_before_a_deployment_can_wait_for_its_endpoint(resources, templates, project, endpoints):
    """It has the time to wait to the end, and may look at the endpoint."""
    builds = resources("AWS::CodeBuild::Project", "shop--abalone").values()
    (build,) = [build for build in builds if build["Name"] == f"shop--abalone--{project}"]
    assert build["TimeoutInMinutes"] >= LIMIT_MINUTES + 10
    (role,) = [role for role in roles(templates).values() if role.arn.endswith(f":role/shop--abalone--{project}")]
    looked_at = [resource for statement in role.allowing("sagemaker:DescribeEndpoint") for resource in statement.resources]
    assert [arn.rsplit("/", 1)[-1] for arn in looked_at] == [f"shop--abalone--{environment}" for environment in endpoints]


def test_a_failure_in_production_rolls_back(stages):
    assert stages["Production"]["OnFailure"] == {"Result": "ROLLBACK"}
    assert "OnFailure" not in stages["Staging"]  # it would ask for the approval again


def test_a_person_can_name_the_version_to_deploy(deploy, stages):
    assert {item["Name"]: item["DefaultValue"] for item in deploy["Variables"]} == {
        "ModelPackageArn": "latest-approved",
        "Returning": "false",
    }
    given = json.loads(stages["Render"]["Actions"][0]["Configuration"]["EnvironmentVariables"])
    assert {item["name"]: item["value"] for item in given}["REQUESTED_PACKAGE"] == "#{variables.ModelPackageArn}"


def test_the_approver_is_told_the_version_and_the_commit_that_deploys_it(deploy, stages):
    source, approve = stages["Source"]["Actions"][0], stages["Staging"]["Actions"][-1]
    told = approve["Configuration"]["CustomData"]
    assert f"#{{{source['Namespace']}.CommitId}}" in told
    assert PACKAGE in told


@pytest.mark.parametrize("stage", ["Staging", "StagingReturn", "Production"])
def test_each_stage_checks_the_version_that_was_pinned(stages, stage):
    for action in stages[stage]["Actions"]:
        if action["ActionTypeId"]["Provider"] == "CodeBuild":
            variables = {item["name"]: item["value"] for item in json.loads(action["Configuration"]["EnvironmentVariables"])}
            assert variables["MODEL_PACKAGE_ARN"] == PACKAGE


@pytest.mark.parametrize(("stage", "environment"), [("Staging", "try"), ("StagingReturn", "try"), ("Production", "live")])
def test_each_stage_deploys_its_rendered_template_without_iam_capability(stages, stage, environment):
    (deploy,) = [action["Configuration"] for action in stages[stage]["Actions"] if action["Name"] == "Deploy"]
    assert deploy["TemplatePath"] == f"Rendered::shop--abalone--{environment}.template.json"
    assert deploy["TemplateConfiguration"] == f"Rendered::{environment}.parameters.json"
    assert deploy["StackName"] == f"shop--abalone--{environment}"
    assert "Capabilities" not in deploy


def test_every_pushed_commit_is_built_in_turn(resources):
    ((_, pipeline),) = resources("AWS::CodePipeline::Pipeline", "shop--build").items()
    assert pipeline["ExecutionMode"] == "QUEUED"


def test_only_events_start_the_pipelines(resources):
    for pipeline in resources("AWS::CodePipeline::Pipeline").values():
        assert pipeline["Stages"][0]["Actions"][0]["Configuration"]["PollForSourceChanges"] is False


@pytest.fixture
def patterns(resources):
    """Of the model that has endpoints."""
    return [rule["EventPattern"] for rule in resources("AWS::Events::Rule", "shop--abalone").values()]


def patterns_of(patterns, source):
    return [pattern for pattern in patterns if pattern["source"] == [source]]


def pattern_of(patterns, source):
    ((pattern),) = patterns_of(patterns, source)
    return pattern


def test_only_a_change_of_the_approval_deploys(patterns):
    detail = pattern_of(patterns, "aws.sagemaker")["detail"]
    assert detail["ModelApprovalStatus"] == ["Approved", "Rejected"]
    assert {"UpdatedModelPackageFields": ["ModelApprovalStatus"]} in detail["$or"]
    assert {"UpdatedModelPackageFields": [{"exists": False}]} in detail["$or"]


def test_a_build_and_a_deployment_that_succeeded_wake_what_compares_templates(patterns):
    detail = pattern_of(patterns, "aws.codepipeline")["detail"]
    assert detail == {"pipeline": ["shop--build", "shop--abalone--deploy"], "state": ["SUCCEEDED"]}


def test_one_marker_ends_an_upload(patterns):
    (marker,) = [keys for keys in keys_of(patterns) if "training/abalone/_SUCCESS" in keys]
    assert marker == ["training/abalone/_SUCCESS", {"wildcard": "training/abalone/*/_SUCCESS"}]


def keys_of(patterns):
    return [pattern["detail"]["object"]["key"] for pattern in patterns_of(patterns, "aws.s3")]


def test_what_the_watch_of_each_environment_writes_wakes_retraining(patterns):
    """And nothing else of that prefix: the function notes there when it told a person last."""
    assert ["feedback/abalone/try.json", "feedback/abalone/live.json"] in keys_of(patterns)


def test_the_rule_waits_for_the_alarms_that_the_endpoints_have(patterns, resources):
    names = [alarm["AlarmName"] for alarm in resources("AWS::CloudWatch::Alarm").values()]  # one has its version
    assert set(pattern_of(patterns, "aws.cloudwatch")["detail"]["alarmName"]) <= {name for name in names if isinstance(name, str)}


def test_a_new_model_wakes_what_starts_the_build(patterns):
    detail = pattern_of(patterns, "aws.cloudformation")["detail"]
    assert detail == {"stack-id": [{"Ref": "AWS::StackId"}], "status-details": {"status": ["CREATE_COMPLETE"]}}


def test_retraining_is_as_the_model_s_file_says(variant):
    retraining = Retraining(cron="30 2 ? * MON *", time_zone="Europe/Madrid", on_new_data=False, on_drift=False, on_quality=False)
    templates = variant(models=named(ABALONE.but(retraining=retraining)))
    (schedule,) = resources_of(templates, "AWS::Scheduler::Schedule", "shop--abalone").values()
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == ("cron(30 2 ? * MON *)", "Europe/Madrid")
    assert json.loads(schedule["Target"]["Input"]) == {"source": "schedule"}
    sources = {rule["EventPattern"]["source"][0] for rule in resources_of(templates, "AWS::Events::Rule", "shop--abalone").values()}
    assert sources == {"aws.cloudformation", "aws.sagemaker", "aws.codepipeline"}
    never = variant(models=named(ABALONE.but(retraining=retraining.but(cron=None))))
    assert resources_of(never, "AWS::Scheduler::Schedule", "shop--abalone") == {}


@pytest.mark.parametrize("model", ["abalone", "arrests"])
def test_the_pipelines_that_a_model_s_alarms_watch_are_its_own(resources, model):
    watched = {
        dimension["Value"]
        for alarm in resources("AWS::CloudWatch::Alarm", f"shop--{model}").values()
        for dimension in alarm.get("Dimensions", [])
        if dimension["Name"] == "PipelineName"
    }
    assert watched == {f"shop--{model}--deploy", f"shop--{model}--training"}


def as_expression(glob: str) -> str:
    """User guide, "Working with glob patterns in syntax": `*` ends at a slash, `**` does not."""
    return re.escape(glob).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")


def test_pushes_to_a_connection_s_repository_are_routed_by_the_pipeline_itself(synthesized):
    _, templates = synthesized(THREE)
    (pipeline,) = resources_of(templates, "AWS::CodePipeline::Pipeline", "shop--build").values()
    (trigger,) = pipeline["Triggers"]
    (pushed,) = trigger["GitConfiguration"]["Push"]
    source = pipeline["Stages"][0]["Actions"][0]
    assert (pipeline["PipelineType"], trigger["ProviderType"]) == ("V2", "CodeStarSourceConnection")
    assert trigger["GitConfiguration"]["SourceActionName"] == source["Name"]
    assert pushed["Branches"] == {"Includes": ["main"]}
    excludes = pushed["FilePaths"]["Excludes"]
    for path, is_documentation in (
        ("README.md", True),
        ("docs/how/to.png", True),
        ("a/b.md", True),
        ("settings.py", False),
        ("docs.py", False),
    ):
        assert any(re.fullmatch(as_expression(pattern), path) for pattern in excludes) is is_documentation, path
    assert source["Configuration"]["FullRepositoryId"] == "fishery/models"
    assert resources_of(templates, "AWS::CodeCommit::Repository") == {}
    assert [name for name in resources_of(templates, "AWS::Lambda::Function") if name.startswith("shop--build")] == []


def test_only_the_build_has_a_trigger_and_no_source_detects_changes(synthesized):
    """A deployment is started with the commit that it is of."""
    _, templates = synthesized(THREE)
    for name, pipeline in resources_of(templates, "AWS::CodePipeline::Pipeline").items():
        assert pipeline["Stages"][0]["Actions"][0]["Configuration"]["DetectChanges"] is False
        assert ("Triggers" in pipeline) is name.startswith("shop--build")


def test_a_connection_is_used_for_one_repository_and_to_read(synthesized):
    _, templates = synthesized(THREE)
    using = [(role, statement) for role in roles(templates).values() for statement in role.statements if "UseConnection" in str(statement)]
    assert {role.service for role, _ in using} == {"codepipeline.amazonaws.com"}
    for _, statement in using:
        (action,) = statement.actions
        service = action.partition(":")[0]
        assert statement.resources == [CONNECTION.connection_arn.replace("codeconnections", service)]
        assert statement.condition == {
            "StringEqualsIfExists": {f"{service}:FullRepositoryId": "fishery/models", f"{service}:ProviderPermissionsRequired": "read_only"}
        }


def test_a_connection_s_action_may_set_the_artifact_s_acl_which_it_does(synthesized):
    """aws/aws-cdk#13557. On the pipeline's own artifacts, like everything else."""
    _, templates = synthesized(THREE)
    running = [role for role in roles(templates).values() if any("UseConnection" in str(statement) for statement in role.statements)]
    assert running
    for role in running:
        writing = [statement for statement in role.statements if "s3:PutObject" in statement.actions]
        assert any("s3:PutObjectAcl" in statement.actions for statement in writing)
