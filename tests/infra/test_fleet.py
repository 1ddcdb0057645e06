"""Endpoints that several models share: a stack for each fleet and environment, which begins without any model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest

from infra.fleet.fleet_alarms import FleetAlarms
from settings_schema import Instances
from settings_schema.reading import Settings
from tests.example_models import STAGING
from tests.infra.cases import HOME, SMALL, TWO
from tests.infra.conftest import Synthesized, guarded_and_at_once, resources_of
from tests.infra.grants import Templates, roles


@pytest.fixture(scope="module")
def templates(synthesized: Callable[[Settings], Synthesized]) -> Templates:
    return synthesized(TWO)[1]


def the(kind: str, templates: Templates, stack: str, service: str = "SageMaker") -> Any:
    (found,) = resources_of(templates, f"AWS::{service}::{kind}", stack=stack).values()
    return found


def test_a_fleet_is_an_endpoint_without_a_model_in_each_environment_that_it_names(templates):
    live = the("EndpointConfig", templates, "shop--fleet--small--live")
    (variant,) = live["ProductionVariants"]
    assert variant["InstanceType"] == "ml.m5d.large"
    assert variant["ManagedInstanceScaling"] == {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 3}
    assert "ModelName" not in variant
    assert "ExecutionRoleArn" in live
    assert the("Endpoint", templates, "shop--fleet--small--live")["EndpointName"] == "shop--fleet--small--live"


def test_a_fleet_may_go_down_to_no_instance_and_begins_with_one(templates):
    (variant,) = the("EndpointConfig", templates, "shop--fleet--small--try")["ProductionVariants"]
    assert (variant["InitialInstanceCount"], variant["ManagedInstanceScaling"]["MinInstanceCount"]) == (1, 0)


def test_a_model_on_a_fleet_is_a_component_of_its_own_with_what_is_reserved_for_it(templates):
    component = the("InferenceComponent", templates, "shop--fish--live")
    assert component["EndpointName"] == {"Fn::ImportValue": "shop--fleet--small--live-EndpointName"}, "which keeps the fleet there"
    assert component["InferenceComponentName"] == "shop--fish--live"
    assert component["Specification"]["ComputeResourceRequirements"] == {"MinMemoryRequiredInMb": 2048, "NumberOfCpuCoresRequired": 0.5}
    guarded, at_once = guarded_and_at_once(component)
    assert guarded["RollingUpdatePolicy"]["MaximumBatchSize"] == {"Type": "CAPACITY_PERCENT", "Value": 50}
    assert len(guarded["AutoRollbackConfiguration"]["Alarms"]) == 2
    assert "AutoRollbackConfiguration" not in at_once
    assert not resources_of(templates, "AWS::SageMaker::Endpoint", "shop--fish--live")


def test_its_alarms_see_nothing_of_the_others_on_the_fleet(templates):
    alarms = resources_of(templates, "AWS::CloudWatch::Alarm", "shop--fish--live").values()
    of_service = [alarm for alarm in alarms if alarm["Namespace"] == "AWS/SageMaker"]
    assert {alarm["MetricName"] for alarm in of_service} >= {"Invocation5XXErrors", "ModelLatency"}
    assert all(alarm["Dimensions"] == [{"Name": "InferenceComponentName", "Value": "shop--fish--live"}] for alarm in of_service)


def alarm(templates: Templates, stack: str, what: str) -> Any:
    alarms = resources_of(templates, "AWS::CloudWatch::Alarm", stack).values()
    return next((found for found in alarms if found["AlarmName"] == f"{stack}--{what}"), None)


def test_the_instances_that_all_share_are_watched_by_the_fleet(templates):
    live = "shop--fleet--small--live"
    for what, metric in (("cpu", "CPUUtilization"), ("memory", "MemoryUtilization"), ("disk", "DiskUtilization")):
        made = alarm(templates, live, what)
        assert (made["Namespace"], made["MetricName"]) == ("/aws/sagemaker/Endpoints", metric)
        assert {item["Name"]: item["Value"] for item in made["Dimensions"]} == {"EndpointName": live, "VariantName": "AllTraffic"}
        assert made["AlarmActions"] == [{"Fn::ImportValue": "shop--environment--live-AlertTopicArn"}]
    assert alarm(templates, live, "cpu")["Threshold"] == 180, "90 % of two cores"


def test_a_fleet_that_may_not_grow_any_more_calls_somebody(templates):
    full = alarm(templates, "shop--fleet--small--live", "full")
    assert (full["Statistic"], full["Threshold"], full["ComparisonOperator"]) == ("SampleCount", 3, "GreaterThanOrEqualToThreshold")


def test_that_a_fleet_of_a_fixed_size_has_all_of_its_instances_is_no_news():
    app = cdk.App()
    given = {"names": SMALL.names(HOME, STAGING.name), "topic_arn": "arn:aws:sns:eu-west-1:111122223333:alerts"}
    FleetAlarms(cdk.Stack(app, "fleet"), "Alarms", instances=Instances(min_count=2, max_count=2), **given)
    made = app.synth().get_stack_by_name("fleet").template["Resources"].values()
    assert {item["Properties"]["MetricName"] for item in made} == {"CPUUtilization", "MemoryUtilization", "DiskUtilization"}
    assert "SampleCount" not in {item["Properties"].get("Statistic") for item in made}


def test_requests_that_find_no_copy_call_somebody_at_once_or_when_the_first_copy_is_late(templates):
    live, try_ = (alarm(templates, f"shop--fish--{name}", "no-capacity") for name in ("live", "try"))
    assert live["MetricName"] == try_["MetricName"] == "NoCapacityInvocationFailures"
    assert live["Period"] * live["EvaluationPeriods"] == 60
    assert try_["Period"] * try_["EvaluationPeriods"] == 20 * 60, "a first copy may take minutes"


def test_copies_go_to_zero_and_a_refused_request_starts_the_first(templates):
    stack = "shop--fish--try"
    (target,) = resources_of(templates, "AWS::ApplicationAutoScaling::ScalableTarget", stack).values()
    assert (target["ResourceId"], target["MinCapacity"]) == ("inference-component/shop--fish--try", 0)
    assert target["ScalableDimension"] == "sagemaker:inference-component:DesiredCopyCount"
    metrics = {alarm["MetricName"] for alarm in resources_of(templates, "AWS::CloudWatch::Alarm", stack).values()}
    assert "NoCapacityInvocationFailures" in metrics


def test_nothing_is_watched_in_windows_where_a_fleet_captures_nothing(templates):
    assert not resources_of(templates, "AWS::SageMaker::Pipeline", "shop--fish--live")


def test_the_fleet_reads_what_is_on_it_and_nothing_else(templates):
    policy = str(resources_of(templates, "AWS::IAM::Role", "shop--fleet--small--live"))
    assert "pipelines/shop--fish--training/" in policy
    assert "shop--abalone" not in policy


# ------------------------------------------------------------------------------------------------------ many in one container


def test_a_multi_model_fleet_is_a_container_that_loads_what_lies_below_its_prefix(templates):
    stack = "shop--fleet--tiny--live"
    container = the("Model", templates, stack)["PrimaryContainer"]
    assert (container["Mode"], container["Environment"]["SAGEMAKER_PROGRAM"]) == ("MultiModel", "members.py")
    assert container["ModelDataUrl"] == "s3://shop--artifacts-111111111111-eu-west-1/fleets/tiny/live/"
    (variant,) = the("EndpointConfig", templates, stack)["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.m5d.large", 1)
    assert the("ScalableTarget", templates, stack, "ApplicationAutoScaling")["MaxCapacity"] == 3
    assert not resources_of(templates, "AWS::ApplicationAutoScaling::ScalableTarget", "shop--fleet--tiny--try")


def test_a_multi_model_fleet_alarms_on_loading_again_and_not_on_memory_which_is_meant_to_be_full(templates):
    stack = "shop--fleet--tiny--live"
    assert alarm(templates, stack, "memory") is None
    assert alarm(templates, stack, "cpu")["Threshold"] == 180
    made = alarm(templates, stack, "reloads")
    assert (made["MetricName"], made["ComparisonOperator"], made["Threshold"]) == ("ModelCacheHit", "LessThanThreshold", 0.9)


def test_another_program_is_undone_by_the_alarms_on_all_models_together_unless_it_goes_at_once(templates):
    stack = "shop--fleet--tiny--live"
    condition, guarded, at_once = the("Endpoint", templates, stack)["DeploymentConfig"]["Fn::If"]
    assert templates[stack]["Parameters"]["Update"]["Default"] == "guarded" and condition == "Guarded"
    named = resources_of(templates, "AWS::CloudWatch::Alarm", stack)
    undoing = [alarm["AlarmName"]["Ref"] for alarm in guarded["AutoRollbackConfiguration"]["Alarms"]]
    known = {path.split("/")[-1]: alarm["MetricName"] for path, alarm in named.items()}
    assert len(undoing) == 2 and {"Invocation5XXErrors", "ModelLatency"} <= set(known.values())
    assert guarded["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"] == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 300}
    assert "AutoRollbackConfiguration" not in at_once
    (role,) = [item for item in roles(templates).values() if item.arn.endswith(":role/shop--fleet--tiny--live--fleet")]
    asked = [str(resource) for statement in role.allowing("cloudwatch:DescribeAlarms") for resource in statement.resources]
    assert sorted(arn.rpartition(":")[2] for arn in asked) == [f"{stack}--latency-p99", f"{stack}--server-errors"]


def test_the_image_is_that_of_the_region(templates):
    mapping = templates["shop--fleet--tiny--live"]["Mappings"]["Registries"]
    assert mapping["us-east-1"] == {"Account": "683313688378"}  # as the developer guide has it


def test_the_container_reads_its_own_prefix_and_its_program(templates):
    (role,) = [item for item in roles(templates).values() if item.arn.endswith(":role/shop--fleet--tiny--live--fleet")]
    bucket = "arn:aws:s3:::shop--artifacts-111111111111-eu-west-1"
    assert role.may("s3:GetObject", f"{bucket}/fleets/tiny/live/crab/7-0a.tar.gz")
    assert not role.may("s3:GetObject", f"{bucket}/fleets/tiny/try/crab/7-0a.tar.gz")
    assert not role.may("s3:GetObject", f"{bucket}/pipelines/shop--crab--training/1/model.tar.gz")
    assert not role.may("s3:PutObject", f"{bucket}/fleets/tiny/live/crab/7-0a.tar.gz")


def test_a_member_tells_clients_its_archive_once_the_alarms_on_its_version_are_there(templates):
    stack = "shop--crab--live"
    (told,) = [item for item in templates[stack]["Resources"].values() if item["Type"] == "AWS::SSM::Parameter"]
    assert told["Properties"]["Name"] == "/shop/crab/live/target"
    assert told["Properties"]["Value"] == {"Ref": "Target"}
    alarms = resources_of(templates, "AWS::CloudWatch::Alarm", stack)
    judging = {
        name for name, alarm in alarms.items() if alarm["MetricName"] in ("ServerErrors", "RequestMilliseconds", "PredictionDistance")
    }
    assert {name.split("/")[1] for name in judging} <= set(told["DependsOn"])
    for name in judging:
        assert {"Name": "ModelVersion", "Value": {"Ref": "ModelVersion"}} in alarms[name]["Dimensions"]
    assert templates[stack]["Outputs"]["EndpointName"]["Value"] == {"Fn::ImportValue": "shop--fleet--tiny--live-EndpointName"}
    assert not resources_of(templates, "AWS::SageMaker::Model", stack)


def test_one_build_alone_writes_a_members_archives_and_each_name_once(templates):
    key = "arn:aws:s3:::shop--artifacts-111111111111-eu-west-1/fleets/tiny/live/crab/7-0a.tar.gz"
    writers = [role for role in roles(templates).values() if role.may("s3:PutObject", key)]
    assert [role.arn.rsplit("/", 1)[1] for role in writers] == ["shop--crab--offer"]
    (statement,) = [item for item in writers[0].allowing("s3:PutObject") if "fleets/" in str(item.resources)][:1]
    assert statement.condition == {"Null": {"s3:if-none-match": "false"}}
    assert not writers[0].may("s3:PutObject", key.replace("/crab/", "/fish/"))


def test_a_version_is_asked_before_clients_are_told_of_it(templates):
    (pipeline,) = [
        item
        for item in resources_of(templates, "AWS::CodePipeline::Pipeline", "shop--crab").values()
        if item["Name"] == "shop--crab--deploy"
    ]
    for stage in pipeline["Stages"]:
        order = {action["Name"]: action["RunOrder"] for action in stage["Actions"]}
        if "Deploy" in order:
            assert order["Offer"] < order["Deploy"] < order["Verify"]
