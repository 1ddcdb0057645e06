"""The build and deploy pipelines, and what wakes them."""

from __future__ import annotations

import json
import re

import pytest

from deploy_scripts.wait_for_endpoint import LIMIT_MINUTES
from settings_schema import Rebuild, Retraining
from tests.example_models import ABALONE
from tests.infra.cases import CONNECTION, THREE, TWO, named
from tests.infra.conftest import resources_of
from tests.infra.grants import roles, text

PACKAGE = "#{Render.MODEL_PACKAGE_ARN}"


@pytest.fixture
def pipelines(resources):
    """Of the model that has endpoints, by the end of their names."""
    found = resources("AWS::CodePipeline::Pipeline", "shop--abalone").values()
    return {pipeline["Name"].rsplit("--", 1)[-1]: pipeline for pipeline in found}


@pytest.fixture
def deploy(pipelines):
    return pipelines["deploy"]


@pytest.fixture
def stages(pipelines):
    """Of both pipelines, which have none in common but Source."""
    return {stage["Name"]: stage for pipeline in pipelines.values() for stage in pipeline["Stages"]}


def actions(stage):
    """Names of the actions, in the order in which they run."""
    return [action["Name"] for action in sorted(stage["Actions"], key=lambda action: action["RunOrder"])]


def test_a_version_passes_the_gates_in_order(deploy):
    assert [(stage["Name"], actions(stage)) for stage in deploy["Stages"]] == [
        ("Source", ["Repository"]),
        ("Render", ["Render"]),
        ("Staging", ["Deploy", "ChangeType", "Verify", "Approve"]),
        ("Production", ["StillApproved", "Deploy", "ChangeType", "Verify"]),
    ]


def test_a_second_pair_of_eyes_is_asked_and_checked_by_a_function_that_no_push_changes(variant):
    templates = variant(models=named(ABALONE.but(approvers=2)))
    (deploy,) = (
        item for item in resources_of(templates, "AWS::CodePipeline::Pipeline", "shop--abalone").values() if "deploy" in item["Name"]
    )
    (staging,) = (stage for stage in deploy["Stages"] if stage["Name"] == "Staging")
    assert actions(staging) == ["Deploy", "ChangeType", "Verify", "Approve", "NotTheAuthor", "ApproveAgain", "TwoPeople"]
    by_name = {action["Name"]: action for action in staging["Actions"]}
    for name, wanted in (("NotTheAuthor", 1), ("TwoPeople", 2)):
        assert by_name[name]["ActionTypeId"]["Provider"] == "Lambda"
        given = json.loads(by_name[name]["Configuration"]["UserParameters"])
        assert given == {"execution": "#{codepipeline.PipelineExecutionId}", "approvals": wanted}
    for name in ("Approve", "ApproveAgain"):
        link = text(by_name[name]["Configuration"]["ExternalEntityLink"], "shop--abalone", templates)
        assert link.endswith("prefix=reviews/abalone/#{Render.MODEL_PACKAGE_VERSION}/page.html")


def test_the_way_back_is_a_pipeline_of_its_own_so_that_no_review_holds_it_and_asks_nobody(pipelines):
    """In one stage: who queued behind another return looks at what is live when its turn comes."""
    assert [(stage["Name"], actions(stage)) for stage in pipelines["return"]["Stages"]] == [
        ("Source", ["Repository"]),
        ("Return", ["Render", "Deploy", "ChangeType", "Verify"]),
    ]


@pytest.mark.parametrize("kind", ["deploy", "return"])
def test_a_newer_version_supersedes_those_that_wait(pipelines, kind):
    assert (pipelines[kind]["PipelineType"], pipelines[kind]["ExecutionMode"]) == ("V2", "SUPERSEDED")


def test_a_failed_stage_is_not_rolled_back_by_codepipeline(stages):
    """It would run the stage again, judged by the alarms of what failed, or have nothing to update."""
    assert [name for name, stage in stages.items() if "OnFailure" in stage or "BeforeEntry" in stage] == []


def test_the_build_before_a_deployment_can_wait_for_what_it_changes(resources, templates):
    """It has the time to wait to the end, and may look at stack and endpoint, and at the alarms that would undo the update."""
    builds = resources("AWS::CodeBuild::Project", "shop--abalone").values()
    (build,) = [build for build in builds if build["Name"] == "shop--abalone--render"]
    assert build["TimeoutInMinutes"] >= LIMIT_MINUTES + 10
    (role,) = [role for role in roles(templates).values() if role.arn.endswith(":role/shop--abalone--render")]
    place = "us-east-1:111122223333"
    for environment in ("try", "live"):
        name = f"shop--abalone--{environment}"
        assert role.may("sagemaker:DescribeEndpoint", f"arn:aws:sagemaker:{place}:endpoint/{name}")
        assert role.may("cloudformation:DescribeStacks", f"arn:aws:cloudformation:{place}:stack/{name}/an-id")
        assert role.may("cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{place}:alarm:{name}--server-errors")


@pytest.mark.parametrize(("stage", "action"), [("Production", "StillApproved"), ("Return", "Render")])
def test_what_production_gets_is_rendered_for_it_alone_right_before(stages, stage, action):
    """And by the scripts of the commit that is deployed: the same build as the first Render, which every commit has."""
    first, deploy = sorted(stages[stage]["Actions"], key=lambda item: item["RunOrder"])[:2]
    assert (first["Name"], first["Configuration"]["ProjectName"]) == (
        action,
        stages["Render"]["Actions"][0]["Configuration"]["ProjectName"],
    )
    assert variables_of(first)["STAGE"] == "live"
    assert deploy["InputArtifacts"] == first["OutputArtifacts"]


def variables_of(action):
    return {item["name"]: item["value"] for item in json.loads(action["Configuration"]["EnvironmentVariables"])}


def test_a_return_is_started_with_the_version_and_with_the_one_to_leave(pipelines, stages):
    """Neither has a default, so that nobody returns by accident. What was made anew is left by another day."""
    given = {item["Name"]: item.get("DefaultValue") for item in pipelines["return"]["Variables"]}
    assert given == {"ModelPackageArn": None, "Leaving": None, "Rebuilt": "never"}
    render = variables_of(stages["Return"]["Actions"][0])
    assert [render[name] for name in ("REQUESTED_PACKAGE", "LEAVING", "REBUILT")] == [f"#{{variables.{name}}}" for name in given]


def test_a_person_can_name_the_version_to_deploy(deploy, stages):
    assert {item["Name"]: item["DefaultValue"] for item in deploy["Variables"]} == {
        "ModelPackageArn": "latest-approved",
        "Rebuilt": "never",
    }
    assert variables_of(stages["Render"]["Actions"][0])["REQUESTED_PACKAGE"] == "#{variables.ModelPackageArn}"


def test_the_approver_is_told_the_version_and_the_commit_that_deploys_it(deploy, stages):
    source, approve = stages["Source"]["Actions"][0], stages["Staging"]["Actions"][-1]
    told = approve["Configuration"]["CustomData"]
    assert f"#{{{source['Namespace']}.CommitId}}" in told
    assert PACKAGE in told


@pytest.mark.parametrize(("stage", "pinned"), [("Staging", PACKAGE), ("Production", PACKAGE), ("Return", "#{variables.ModelPackageArn}")])
def test_each_stage_checks_the_version_that_was_pinned(stages, stage, pinned):
    for action in stages[stage]["Actions"]:
        if action["ActionTypeId"]["Provider"] == "CodeBuild":
            variables = variables_of(action)
            assert variables.get("MODEL_PACKAGE_ARN", variables.get("REQUESTED_PACKAGE")) == pinned


@pytest.mark.parametrize(
    ("stage", "environment", "artifact"),
    [("Staging", "try", "Rendered"), ("Production", "live", "RenderedForProduction"), ("Return", "live", "Rendered")],
)
def test_each_stage_deploys_its_rendered_template_without_iam_capability(stages, stage, environment, artifact):
    (deploy,) = [action["Configuration"] for action in stages[stage]["Actions"] if action["Name"] == "Deploy"]
    assert deploy["TemplatePath"] == f"{artifact}::shop--abalone--{environment}.template.json"
    assert deploy["TemplateConfiguration"] == f"{artifact}::{environment}.parameters.json"
    assert deploy["StackName"] == f"shop--abalone--{environment}"
    assert "Capabilities" not in deploy


@pytest.mark.parametrize("stage", ["Staging", "Production", "Return"])
def test_another_instance_type_has_an_update_of_its_own_which_render_knows_of(pipelines, stages, stage):
    """It is the first one's in all but the files. Where the type stays those are the same, and it has nothing to update."""
    first, second = (next(item for item in stages[stage]["Actions"] if item["Name"] == name) for name in ("Deploy", "ChangeType"))
    files = {name: first["Configuration"][name].replace("::", "::second/") for name in ("TemplatePath", "TemplateConfiguration")}
    assert second["Configuration"] == {**first["Configuration"], **files}
    assert (second["RoleArn"], second["InputArtifacts"]) == (first["RoleArn"], first["InputArtifacts"])
    renders = [item for kind in ("deploy", "return") for each in pipelines[kind]["Stages"] for item in each["Actions"]]
    told = {item["Name"]: variables_of(item).get("SECOND_UPDATE") for item in renders if item["ActionTypeId"]["Provider"] == "CodeBuild"}
    assert told == {"Render": "ChangeType", "StillApproved": "ChangeType", "Verify": None}


def test_an_asynchronous_endpoint_always_scales_so_it_has_the_second_update_too(synthesized):
    """Without it the first one takes its scaling away, and nothing deploys the new version."""
    idle = resources_of(synthesized(TWO)[1], "AWS::CodePipeline::Pipeline", "shop--idle").values()
    stages = {stage["Name"]: actions(stage) for pipeline in idle for stage in pipeline["Stages"]}
    assert stages["Staging"][:3] == ["Deploy", "ChangeType", "Verify"]
    assert stages["Production"] == ["StillApproved", "Deploy", "Verify"]  # serverless: there is no instance type


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


def test_whatever_ends_wakes_what_decides_whether_well_or_not(patterns):
    """States: "Monitoring CodePipeline events" of its user guide."""
    detail = pattern_of(patterns, "aws.codepipeline")["detail"]
    assert detail["pipeline"] == ["shop--build", "shop--abalone--deploy", "shop--abalone--return"]
    assert detail["state"] == ["SUCCEEDED", "FAILED", "STOPPED", "CANCELED"]


def test_a_lost_event_costs_a_quarter_of_an_hour_and_not_a_release(resources, templates):
    schedules = resources("AWS::Scheduler::Schedule", "shop--abalone").values()
    (regular,) = [item for item in schedules if "start-deployment" in text(item["Target"]["Arn"], "shop--abalone", templates)]
    assert regular["ScheduleExpression"] == "cron(*/15 * * * ? *)"


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
    schedule = retraining_schedules(templates)[0]
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == ("cron(30 2 ? * MON *)", "Europe/Madrid")
    assert json.loads(schedule["Target"]["Input"]) == {"source": "schedule"}
    sources = {rule["EventPattern"]["source"][0] for rule in resources_of(templates, "AWS::Events::Rule", "shop--abalone").values()}
    assert sources == {"aws.cloudformation", "aws.sagemaker", "aws.codepipeline"}
    never = variant(models=named(ABALONE.but(retraining=retraining.but(cron=None))))
    assert retraining_schedules(never) == []


def retraining_schedules(templates):
    schedules = resources_of(templates, "AWS::Scheduler::Schedule", "shop--abalone").values()
    return [item for item in schedules if item["Description"] == "Regular retraining"]


@pytest.mark.parametrize("model", ["abalone", "arrests"])
def test_the_pipelines_that_a_model_s_alarms_watch_are_its_own(resources, model):
    watched = {
        dimension["Value"]
        for alarm in resources("AWS::CloudWatch::Alarm", f"shop--{model}").values()
        for dimension in alarm.get("Dimensions", [])
        if dimension["Name"] == "PipelineName"
    }
    assert watched == {f"shop--{model}--{kind}" for kind in ("deploy", "return", "training")}


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


def test_what_serves_is_made_anew_on_a_schedule_of_the_team_s(variant):
    """The schedule tells its time, by which the age counts; another day makes another model, in each environment through the gates."""
    templates = variant(models=named(ABALONE.but(rebuild=Rebuild(cron="0 6 1 * ? *", time_zone="Europe/Madrid", older_than_days=45))))
    schedules = [
        item["Properties"] for item in templates["shop--abalone"]["Resources"].values() if item["Type"] == "AWS::Scheduler::Schedule"
    ]
    (own,) = [item for item in schedules if "rebuild_after_days" in item["Target"]["Input"]]
    assert (own["ScheduleExpression"], own["ScheduleExpressionTimezone"]) == ("cron(0 6 1 * ? *)", "Europe/Madrid")
    told = {"source": "schedule", "time": "<aws.scheduler.scheduled-time>", "rebuild_after_days": "45"}
    assert json.loads(own["Target"]["Input"]) == told
    for environment in ("try", "live"):
        resources = templates[f"shop--abalone--{environment}"]["Resources"].values()
        (model,) = [item["Properties"] for item in resources if item["Type"] == "AWS::SageMaker::Model"]
        assert model["PrimaryContainer"]["Environment"]["REBUILT"] == {"Ref": "Rebuilt"}


def test_both_renders_are_told_the_day(stages):
    builds = [
        item for name in ("Render", "Production") for item in stages[name]["Actions"] if item["ActionTypeId"]["Provider"] == "CodeBuild"
    ]
    told = {build["Name"]: variables_of(build).get("REBUILT") for build in builds}
    day = "#{variables.Rebuilt}"
    assert told == {"Render": day, "StillApproved": day, "Verify": None}
