"""The stack of a model without an endpoint: what scores, what wakes it, and that nothing costs by the hour."""

from __future__ import annotations

import json
from typing import Any

import pytest

from settings_schema import Batch
from tests.example_models import ARRESTS
from tests.infra.cases import named
from tests.infra.conftest import resources_of
from tests.infra.grants import Templates, only, roles, text

LIVE = "shop--arrests--live"
#: What is paid for as long as it is there, whether someone asks or not.
HOURLY = (
    "AWS::SageMaker::Endpoint",
    "AWS::SageMaker::EndpointConfig",
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::EC2::VPCEndpoint",
)


def one(templates: Templates, kind: str, stack: str = LIVE) -> dict[str, Any]:
    (found,) = resources_of(templates, kind, stack).values()
    return dict(found)


def patterns(templates: Templates, stack: str = LIVE) -> dict[str, Any]:
    """By the event's source."""
    return {
        rule["EventPattern"]["source"][0]: rule["EventPattern"] for rule in resources_of(templates, "AWS::Events::Rule", stack).values()
    }


@pytest.mark.parametrize("stack", [LIVE, "shop--arrests--try"])
def test_nothing_costs_by_the_hour(templates: Templates, stack: str) -> None:
    assert [item["Type"] for item in templates[stack]["Resources"].values() if item["Type"] in HOURLY] == []


def test_the_model_is_the_package_of_the_parameter(templates: Templates) -> None:
    assert one(templates, "AWS::SageMaker::Model")["PrimaryContainer"] == {"ModelPackageName": {"Ref": "ModelPackageArn"}}


def test_the_stack_says_what_it_runs(templates: Templates) -> None:
    assert set(templates[LIVE]["Outputs"]) == {"ModelName", "DeployedModelPackageArn", "StartScoringFunction"}


def test_a_complete_upload_wakes_the_function_and_other_objects_do_not(templates: Templates) -> None:
    detail = patterns(templates)["aws.s3"]["detail"]
    assert detail["object"]["key"] == [{"wildcard": "batch/arrests/*/_SUCCESS"}]
    assert detail["bucket"]["name"] == [{"Fn::ImportValue": "shop--environment--live-BucketName"}]


def test_a_job_that_failed_wakes_it_too(templates: Templates) -> None:
    detail = patterns(templates)["aws.sagemaker"]["detail"]
    assert detail == {"TransformJobName": [{"prefix": "shop--arrests--live--"}], "TransformJobStatus": ["Failed"]}


def test_its_schedule_is_in_the_model_s_time_zone(variant: Any) -> None:
    scored = Batch(cron="0 4 ? * * *", time_zone="Europe/Madrid", on_upload=False)
    templates = variant(models=named(ARRESTS.but(serving={"try": Batch(cron=None), "live": scored}, monitoring=None)))
    schedule = one(templates, "AWS::Scheduler::Schedule")
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == ("cron(0 4 ? * * *)", "Europe/Madrid")
    assert set(patterns(templates)) == {"aws.sagemaker"}, "uploads wake nothing here"
    assert resources_of(templates, "AWS::Scheduler::Schedule", "shop--arrests--try") == {}
    assert set(patterns(templates, "shop--arrests--try")) == {"aws.sagemaker", "aws.s3"}


def test_the_function_gets_what_it_reads(templates: Templates) -> None:
    function = one(templates, "AWS::Lambda::Function")
    assert "def handler(event" in function["Code"]["ZipFile"]
    settings = json.loads(text(function["Environment"]["Variables"]["SETTINGS"], LIVE, templates))
    assert settings["package"] == "<shop--arrests--live-ModelPackageArn>"
    assert (settings["input"], settings["output"], settings["jobs"]) == ("batch/arrests/", "predictions/arrests/", "shop--arrests--live--")
    assert settings["tags"]["environment"] == "live"
    assert "VolumeKmsKeyId" in settings["resources"]


def test_an_instance_with_a_disk_of_its_own_gets_no_key_for_it(variant: Any) -> None:
    templates = variant(models=named(ARRESTS.but(serving={"try": Batch(), "live": Batch(instance_type="ml.g5.xlarge", instance_count=2)})))
    settings = json.loads(text(one(templates, "AWS::Lambda::Function")["Environment"]["Variables"]["SETTINGS"], LIVE, templates))
    assert settings["resources"] == {"InstanceType": "ml.g5.xlarge", "InstanceCount": 2}


def test_a_failure_calls_someone(templates: Templates) -> None:
    (alarm,) = [found for found in resources_of(templates, "AWS::CloudWatch::Alarm", LIVE).values() if found["Namespace"] == "AWS/Lambda"]
    assert alarm["MetricName"] == "Errors"
    assert text(alarm["Dimensions"][0]["Value"], LIVE, templates) == "shop--arrests--live--score"
    assert alarm["AlarmActions"] == [{"Fn::ImportValue": "shop--environment--live-AlertTopicArn"}]


def test_the_function_starts_jobs_of_its_own_name_and_tags_and_reads_no_rows(templates: Templates) -> None:
    role = only(roles(templates), "shop--environment--live/ModelsarrestsScoringRole")
    job = "arn:aws:sagemaker:us-east-1:111122223333:transform-job/shop--arrests--live--abcdefghi"
    (starting,) = role.allowing("sagemaker:CreateTransformJob", job)
    assert starting.condition["StringEquals"] == {
        "aws:RequestTag/sagemaker:project-name": "shop",
        "aws:RequestTag/model": "arrests",
        "aws:RequestTag/environment": "live",
    }
    assert not role.may("sagemaker:CreateTransformJob", job.replace("arrests--live", "arrests-large--live"))
    assert not role.may("s3:GetObject")
    (listing,) = role.allowing("s3:ListBucket")
    assert listing.condition == {"StringLike": {"s3:prefix": "batch/arrests/*"}}


def test_a_job_reads_its_model_s_rows_and_writes_its_predictions(templates: Templates) -> None:
    role = only(roles(templates), "shop--environment--live/ModelsarrestsInferenceRole")
    bucket = "arn:aws:s3:::shop--live-111122223333-us-east-1"
    assert role.may("s3:GetObject", f"{bucket}/batch/arrests/monday/a.csv")
    assert role.may("s3:PutObject", f"{bucket}/predictions/arrests/monday/version-3/x/a.csv.out")
    for action, key in (("s3:PutObject", "batch/arrests/a.csv"), ("s3:GetObject", "batch/arrests-large/a.csv"), ("s3:DeleteObject", "")):
        assert not role.may(action, f"{bucket}/{key}")


def test_the_environment_s_queue_takes_dead_letters_of_all_models_by_one_statement(templates: Templates) -> None:
    """SQS takes 20 statements in a queue's policy ("Amazon SQS policy quotas"), and a project may have more models than that."""
    policies = resources_of(templates, "AWS::SQS::QueuePolicy", "shop--environment--live").values()
    taken = [
        json.dumps(statement) for policy in policies for statement in policy["PolicyDocument"]["Statement"] if "ArnLike" in str(statement)
    ]
    assert len([statement for statement in taken if "rule/shop--*--live--*" in statement]) == 1


def test_rules_and_roles_agree_on_the_rules_names(templates: Templates) -> None:
    names = {rule["Name"] for rule in resources_of(templates, "AWS::Events::Rule", LIVE).values()}
    assert names == {f"{LIVE}--uploaded", f"{LIVE}--job-failed"}
    making = [statement for role in roles(templates).values() for statement in role.statements if "events:PutRule" in statement.actions]
    made = {str(resource).rpartition("rule/")[2].rstrip("'}]\"") for statement in making for resource in statement.resources}
    assert names == {name for name in made if name.startswith(f"{LIVE}--")}
