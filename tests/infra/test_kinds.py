"""Serverless and asynchronous endpoints: what each runs on, how it scales, which alarms it has, and what its role may."""

from __future__ import annotations

import pytest

from tests.infra.cases import TWO
from tests.infra.conftest import guarded_and_at_once, resources_of

SERVERLESS, ASYNCHRONOUS, PROVISIONED = "shop--queued--try", "shop--queued--live", "shop--idle--live"


@pytest.fixture(scope="module")
def templates(synthesized):
    return synthesized(TWO)[1]


@pytest.fixture
def of_type(templates):
    return lambda kind, stack: list(resources_of(templates, kind, stack).values())


def only(found):
    (properties,) = found
    return properties


def metrics(found):
    return {alarm["MetricName"] for alarm in found}


def test_a_serverless_endpoint_has_no_instances_and_what_it_cannot_have_is_left_out(of_type):
    configuration = only(of_type("AWS::SageMaker::EndpointConfig", SERVERLESS))
    variant = only(configuration["ProductionVariants"])
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    assert not {"InstanceType", "InitialInstanceCount", "RoutingConfig"} & variant.keys()
    assert not {"DataCaptureConfig", "AsyncInferenceConfig"} & configuration.keys()
    model = only(of_type("AWS::SageMaker::Model", SERVERLESS))
    assert model["EnableNetworkIsolation"] is False and "VpcConfig" not in model
    assert model["PrimaryContainer"]["Environment"]["SAGEMAKER_MODEL_SERVER_WORKERS"] == "1"


@pytest.mark.parametrize("stack", [ASYNCHRONOUS, "shop--arrests--live"])
def test_the_other_kinds_are_isolated_from_the_network(of_type, stack):
    assert only(of_type("AWS::SageMaker::Model", stack))["EnableNetworkIsolation"] is True


def test_nothing_is_watched_where_nothing_is_captured(of_type):
    assert not of_type("AWS::SageMaker::Pipeline", SERVERLESS)
    assert of_type("AWS::SageMaker::Pipeline", ASYNCHRONOUS)


def test_alarms_are_on_metrics_that_the_kind_has(of_type):
    """The exhaustive lists of the SageMaker guide: serverless-endpoints-monitoring and async-inference-monitor."""
    published = {
        SERVERLESS: {
            *("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency", "OverheadLatency", "ModelSetupTime"),
            *("MemoryUtilization", "ServerlessConcurrentExecutionsUtilization"),
        },
        ASYNCHRONOUS: {
            *("Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency", "CPUUtilization", "MemoryUtilization"),
            *("ApproximateAgeOfOldestRequest", "HasBacklogWithoutCapacity", "InvocationFailures"),
        },
    }
    for stack, known in published.items():
        alarms = [alarm for alarm in of_type("AWS::CloudWatch::Alarm", stack) if "sagemaker" in alarm["Namespace"].lower()]
        found = metrics(alarm for alarm in alarms if alarm["Namespace"] in ("AWS/SageMaker", "/aws/sagemaker/Endpoints"))
        assert found <= known, stack
        assert found >= {"Invocation5XXErrors", "ModelLatency"}


@pytest.mark.parametrize("stack", [SERVERLESS, ASYNCHRONOUS])
def test_a_deployment_is_guarded_by_errors_and_latency_as_any(of_type, stack):
    guarded, at_once = guarded_and_at_once(only(of_type("AWS::SageMaker::Endpoint", stack)))
    assert len(guarded["AutoRollbackConfiguration"]["Alarms"]) == 2
    assert "AutoRollbackConfiguration" not in at_once


def test_what_is_provisioned_follows_how_much_of_it_is_busy(of_type):
    target = only(of_type("AWS::ApplicationAutoScaling::ScalableTarget", PROVISIONED))
    assert (target["ScalableDimension"], target["MinCapacity"], target["MaxCapacity"]) == (
        "sagemaker:variant:DesiredProvisionedConcurrency",
        1,
        3,
    )
    tracking = only(of_type("AWS::ApplicationAutoScaling::ScalingPolicy", PROVISIONED))["TargetTrackingScalingPolicyConfiguration"]
    predefined = tracking["PredefinedMetricSpecification"]["PredefinedMetricType"]
    assert (predefined, tracking["TargetValue"]) == ("SageMakerVariantProvisionedConcurrencyUtilization", 0.7)
    assert not of_type("AWS::ApplicationAutoScaling::ScalableTarget", SERVERLESS), "nothing is provisioned"


def test_an_asynchronous_endpoint_goes_to_zero_and_a_waiting_request_starts_the_first_instance(of_type, templates):
    target = only(of_type("AWS::ApplicationAutoScaling::ScalableTarget", ASYNCHRONOUS))
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 2)
    steps, tracking = sorted(of_type("AWS::ApplicationAutoScaling::ScalingPolicy", ASYNCHRONOUS), key=lambda policy: policy["PolicyType"])
    metric = tracking["TargetTrackingScalingPolicyConfiguration"]["CustomizedMetricSpecification"]
    assert metric["MetricName"] == "ApproximateBacklogSizePerInstance"
    assert metric["Dimensions"] == [{"Name": "EndpointName", "Value": ASYNCHRONOUS}], "it has no other dimension"
    (adjustment,) = steps["StepScalingPolicyConfiguration"]["StepAdjustments"]
    assert adjustment == {"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}
    (alarm,) = [item for item in of_type("AWS::CloudWatch::Alarm", ASYNCHRONOUS) if item["MetricName"] == "HasBacklogWithoutCapacity"]
    assert alarm["Dimensions"] == [{"Name": "EndpointName", "Value": ASYNCHRONOUS}]
    endpoint = only(of_type("AWS::SageMaker::Endpoint", ASYNCHRONOUS))
    assert endpoint["RetainAllVariantProperties"] is True, "an update does not start what is at zero"


def test_answers_and_failures_go_to_the_environments_bucket_and_are_told(of_type):
    output = only(of_type("AWS::SageMaker::EndpointConfig", ASYNCHRONOUS))["AsyncInferenceConfig"]["OutputConfig"]
    assert "answers/shop--queued--live" in str(output["S3OutputPath"]) and "failures/shop--queued--live" in str(output["S3FailurePath"])
    topics = output["NotificationConfig"]
    assert topics["SuccessTopic"] == topics["ErrorTopic"] == {"Fn::ImportValue": f"{ASYNCHRONOUS}-AnswersTopicArn"}
    assert output["KmsKeyId"]


def test_what_is_asked_and_answered_expires(templates, of_type):
    rules = str([item.get("LifecycleConfiguration") for item in of_type("AWS::S3::Bucket", "shop--environment--live")])
    assert all(prefix in rules for prefix in ("requests/", "answers/", "failures/"))


@pytest.mark.parametrize("kind", ["deploy", "return"])
def test_what_runs_on_instances_that_follow_a_queue_takes_another_type_in_two_updates_too(templates, kind):
    """render.py takes its scaling away in the first one; a serverless endpoint has no instance type."""
    pipelines = resources_of(templates, "AWS::CodePipeline::Pipeline", "shop--queued").values()
    (stages,) = [item["Stages"] for item in pipelines if item["Name"].endswith(f"--{kind}")]
    second = [stage["Name"] for stage in stages if "ChangeType" in [action["Name"] for action in stage["Actions"]]]
    assert second == [{"deploy": "Production", "return": "Return"}[kind]]


def test_what_two_kinds_call_alike_is_one_resource_so_that_a_model_can_go_from_one_kind_to_the_other(templates):
    """CloudFormation makes what is new before it takes away what is gone: the same name twice is "already exists"."""
    named = {"Alarm": "AlarmName", "ScalingPolicy": "PolicyName", "LogGroup": "LogGroupName", "Endpoint": "EndpointName"}
    found: dict[tuple[str, str], dict[str, str]] = {}
    for stack in ("shop--abalone--live", SERVERLESS, ASYNCHRONOUS, PROVISIONED, "shop--fish--try", "shop--fish--live"):
        for logical_id, resource in templates[stack]["Resources"].items():
            kind = resource["Type"].rsplit("::", 1)[-1]
            name = resource.get("Properties", {}).get(named.get(kind, ""))
            if isinstance(name, str):
                found.setdefault((kind, name.replace(stack, "<stack>")), {})[stack] = logical_id
    assert {"shop--abalone--live"} == set(found["Alarm", "<stack>--load"]), "steps of an endpoint"
    assert {ASYNCHRONOUS, "shop--fish--try"} == set(found["Alarm", "<stack>--first"]), "the first instance of a queue, the first copy"
    assert {key: ids for key, ids in found.items() if len(set(ids.values())) > 1} == {}
