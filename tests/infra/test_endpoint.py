"""The endpoint stacks: guarded updates, retained capacity, three kinds of scaling, alarms."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from zoneinfo import available_timezones

import boto3
import pytest
from botocore.validate import ParamValidator

from capacity.alarms import INSUFFICIENT_DATA, state_of
from capacity.model import Alarm, MetricSpecification
from infra.serving.instance_alarms import virtual_cpus
from settings_schema import Autoscaling, Endpoint, RequestRouting, Rollout, Routing, Schedule, TargetTracking
from tests.example_models import ABALONE
from tests.infra.cases import ONE, named, serving_stacks
from tests.infra.conftest import guarded_and_at_once
from tests.infra.grants import only as only_of
from tests.infra.grants import roles, text

PRODUCTION_STACK, STAGING_STACK = "shop--abalone--live", "shop--abalone--try"
ENDPOINTS = serving_stacks(ONE, batch=False)
#: With a place for a shadow, and for a challenger: test_shadow.py and test_experiment.py say how they go all at once.
WITH_A_SECOND = ("shop--abalone-large--live", "shop--tried--live")


def only(found):
    ((_, properties),) = found.items()
    return properties


@pytest.fixture
def endpoint(resources):
    return only(resources("AWS::SageMaker::Endpoint", PRODUCTION_STACK))


@pytest.mark.parametrize("kind", ["AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig"])
def test_what_a_version_replaces_is_unnamed(resources, kind):
    for properties in resources(kind).values():
        assert not {"ModelName", "EndpointConfigName"} & properties.keys()


@pytest.mark.parametrize("stack", ENDPOINTS)
def test_what_a_version_replaces_stays_because_sagemaker_may_have_gone_back_to_it(templates, stack):
    """SageMaker can undo an update and stay in service; CloudFormation then believes that the old configuration is of no use."""
    kept = [item for item in templates[stack]["Resources"].values() if item["Type"].endswith(("::Model", "::EndpointConfig"))]
    assert len([item for item in kept if "Condition" not in item]) == 2  # and what is in the shadow, or tried
    for item in kept:
        assert (item["UpdateReplacePolicy"], item["DeletionPolicy"]) == ("Retain", "Delete")
        tags = {tag["Key"]: tag["Value"] for tag in item["Properties"]["Tags"]}
        assert tags["made-for"] == stack


@pytest.mark.parametrize("stack", ENDPOINTS)
def test_the_model_is_the_package_of_the_parameter(resources, stack):
    model = resources("AWS::SageMaker::Model", stack)[f"{stack}/Model"]
    assert model["PrimaryContainer"]["ModelPackageName"] == {"Ref": "ModelPackageArn"}


VERSION = {"Ref": "ModelVersion"}  # not the end of the ARN: in another region that is a copy with a number of its own


@pytest.mark.parametrize("stack", ENDPOINTS)
def test_the_container_knows_its_version_and_what_its_metrics_are_called(resources, stack):
    environment = resources("AWS::SageMaker::Model", stack)[f"{stack}/Model"]["PrimaryContainer"]["Environment"]
    assert environment["MODEL_VERSION"] == VERSION
    assert environment["METRICS_ENDPOINT"] == stack
    assert environment["METRICS_NAMESPACE"] == "/".join([*stack.split("--")[:2], "Monitoring"])


def predictions_alarm(found):
    (alarm,) = [alarm for alarm in found.values() if alarm["MetricName"] == "PredictionDistance"]
    return alarm


def test_predictions_that_moved_call_a_person_about_the_version_that_makes_them(resources):
    """Its name holds the version, too: an alarm that the old one set off would keep its state, and undo the rollout of what mends it."""
    alarm = predictions_alarm(resources("AWS::CloudWatch::Alarm", PRODUCTION_STACK))
    assert alarm["Dimensions"] == [{"Name": "EndpointName", "Value": PRODUCTION_STACK}, {"Name": "ModelVersion", "Value": VERSION}]
    assert VERSION in alarm["AlarmName"]["Fn::Join"][1]
    assert (alarm["TreatMissingData"], alarm["ComparisonOperator"]) == ("notBreaching", "GreaterThanThreshold")
    assert len(alarm["AlarmActions"]) == 1


def rollback_metrics(template):
    resources = template["Resources"]
    (endpoint,) = [item["Properties"] for item in resources.values() if item["Type"] == "AWS::SageMaker::Endpoint"]
    references = [alarm["AlarmName"]["Ref"] for alarm in guarded_and_at_once(endpoint)[0]["AutoRollbackConfiguration"]["Alarms"]]
    return {resources[reference]["Properties"]["MetricName"] for reference in references}


def test_predictions_that_moved_undo_a_rollout_only_if_the_team_says_so(templates, variant):
    assert "PredictionDistance" not in rollback_metrics(templates[PRODUCTION_STACK])
    strict = Endpoint(roll_back_on_predictions=True, prediction_distance=3)
    chosen = variant(models=named(ABALONE.but(serving={"try": strict, "live": strict})))
    assert "PredictionDistance" in rollback_metrics(chosen[PRODUCTION_STACK])
    alarms = [item["Properties"] for item in chosen[PRODUCTION_STACK]["Resources"].values() if item["Type"] == "AWS::CloudWatch::Alarm"]
    assert predictions_alarm(dict(enumerate(alarms)))["Threshold"] == 3
    # SageMaker asks for the alarms of an update as the model's role, which may otherwise not know of this one.
    (watching,) = [text for text in map(str, chosen["shop--environment--live"]["Resources"].values()) if "RollbackAlarms" in text]
    assert ":alarm:shop--abalone--live--predictions--*" in watching


def test_an_endpoint_that_is_to_be_silent_is_not_asked_to_speak_and_has_no_alarm_on_predictions(variant):
    silent = Endpoint(live_metrics=False)
    chosen = variant(models=named(ABALONE.but(serving={"try": silent, "live": silent})))[PRODUCTION_STACK]["Resources"].values()
    (container,) = [item["Properties"]["PrimaryContainer"] for item in chosen if item["Type"] == "AWS::SageMaker::Model"]
    assert container["Environment"] == {"MODEL_VERSION": VERSION}
    assert not [item for item in chosen if item["Properties"].get("MetricName") == "PredictionDistance"]


@pytest.mark.parametrize("stack", ENDPOINTS)
def test_a_request_goes_to_the_least_busy_instance(resources, stack):
    production_variant = only(resources("AWS::SageMaker::EndpointConfig", stack))["ProductionVariants"][0]
    assert production_variant["RoutingConfig"] == {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"}


def test_traffic_moves_in_a_canary_of_at_most_half(endpoint):
    traffic = guarded_and_at_once(endpoint)[0]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert traffic["Type"] == "CANARY"
    assert traffic["CanarySize"]["Type"] == "CAPACITY_PERCENT"
    assert 1 <= traffic["CanarySize"]["Value"] <= 50


def test_an_update_rolls_back_on_server_errors_and_latency_only(endpoint, templates):
    resources = templates[PRODUCTION_STACK]["Resources"]
    references = [alarm["AlarmName"]["Ref"] for alarm in guarded_and_at_once(endpoint)[0]["AutoRollbackConfiguration"]["Alarms"]]
    alarms = [resources[reference]["Properties"] for reference in references]
    assert {alarm["MetricName"] for alarm in alarms} == {"Invocation5XXErrors", "ModelLatency"}
    for alarm in alarms:
        assert alarm["TreatMissingData"] == "notBreaching"
        assert {"Name": "EndpointName", "Value": "shop--abalone--live"} in alarm["Dimensions"]


@pytest.mark.parametrize("stack", [stack for stack in ENDPOINTS if stack not in WITH_A_SECOND])
def test_what_replaces_a_rejected_version_goes_all_at_once_and_nothing_undoes_it(templates, resources, stack):
    """The alarms are the endpoint's: those that the rejected version keeps on would bring it back."""
    template, endpoint = templates[stack], only(resources("AWS::SageMaker::Endpoint", stack))
    assert template["Parameters"]["Update"]["AllowedValues"] == ["guarded", "at-once"]
    assert template["Parameters"]["Update"]["Default"] == "guarded"
    assert template["Conditions"]["Guarded"] == {"Fn::Equals": [{"Ref": "Update"}, "guarded"]}
    _, at_once = guarded_and_at_once(endpoint)
    assert list(at_once) == ["BlueGreenUpdatePolicy"]
    policy = at_once["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"] == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    assert policy["TerminationWaitInSeconds"] == 0


@pytest.mark.parametrize("rollout", [Rollout(routing=routing) for routing in Routing])
def test_each_way_to_update_is_one_that_sagemaker_takes(variant, rollout):
    """Within Fn::If nothing else looks at it: neither the CDK nor cfn-lint."""
    two = Endpoint(rollout=rollout, initial_instance_count=2)
    chosen = variant(models=named(ABALONE.but(serving={"try": two, "live": two})))
    (endpoint,) = [item["Properties"] for item in chosen[STAGING_STACK]["Resources"].values() if item["Type"] == "AWS::SageMaker::Endpoint"]
    shape = boto3.client("sagemaker", region_name="us-east-1").meta.service_model.shape_for("DeploymentConfig")
    for way in guarded_and_at_once(endpoint):
        assert ParamValidator().validate(without_references(way), shape).generate_report() == ""


def test_a_fleet_that_rolls_needs_no_second_one_on_the_way_back_either(variant):
    """Whoever chooses it may have room for no more than a batch."""
    rollout = Rollout(routing=Routing.ROLLING, step_percent=20, bake_seconds=60, rollback_step_percent=50)
    two = Endpoint(rollout=rollout, initial_instance_count=2)
    chosen = variant(models=named(ABALONE.but(serving={"try": two, "live": two})))
    (endpoint,) = [item["Properties"] for item in chosen[STAGING_STACK]["Resources"].values() if item["Type"] == "AWS::SageMaker::Endpoint"]
    guarded, at_once = guarded_and_at_once(endpoint)
    assert guarded["RollingUpdatePolicy"]["MaximumBatchSize"] == {"Type": "CAPACITY_PERCENT", "Value": 20}
    assert guarded["RollingUpdatePolicy"]["RollbackMaximumBatchSize"] == {"Type": "CAPACITY_PERCENT", "Value": 50}
    assert (len(guarded["AutoRollbackConfiguration"]["Alarms"]), list(at_once)) == (2, ["RollingUpdatePolicy"])
    assert at_once["RollingUpdatePolicy"]["MaximumBatchSize"]["Value"] == 50
    assert at_once["RollingUpdatePolicy"]["WaitIntervalInSeconds"] == 0


def without_references(value):
    """With a name for each reference, as CloudFormation asks SageMaker."""
    if isinstance(value, list):
        return [without_references(item) for item in value]
    if isinstance(value, dict):
        return value["Ref"] if "Ref" in value else {name: without_references(item) for name, item in value.items()}
    return value


def test_latency_is_compared_in_microseconds(resources):
    alarms = resources("AWS::CloudWatch::Alarm", PRODUCTION_STACK).values()
    (latency,) = [alarm for alarm in alarms if alarm["MetricName"] == "ModelLatency"]
    assert latency["Threshold"] == 500_000  # of 500 ms


def test_a_deployment_keeps_the_capacity_that_scaling_chose_but_for_another_instance_type(templates, resources, endpoint):
    """For which it says how many there are to be: SageMaker retains no count of another type."""
    assert endpoint["RetainAllVariantProperties"] is True
    condition, *ways = endpoint["ExcludeRetainedVariantProperties"]["Fn::If"]
    kept, given = ({item["VariantPropertyType"] for item in way} for way in ways)
    assert (kept, given - kept) == ({"DataCaptureConfig", "DesiredWeight"}, {"DesiredInstanceCount"})
    template = templates[PRODUCTION_STACK]
    assert template["Conditions"][condition] == {"Fn::Equals": [{"Ref": "Capacity"}, "kept"]}
    assert template["Parameters"]["Capacity"]["Default"] == "kept"
    (variant,) = only(resources("AWS::SageMaker::EndpointConfig", PRODUCTION_STACK))["ProductionVariants"]
    assert variant["InitialInstanceCount"] == {"Ref": "InstanceCount"}
    assert template["Parameters"]["InstanceCount"]["Default"] == 2


def test_all_three_kinds_of_scaling_act_on_the_one_variant(resources):
    target = only(resources("AWS::ApplicationAutoScaling::ScalableTarget", PRODUCTION_STACK))
    policies = resources("AWS::ApplicationAutoScaling::ScalingPolicy", PRODUCTION_STACK).values()
    assert target["ResourceId"] == "endpoint/shop--abalone--live/variant/AllTraffic"
    assert {policy["PolicyType"] for policy in policies} == {"TargetTrackingScaling", "StepScaling"}
    assert "RoleARN" not in target  # SageMaker's service-linked role


def test_target_tracking_follows_what_an_instance_can_do(resources):
    policies = resources("AWS::ApplicationAutoScaling::ScalingPolicy", PRODUCTION_STACK).values()
    (tracking,) = [policy["TargetTrackingScalingPolicyConfiguration"] for policy in policies if policy["PolicyType"].startswith("Target")]
    assert tracking["TargetValue"] == 1200  # 40 requests a second with a safety of 0.5, in a minute


def test_bounds_cron_expressions_and_time_zones_are_valid(resources, other_endpoints):
    targets = [item["Properties"] for item in other_endpoints.values() if item["Type"] == "AWS::ApplicationAutoScaling::ScalableTarget"]
    for target in [*targets, *resources("AWS::ApplicationAutoScaling::ScalableTarget").values()]:
        actions = target.get("ScheduledActions", [])
        for bounds in [target, *(action["ScalableTargetAction"] for action in actions)]:
            assert 1 <= bounds["MinCapacity"] <= bounds["MaxCapacity"]
        for action in actions:
            assert action["Timezone"] in available_timezones()
            assert re.fullmatch(r"cron\((\S+ ){5}\S+\)", action["Schedule"])


def test_steps_touch_without_gap_or_overlap(resources):
    for policy in resources("AWS::ApplicationAutoScaling::ScalingPolicy").values():
        steps = policy.get("StepScalingPolicyConfiguration", {}).get("StepAdjustments", [])
        for lower, upper in pairwise(steps):
            assert lower["MetricIntervalUpperBound"] == upper["MetricIntervalLowerBound"]
        assert not steps or (steps[0]["MetricIntervalLowerBound"] == 0 and "MetricIntervalUpperBound" not in steps[-1])


def test_the_step_policy_acts_on_its_own_alarm(templates):
    resources = templates[PRODUCTION_STACK]["Resources"]
    (policy,) = [name for name, item in resources.items() if item.get("Properties", {}).get("PolicyType") == "StepScaling"]
    (alarm,) = [item["Properties"] for item in resources.values() if {"Ref": policy} in item.get("Properties", {}).get("AlarmActions", [])]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("InvocationsPerInstance", "Sum")


def test_requests_are_captured_encrypted_below_the_capture_prefix(resources):
    for name, config in resources("AWS::SageMaker::EndpointConfig").items():
        environment = name.split("/")[0].rsplit("--", 1)[-1]
        capture = config["DataCaptureConfig"]
        assert capture["DestinationS3Uri"]["Fn::Join"][1][-1] == "/capture"
        assert capture["KmsKeyId"] == {"Fn::ImportValue": f"shop--environment--{environment}-KeyArn"}
        kinds = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json", "application/jsonlines"]}
        assert capture["CaptureContentTypeHeader"] == kinds, "of what is read as text; anything else is captured in base64"


def test_only_a_protected_endpoint_alarms_without_traffic(resources):
    names = [alarm["AlarmName"] for alarm in resources("AWS::CloudWatch::Alarm").values()]
    assert "shop--abalone--live--no-traffic" in names
    assert "shop--abalone--try--no-traffic" not in names


@pytest.fixture
def silence(resources):
    """The synthesized alarm, and its rule as CloudWatch's own table of missing data reads it."""
    (alarm,) = [found for found in resources("AWS::CloudWatch::Alarm").values() if found["AlarmName"] == "shop--abalone--live--no-traffic"]
    rule = Alarm(
        name=alarm["AlarmName"],
        metric=MetricSpecification(alarm["MetricName"], period_seconds=alarm["Period"]),
        comparison=alarm["ComparisonOperator"],
        threshold=alarm["Threshold"],
        evaluation_periods=alarm["EvaluationPeriods"],
        datapoints_to_alarm=alarm["EvaluationPeriods"],
        treat_missing_data=alarm["TreatMissingData"],
    )
    return alarm, rule


def test_a_new_endpoint_calls_nobody_and_requests_that_cease_do(silence):
    alarm, rule = silence
    actions = {"ALARM": alarm["AlarmActions"], "OK": alarm.get("OKActions"), INSUFFICIENT_DATA: alarm["InsufficientDataActions"]}
    nothing = [None] * 6
    created = INSUFFICIENT_DATA  # in which CloudWatch makes every alarm
    assert state_of(rule, nothing, created) == created  # no change, so no action
    served = state_of(rule, [None, None, None, None, None, 3.0], created)
    assert (served, actions[served]) == ("OK", None)
    ceased = state_of(rule, nothing, served)
    assert ceased != served
    assert actions[ceased] == [{"Fn::ImportValue": "shop--environment--live-AlertTopicArn"}]
    assert rule.metric.period_seconds * rule.evaluation_periods == 3600


def test_silence_is_found_only_an_hour_after_the_verification_asked(silence):
    """Verify asks every new endpoint; after it nobody comes."""
    _, rule = silence
    quiet = [3.0, *[None] * rule.evaluation_periods]
    states = [state_of(rule, [*[None] * 6, *quiet[:periods]][-6:], "OK") for periods in range(1, len(quiet) + 1)]
    assert states == ["OK"] * len(quiet)


def test_silence_is_watched_only_once_the_endpoint_is_there(templates):
    """An endpoint of that name may have answered before: its last requests would seem to cease while the new one is being made."""
    found = templates[PRODUCTION_STACK]["Resources"]
    (alarm,) = [item for item in found.values() if item.get("Properties", {}).get("AlarmName") == "shop--abalone--live--no-traffic"]
    (endpoint,) = [name for name, item in found.items() if item["Type"] == "AWS::SageMaker::Endpoint"]
    assert endpoint in alarm["DependsOn"]


def test_staging_without_autoscaling_takes_its_size_from_the_settings(resources):
    staging = only(resources("AWS::SageMaker::Endpoint", STAGING_STACK))
    assert staging["RetainAllVariantProperties"] is False
    assert resources("AWS::ApplicationAutoScaling::ScalableTarget", STAGING_STACK) == {}


def test_what_a_serving_stack_imports_its_environment_exports_and_nothing_else_does(case):
    _, (_, templates) = case
    for environment in ("try", "live"):
        fleets = (f"shop--fleet--{name}--{environment}" for name in ("small", "tiny"))  # where there are some
        shared = (f"shop--environment--{environment}", *fleets)
        outputs = [output for name in shared if name in templates for output in templates[name]["Outputs"].values()]
        exported = {output["Export"]["Name"] for output in outputs if "Export" in output}
        stacks = [
            name for name in templates if name.count("--") == 2 and name.endswith(f"--{environment}") and "--environment--" not in name
        ]
        assert stacks
        for stack in stacks:
            assert set(re.findall(r"'Fn::ImportValue': '([^']+)'", str(templates[stack]))) <= exported


@pytest.fixture(scope="module")
def other_endpoints(variant):
    """Linear rollout, random requests, concurrency tracking without steps, no capture, an instance with a disk of its own, schedules."""
    scaling = Autoscaling(
        min_capacity=2, max_capacity=4, target_tracking=TargetTracking(concurrent_requests_per_model=5), step_scaling=None
    )
    production = Endpoint(
        instance_type="ml.g5.xlarge",
        initial_instance_count=2,
        data_capture_percent=0,
        request_routing=RequestRouting.RANDOM,
        rollout=Rollout(routing=Routing.LINEAR, step_percent=25),
        autoscaling=scaling,
    )
    night = Schedule(name="n", cron="0 1 ? * * *", min_capacity=1, max_capacity=1)
    staging = Endpoint(autoscaling=Autoscaling(min_capacity=1, max_capacity=2, schedules=(night,), time_zone="Europe/Madrid"))
    templates = variant(models=named(ABALONE.but(serving={"try": staging, "live": production})))
    return {
        **templates[PRODUCTION_STACK]["Resources"],
        **{f"staging{name}": item for name, item in templates[STAGING_STACK]["Resources"].items()},
    }


def test_other_settings_make_other_endpoints(other_endpoints):
    production = {name: item for name, item in other_endpoints.items() if not name.startswith("staging")}
    by_type = {item["Type"]: item["Properties"] for item in production.values()}
    traffic = guarded_and_at_once(by_type["AWS::SageMaker::Endpoint"])[0]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert traffic["LinearStepSize"]["Value"] == 25
    (production_variant,) = by_type["AWS::SageMaker::EndpointConfig"]["ProductionVariants"]
    assert production_variant["RoutingConfig"] == {"RoutingStrategy": "RANDOM"}
    assert not {"KmsKeyId", "DataCaptureConfig"} & by_type["AWS::SageMaker::EndpointConfig"].keys()
    assert "ScheduledActions" not in by_type["AWS::ApplicationAutoScaling::ScalableTarget"]
    policies = [item["Properties"] for item in production.values() if item["Type"].endswith("ScalingPolicy")]
    metrics = [
        policy["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["PredefinedMetricType"] for policy in policies
    ]
    assert sorted(metrics) == ["SageMakerVariantConcurrentRequestsPerModelHighResolution", "SageMakerVariantInvocationsPerInstance"]


@pytest.mark.parametrize(
    ("instance_type", "cpus"),
    [("ml.t2.medium", 2), ("ml.m5.large", 2), ("ml.m5.xlarge", 4), ("ml.c5.9xlarge", 36), ("ml.g5.48xlarge", 192)],
)
def test_cpu_utilisation_counts_every_core(instance_type, cpus):
    assert virtual_cpus(instance_type) == cpus


def test_the_dashboard_shows_each_feature_s_drift_without_naming_one(templates):
    """A search by the names that the watch publishes by: a feature that comes or goes changes no dashboard."""
    (dashboard,) = [item for item in templates["shop--abalone"]["Resources"].values() if item["Type"] == "AWS::CloudWatch::Dashboard"]
    body = json.dumps(dashboard["Properties"]["DashboardBody"])
    for environment in ("try", "live"):
        assert f"shop--abalone--{environment}: drift of each feature" in body
    assert "SEARCH(" in body
    assert "shop/abalone/Monitoring" in body
    assert "length" not in body


def test_each_search_of_the_dashboard_quotes_its_namespace(templates):
    """Which CloudWatch wants of one with other signs than letters and digits, as a model's hyphen: "Search expression syntax"."""
    for stack in ("shop--abalone", "shop--arrests"):
        (dashboard,) = [item for item in templates[stack]["Resources"].values() if item["Type"] == "AWS::CloudWatch::Dashboard"]
        body = json.loads(text(dashboard["Properties"]["DashboardBody"], stack, templates))
        searches = [
            metric[0]["expression"]
            for widget in body["widgets"]
            for metric in widget["properties"].get("metrics", [])
            if "expression" in metric[0]
        ]
        assert searches
        quoted = "{" + f'"{stack.replace("--", "/")}/Monitoring",'
        assert [search for search in searches if quoted not in search] == []


@pytest.mark.parametrize("stack", serving_stacks(ONE))
def test_what_serves_is_watched_by_a_pipeline_that_its_schedule_starts_and_whose_failure_calls_someone(templates, resources, stack):
    pipeline = only(resources("AWS::SageMaker::Pipeline", stack))
    (schedule,) = [item for item in resources("AWS::Scheduler::Schedule", stack).values() if item["Name"] == pipeline["PipelineName"]]
    arn = text(schedule["Target"]["Arn"], stack, templates)
    assert arn == f"arn:aws:sagemaker:us-east-1:111122223333:pipeline/{stack}--monitoring"
    by_name = {role.arn: role for role in roles(templates).values()}
    starting = by_name[text(schedule["Target"]["RoleArn"], stack, templates)]
    assert starting.may("sagemaker:StartPipelineExecution", arn)
    assert not starting.may("sagemaker:StartPipelineExecution", arn.replace("--monitoring", "--training"))
    alarms = resources("AWS::CloudWatch::Alarm", stack).values()
    (failed,) = [alarm for alarm in alarms if alarm["MetricName"] == "ExecutionFailed"]
    assert failed["Dimensions"] == [{"Name": "PipelineName", "Value": f"{stack}--monitoring"}]
    assert failed["AlarmActions"]
    (drift,) = [alarm for alarm in alarms if alarm["MetricName"] == "DriftedFeatures"]
    assert "AlarmActions" not in drift, "the run that found it has told, and said more"


def test_a_model_that_is_not_watched_has_none_of_it_and_keeps_its_roles(variant):
    """The roles stay, so that a push can begin it again."""
    templates = variant(models=named(ABALONE.but(monitoring=None)))
    kinds = {item["Type"] for item in templates[PRODUCTION_STACK]["Resources"].values()}
    assert not kinds & {"AWS::SageMaker::Pipeline", "AWS::Scheduler::Schedule"}
    assert set(templates[PRODUCTION_STACK]["Parameters"]) == {"ModelPackageArn", "ModelVersion", "Update", "Capacity", "InstanceCount"}
    assert "drift" not in json.dumps(
        [item.get("Properties", {}).get("AlarmName") for item in templates[PRODUCTION_STACK]["Resources"].values()]
    )
    rules = [item["Properties"] for item in templates["shop--abalone"]["Resources"].values() if item["Type"] == "AWS::Events::Rule"]
    assert "aws.cloudwatch" not in json.dumps(rules)
    assert any(role.arn.endswith(":role/shop--abalone--live--monitoring") for role in roles(templates).values())


def test_the_watch_reads_its_own_model_s_requests_labels_and_versions_and_writes_only_what_it_found(templates):
    role = only_of(roles(templates), "shop--environment--live/ModelsabaloneMonitoringRole")
    bucket, artifacts = "arn:aws:s3:::shop--live-111122223333-us-east-1", "arn:aws:s3:::shop--artifacts-111122223333-us-east-1"
    run = f"{artifacts}/pipelines/shop--abalone--training/abc"
    for key in (
        f"{bucket}/capture/shop--abalone--live/AllTraffic/a",
        f"{bucket}/labels/abalone/a.csv",
        f"{run}/evaluate/evaluation/reference.npz",
    ):
        assert role.may("s3:GetObject", key), key
        assert not role.may("s3:PutObject", key), key
    assert role.may("s3:GetObject", f"{artifacts}/code/0123/steps/monitor.py")
    assert role.may("s3:PutObject", f"{bucket}/monitoring/abalone/history.json")
    for key in (
        *(
            f"{bucket}/{prefix}"
            for prefix in ("capture/shop--arrests--live/a", "batch/abalone/a", "labels/arrests/a", "monitoring/arrests/a")
        ),
        *(f"{run}/prepare/train/a.npy", f"{artifacts}/code/templates/abc/shop--abalone--live.template.json"),
    ):
        assert not role.may("s3:GetObject", key), key
    assert not role.may("s3:DeleteObject")
    (metrics,) = role.allowing("cloudwatch:PutMetricData")
    namespaces = metrics.condition["StringLike"]["cloudwatch:namespace"]
    assert namespaces == ["/aws/sagemaker/ProcessingJobs", "shop/abalone/Monitoring"]
    version = "arn:aws:sagemaker:us-east-1:111122223333:model-package/shop--abalone/12"
    assert role.may("sagemaker:DescribeModelPackage", version)
    for action in ("UpdateModelPackage", "CreateModelPackage", "DeleteModelPackage", "CreateModel"):
        assert not role.may(f"sagemaker:{action}", version)


def test_labels_never_expire_and_what_was_found_goes_with_the_requests_it_was_found_in(resources):
    for name, bucket in resources("AWS::S3::Bucket", "shop--environment--live").items():
        if "AccessLogs" not in name:
            expiring = {
                rule["Prefix"]: rule["ExpirationInDays"] for rule in bucket["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule
            }
            assert expiring == {"capture/": 90, "monitoring/": 90}
