"""The build and deploy pipelines, and what wakes them."""

from __future__ import annotations

import json
import re

import pytest

from deploy_scripts.wait_for_endpoint import LIMIT_MINUTES
from tests.infra.grants import as_list

PACKAGE = "#{Render.MODEL_PACKAGE_ARN}"


@pytest.fixture
def deploy(resources):
    ((_, pipeline),) = resources("AWS::CodePipeline::Pipeline", "mlops-model-deploy").items()
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


@pytest.mark.parametrize(("project", "endpoints"), [("render", ["production", "staging"]), ("stillapproved", ["production"])])
def test_the_build_before_a_deployment_can_wait_for_its_endpoint(resources, project, endpoints):
    """It has the time to wait to the end, and may look at the endpoint."""
    builds = resources("AWS::CodeBuild::Project", "mlops-model-deploy").values()
    (build,) = [build for build in builds if build["Name"] == f"mlops-{project}"]
    assert build["TimeoutInMinutes"] >= LIMIT_MINUTES + 10
    role = {"Ref": build["ServiceRole"]["Fn::GetAtt"][0]}
    policies = [policy for policy in resources("AWS::IAM::Policy", "mlops-model-deploy").values() if role in policy["Roles"]]
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    (looking,) = [statement for statement in statements if "sagemaker:DescribeEndpoint" in as_list(statement["Action"])]
    assert re.findall(r":endpoint/([^\"]+)", json.dumps(looking["Resource"])) == [f"mlops-{environment}" for environment in endpoints]


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


@pytest.mark.parametrize(("stage", "environment"), [("Staging", "staging"), ("StagingReturn", "staging"), ("Production", "production")])
def test_each_stage_deploys_its_rendered_template_without_iam_capability(stages, stage, environment):
    (deploy,) = [action["Configuration"] for action in stages[stage]["Actions"] if action["Name"] == "Deploy"]
    assert deploy["TemplatePath"] == f"Rendered::mlops-endpoint-{environment}.template.json"
    assert deploy["TemplateConfiguration"] == f"Rendered::{environment}.parameters.json"
    assert deploy["StackName"] == f"mlops-endpoint-{environment}"
    assert "Capabilities" not in deploy


def test_every_pushed_commit_is_built_in_turn(resources):
    ((_, pipeline),) = resources("AWS::CodePipeline::Pipeline", "mlops-model-build").items()
    assert pipeline["ExecutionMode"] == "QUEUED"


def test_only_events_start_the_pipelines(resources):
    for pipeline in resources("AWS::CodePipeline::Pipeline").values():
        assert pipeline["Stages"][0]["Actions"][0]["Configuration"]["PollForSourceChanges"] is False


@pytest.fixture
def patterns(resources):
    return [rule["EventPattern"] for rule in resources("AWS::Events::Rule").values()]


def pattern_of(patterns, source):
    ((pattern),) = [pattern for pattern in patterns if pattern["source"] == [source]]
    return pattern


def test_only_a_change_of_the_approval_deploys(patterns):
    detail = pattern_of(patterns, "aws.sagemaker")["detail"]
    assert detail["ModelApprovalStatus"] == ["Approved", "Rejected"]
    assert {"UpdatedModelPackageFields": ["ModelApprovalStatus"]} in detail["$or"]
    assert {"UpdatedModelPackageFields": [{"exists": False}]} in detail["$or"]


def test_a_build_and_a_deployment_that_succeeded_wake_what_compares_templates(patterns):
    detail = pattern_of(patterns, "aws.codepipeline")["detail"]
    assert detail == {"pipeline": ["mlops-build", "mlops-deploy"], "state": ["SUCCEEDED"]}


def test_one_marker_ends_an_upload(patterns):
    assert pattern_of(patterns, "aws.s3")["detail"]["object"]["key"] == [{"wildcard": "training/*/_SUCCESS"}]


def test_the_rule_waits_for_the_alarms_that_monitoring_has(patterns, resources):
    names = {alarm["AlarmName"] for alarm in resources("AWS::CloudWatch::Alarm", "mlops-monitoring").values()}
    assert set(pattern_of(patterns, "aws.cloudwatch")["detail"]["alarmName"]) <= names


def test_retraining_is_scheduled_in_the_projects_time_zone(resources):
    ((_, schedule),) = resources("AWS::Scheduler::Schedule", "mlops-model-build").items()
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == ("cron(0 3 ? * SUN *)", "Etc/UTC")
    assert json.loads(schedule["Target"]["Input"]) == {"source": "schedule"}


def test_the_pipelines_that_alarms_watch_are_ours(resources):
    watched = {
        dimension["Value"]
        for alarm in resources("AWS::CloudWatch::Alarm", "mlops-monitoring").values()
        for dimension in alarm.get("Dimensions", [])
        if dimension["Name"] == "PipelineName"
    }
    assert watched == {"mlops-build", "mlops-deploy", "mlops-training"}
