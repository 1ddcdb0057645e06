"""CloudFormation: resources of our types are created, changed, replaced, rolled back and deleted as AWS would."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.cloudformation.resource_type import api_request, generated_name

from .endpoint_models import ENVIRONMENT, INFERENCE, archive, invoke
from .stacks import ROLE, Stack, parameter


@pytest.fixture
def stack(account: Account, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack that does not exist yet; deleted at the end if it does then."""
    name = "t" + request.node.name.replace("_", "-")[5:60].split("[")[0]
    stack = Stack(account, name)
    yield stack
    account.client("cloudformation").update_termination_protection(StackName=name, EnableTerminationProtection=False)
    stack.delete()


def model(bucket: str, key: str = "good.tar.gz", **properties: Any) -> dict[str, Any]:
    container = {"Image": "xgboost:3.2-0", "ModelDataUrl": f"s3://{bucket}/{key}", "Environment": ENVIRONMENT}
    return {"Type": "AWS::SageMaker::Model", "Properties": {"ExecutionRoleArn": ROLE, "PrimaryContainer": container, **properties}}


# ------------------------------------------------------------------------------------------- the engine


def test_an_unknown_resource_type_is_refused_by_name(account: Account) -> None:
    with pytest.raises(ClientError, match="AWS::Timestream::Database"):
        Stack(account, "odd").create({"Odd": {"Type": "AWS::Timestream::Database"}})

    assert "odd" not in [summary["StackName"] for summary in account.client("cloudformation").list_stacks()["StackSummaries"]]


def test_a_property_that_the_service_does_not_have_fails_by_name(stack: Stack) -> None:
    assert stack.create({"Model": model("models", Colour="red")}) == "ROLLBACK_COMPLETE"

    assert "Colour" in stack.reasons()


def test_an_export_is_imported_and_cannot_be_removed_meanwhile(account: Account, stack: Stack) -> None:
    name = {"Value": {"Ref": "Queue"}, "Export": {"Name": "shared-queue"}}
    stack.create({"Queue": {"Type": "AWS::SQS::Queue"}}, {"Queue": name})
    importer = Stack(account, "importer")

    assert (
        importer.create({"Copy": parameter("x") | {"Properties": {"Type": "String", "Value": {"Fn::ImportValue": "shared-queue"}}}})
        == "CREATE_COMPLETE"
    )

    stored = account.client("ssm").get_parameter(Name=importer.physical_id("Copy"))["Parameter"]["Value"]
    assert stored == stack.outputs()["Queue"]
    with pytest.raises(ClientError, match="Cannot delete export shared-queue as it is in use by importer"):
        account.client("cloudformation").delete_stack(StackName=stack.name)
    importer.delete()


def test_termination_protection_is_respected(account: Account, stack: Stack) -> None:
    stack.create({"One": parameter("x")}, EnableTerminationProtection=True)

    with pytest.raises(ClientError, match=r"[Tt]ermination"):
        account.client("cloudformation").delete_stack(StackName=stack.name)

    assert stack.settle() == "CREATE_COMPLETE"


def test_what_a_template_retains_outlives_its_stack(account: Account) -> None:
    stack = Stack(account, "retaining")
    group = {
        "Type": "AWS::SageMaker::ModelPackageGroup",
        "Properties": {"ModelPackageGroupName": "kept-models"},
        "DeletionPolicy": "Retain",
    }
    stack.create({"Group": group})

    stack.delete()

    assert (
        account.client("sagemaker").describe_model_package_group(ModelPackageGroupName="kept-models")["ModelPackageGroupStatus"]
        == "Completed"
    )


def test_a_failed_update_puts_everything_back(account: Account, stack: Stack) -> None:
    stack.create({"One": parameter("before"), "Group": group("update-models")})

    status = stack.update(
        {"One": parameter("after"), "Group": group("update-models"), "Odd": {**model("models", Colour="red"), "DependsOn": "One"}}
    )

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert account.client("ssm").get_parameter(Name=stack.physical_id("One"))["Parameter"]["Value"] == "before"


def group(name: str) -> dict[str, Any]:
    return {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": {"ModelPackageGroupName": name}}


# ---------------------------------------------------------------------------------------------- our types


@pytest.fixture(scope="module")
def bucket(account: Account) -> str:
    """A bucket with one model that doubles, one that triples, and one whose code fails on loading."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket="cfn-models")
    for key, source in (
        ("good.tar.gz", INFERENCE.replace("FACTOR", "2.0")),
        ("better.tar.gz", INFERENCE.replace("FACTOR", "3.0")),
        ("broken.tar.gz", "raise RuntimeError('no model today')"),
    ):
        s3.put_object(Bucket="cfn-models", Key=key, Body=archive({"code/inference.py": source}))
    return "cfn-models"


def endpoint_resources(bucket: str, key: str, endpoint_name: str, maximum: int = 4) -> dict[str, Any]:
    """An endpoint with autoscaling, written as CDK writes it: nothing named but the endpoint, numbers as strings here and there."""
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": "1",
        "InitialVariantWeight": 1,
    }
    return {
        "Model": model(bucket, key),
        "Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant]}},
        "Endpoint": {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {
                "EndpointName": endpoint_name,
                "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
                "RetainAllVariantProperties": True,
                "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}],
            },
        },
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "DependsOn": "Endpoint",
            "Properties": {
                "ServiceNamespace": "sagemaker",
                "ResourceId": f"endpoint/{endpoint_name}/variant/AllTraffic",
                "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
                "MinCapacity": 1,
                "MaxCapacity": maximum,
                "ScheduledActions": [
                    {
                        "ScheduledActionName": "morning",
                        "Schedule": "cron(0 7 ? * MON-FRI *)",
                        "Timezone": "Europe/Madrid",
                        "ScalableTargetAction": {"MinCapacity": "2", "MaxCapacity": "4"},
                    }
                ],
            },
        },
        "Policy": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {
                "PolicyName": "requests",
                "PolicyType": "TargetTrackingScaling",
                "ScalingTargetId": {"Ref": "Target"},
                "TargetTrackingScalingPolicyConfiguration": {
                    "TargetValue": "1200",
                    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
                },
            },
        },
    }


def test_a_second_variant_that_scales_leaves_a_stack_in_two_updates(account: Account, bucket: str) -> None:
    """A target goes after what is updated, and SageMaker removes no variant that is one ("Update endpoints that use auto scaling")."""
    stack, sagemaker, scaling = Stack(account, "tried"), account.client("sagemaker"), account.client("application-autoscaling")
    alone = endpoint_resources(bucket, "good.tar.gz", "tried")
    beside = endpoint_resources(bucket, "good.tar.gz", "tried")
    (first,) = beside["Config"]["Properties"]["ProductionVariants"]
    beside["Config"]["Properties"]["ProductionVariants"].append({**first, "VariantName": "Second", "InitialVariantWeight": 0.25})
    target = {**beside["Target"]["Properties"], "ResourceId": "endpoint/tried/variant/Second", "ScheduledActions": []}
    scales = {**beside, "SecondTarget": {**beside["Target"], "Properties": target}}

    def there() -> tuple[set[str], set[str]]:
        variants = sagemaker.describe_endpoint(EndpointName="tried")["ProductionVariants"]
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        return {item["VariantName"] for item in variants}, {item["ResourceId"].rsplit("/", 1)[-1] for item in targets}

    assert [stack.create(alone), stack.update(beside), stack.update(scales)] == ["CREATE_COMPLETE", *["UPDATE_COMPLETE"] * 2]
    assert there() == ({"AllTraffic", "Second"}, {"AllTraffic", "Second"})

    assert stack.update(alone) == "UPDATE_ROLLBACK_COMPLETE"
    assert "must be deregistered as scalable targets" in stack.reasons()
    assert there() == ({"AllTraffic", "Second"}, {"AllTraffic", "Second"})

    assert stack.update(beside) == "UPDATE_COMPLETE"
    assert there() == ({"AllTraffic", "Second"}, {"AllTraffic"})
    assert stack.update(alone) == "UPDATE_COMPLETE"
    assert there() == ({"AllTraffic"}, {"AllTraffic"})
    stack.delete()


def test_an_endpoint_stack_lives_from_its_first_model_to_the_next_and_away(account: Account, bucket: str) -> None:
    stack = Stack(account, "endpoint-life")
    sagemaker, scaling = account.client("sagemaker"), account.client("application-autoscaling")
    assert stack.create(endpoint_resources(bucket, "good.tar.gz", "life")) == "CREATE_COMPLETE", stack.reasons()
    assert json.loads(invoke(account, "life", b"1")["Body"]) == [2.0]
    first_model = stack.physical_id("Model")

    assert stack.update(endpoint_resources(bucket, "better.tar.gz", "life", maximum=6)) == "UPDATE_COMPLETE", stack.reasons()

    assert json.loads(invoke(account, "life", b"1")["Body"]) == [3.0]
    assert stack.physical_id("Model") != first_model
    assert [f"arn:{item['ModelArn'].split(':', 1)[1]}" for item in sagemaker.list_models()["Models"]] == [stack.physical_id("Model")]
    assert len(sagemaker.list_endpoint_configs()["EndpointConfigs"]) == 1
    target = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 6)
    action = scaling.describe_scheduled_actions(ServiceNamespace="sagemaker")["ScheduledActions"][0]
    assert (action["ScalableTargetAction"], action["Timezone"]) == ({"MinCapacity": 2, "MaxCapacity": 4}, "Europe/Madrid")

    stack.delete()

    assert sagemaker.list_endpoints()["Endpoints"] == sagemaker.list_models()["Models"] == []
    assert scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"] == []
    assert scaling.describe_scheduled_actions(ServiceNamespace="sagemaker")["ScheduledActions"] == []


def routed(bucket: str, routing: Mapping[str, Any]) -> dict[str, Any]:
    """A model and a configuration of it, without an endpoint."""
    resources = endpoint_resources(bucket, "good.tar.gz", "unused")
    (variant,) = resources["Config"]["Properties"]["ProductionVariants"]
    return {"Model": resources["Model"], "Config": {**resources["Config"], "Properties": {"ProductionVariants": [{**variant, **routing}]}}}


def test_the_routing_of_a_template_reaches_the_endpoint_configuration(account: Account, bucket: str, stack: Stack) -> None:
    routing = {"RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"}}
    assert stack.create(routed(bucket, routing)) == "CREATE_COMPLETE", stack.reasons()

    name = stack.physical_id("Config").rsplit("/", 1)[-1]
    described = account.client("sagemaker").describe_endpoint_config(EndpointConfigName=name)
    assert described["ProductionVariants"][0]["RoutingConfig"] == routing["RoutingConfig"]


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        (
            "PREFIX_AWARE",
            "does not implement sagemaker:CreateEndpointConfig with ProductionVariants.RoutingConfig.RoutingStrategy PREFIX_AWARE",
        ),
        ("ROUND_ROBIN", "#/ProductionVariants/0/RoutingConfig/RoutingStrategy: failed validation constraint for keyword [enum]"),
    ],
)
def test_a_routing_strategy_that_is_not_there_fails_the_stack(bucket: str, stack: Stack, strategy: str, reason: str) -> None:
    assert stack.create(routed(bucket, {"RoutingConfig": {"RoutingStrategy": strategy}})) == "ROLLBACK_COMPLETE"

    assert reason in stack.reasons()


def test_an_endpoint_that_fails_fails_its_stack_and_leaves_nothing(account: Account, bucket: str, stack: Stack) -> None:
    assert stack.create(endpoint_resources(bucket, "broken.tar.gz", "never")) == "ROLLBACK_COMPLETE"

    assert "Endpoint never is Failed" in stack.reasons()
    assert account.client("sagemaker").list_endpoints()["Endpoints"] == []


def test_a_broken_model_does_not_replace_the_one_in_service(account: Account, bucket: str, stack: Stack) -> None:
    stack.create(endpoint_resources(bucket, "good.tar.gz", "steady"))
    model_in_service = stack.physical_id("Model")

    assert stack.update(endpoint_resources(bucket, "broken.tar.gz", "steady")) == "UPDATE_ROLLBACK_COMPLETE"

    assert stack.physical_id("Model") == model_in_service
    assert json.loads(invoke(account, "steady", b"1")["Body"]) == [2.0]


def test_a_named_model_cannot_be_replaced(bucket: str, stack: Stack) -> None:
    stack.create({"Model": model(bucket, ModelName="fixed-name")})

    assert stack.update({"Model": model(bucket, "better.tar.gz", ModelName="fixed-name")}) == "UPDATE_ROLLBACK_COMPLETE"

    assert "cannot update a stack when a custom-named resource requires replacing" in stack.reasons()


def test_a_schedule_keeps_its_time_zone_and_its_queue(account: Account, stack: Stack) -> None:
    target = {
        "Arn": account.context.arn("lambda", "function:f"),
        "RoleArn": ROLE,
        "DeadLetterConfig": {"Arn": account.context.arn("sqs", "dead")},
        "RetryPolicy": {"MaximumRetryAttempts": "3"},
    }
    schedule = {
        "ScheduleExpression": "cron(0 3 ? * MON *)",
        "ScheduleExpressionTimezone": "Europe/Madrid",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
    }
    stack.create({"Weekly": {"Type": "AWS::Scheduler::Schedule", "Properties": schedule}})

    stored = account.client("scheduler").get_schedule(Name=stack.physical_id("Weekly"))
    assert (stored["ScheduleExpressionTimezone"], stored["Target"]["DeadLetterConfig"]["Arn"]) == (
        "Europe/Madrid",
        target["DeadLetterConfig"]["Arn"],
    )
    stack.update({"Weekly": {"Type": "AWS::Scheduler::Schedule", "Properties": {**schedule, "State": "DISABLED"}}})
    assert account.client("scheduler").get_schedule(Name=stack.physical_id("Weekly"))["State"] == "DISABLED"


def test_a_sagemaker_pipeline_takes_its_definition_from_the_template_or_from_s3(account: Account, stack: Stack, bucket: str) -> None:
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "as planned"}}
    definition = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [stop]})
    account.client("s3").put_object(Bucket=bucket, Key="definition.json", Body=definition.encode())
    in_s3 = {"PipelineDefinitionS3Location": {"Bucket": bucket, "Key": "definition.json"}}
    in_template = {"PipelineDefinitionBody": definition}

    def pipeline(name: str, source: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "Type": "AWS::SageMaker::Pipeline",
            "Properties": {"PipelineName": name, "PipelineDefinition": source, "RoleArn": ROLE, **more},
        }

    stack.create({"A": pipeline("from-template", in_template), "B": pipeline("from-s3", in_s3)})
    stack.update({"A": pipeline("from-template", in_template, PipelineDescription="new"), "B": pipeline("from-s3", in_s3)})

    for name in ("from-template", "from-s3"):
        described = account.client("sagemaker").describe_pipeline(PipelineName=name)
        assert json.loads(described["PipelineDefinition"]) == json.loads(definition)
    assert account.client("sagemaker").describe_pipeline(PipelineName="from-template")["PipelineDescription"] == "new"


def test_a_bucket_and_a_topic_have_all_that_their_template_says(account: Account, stack: Stack) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}
    key = {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": [statement]}}}
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]}}
    data = {
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": default, "BucketKeyEnabled": "true"}]},
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": "old",
                    "Status": "Enabled",
                    "Prefix": "capture/",
                    "ExpirationInDays": "90",
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                    "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": "10"}],
                }
            ]
        },
        "LoggingConfiguration": {"DestinationBucketName": {"Ref": "Logs"}, "LogFilePrefix": "data/"},
    }
    resources = {
        "Key": key,
        "Logs": {"Type": "AWS::S3::Bucket"},
        "Data": {"Type": "AWS::S3::Bucket", "Properties": data},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}},
    }
    assert stack.create(resources) == "CREATE_COMPLETE", stack.reasons()

    s3, bucket = account.client("s3"), stack.physical_id("Data")
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    rule = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]
    logging = s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"]
    topic = account.client("sns").get_topic_attributes(TopicArn=stack.physical_id("Topic"))["Attributes"]
    assert encryption["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == topic["KmsMasterKeyId"]
    assert stack.physical_id("Key") in topic["KmsMasterKeyId"]
    assert (rule["Expiration"], rule["NoncurrentVersionExpiration"]) == ({"Days": 90}, {"NoncurrentDays": 30})
    assert (rule["Filter"], rule["Transitions"]) == ({"Prefix": "capture/"}, [{"Days": 10, "StorageClass": "GLACIER"}])
    assert logging == {"TargetBucket": stack.physical_id("Logs"), "TargetPrefix": "data/"}
    s3.put_object(Bucket=bucket, Key="x", Body=b"still usable")
    assert s3.get_object(Bucket=bucket, Key="x")["Body"].read() == b"still usable"
    s3.delete_object(Bucket=bucket, Key="x")


def test_a_bucket_has_its_other_settings_too_and_loses_what_its_template_drops(account: Account, stack: Stack) -> None:
    settings = {
        "VersioningConfiguration": {"Status": "Enabled"},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
        "Tags": [{"Key": "team", "Value": "a"}],
        "CorsConfiguration": {
            "CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "ExposedHeaders": ["etag"], "MaxAge": 60}]
        },
        "LifecycleConfiguration": {
            "Rules": [{"Status": "Enabled", "NoncurrentVersionTransitions": [{"StorageClass": "GLACIER", "TransitionInDays": 5}]}]
        },
        "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
    }
    assert stack.create({"Data": {"Type": "AWS::S3::Bucket", "Properties": settings}}) == "CREATE_COMPLETE", stack.reasons()

    s3, bucket = account.client("s3"), stack.physical_id("Data")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == settings["OwnershipControls"]
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == settings["Tags"]
    (rule,) = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert (rule["ExposeHeaders"], rule["MaxAgeSeconds"]) == (["etag"], 60)
    (aged,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert aged["NoncurrentVersionTransitions"] == [{"NoncurrentDays": 5, "StorageClass": "GLACIER"}]
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket)

    assert stack.update({"Data": {"Type": "AWS::S3::Bucket"}}) == "UPDATE_COMPLETE", stack.reasons()

    assert stack.physical_id("Data") == bucket
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    assert "EventBridgeConfiguration" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    for read in (
        s3.get_bucket_tagging,
        s3.get_bucket_cors,
        s3.get_bucket_lifecycle_configuration,
        s3.get_bucket_ownership_controls,
    ):
        with pytest.raises(ClientError):
            read(Bucket=bucket)


def policy_of_group(name: str, action: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::444455556666:root"},
        "Action": [action],
        "Resource": f"arn:aws:sagemaker:us-east-1:111122223333:model-package-group/{name}",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_the_policy_of_a_model_package_group_is_put_changed_and_removed(account: Account, stack: Stack) -> None:
    sagemaker = account.client("sagemaker")

    def shared(action: str) -> dict[str, Any]:
        resource = group("shared-models")
        return {**resource, "Properties": {**resource["Properties"], "ModelPackageGroupPolicy": policy_of_group("shared-models", action)}}

    for change, action in ((stack.create, "sagemaker:DescribeModelPackage"), (stack.update, "sagemaker:ListModelPackages")):
        assert change({"Group": shared(action)}).endswith("E_COMPLETE"), stack.reasons()
        stored = sagemaker.get_model_package_group_policy(ModelPackageGroupName="shared-models")["ResourcePolicy"]
        assert json.loads(stored) == policy_of_group("shared-models", action)

    assert stack.update({"Group": group("shared-models")}) == "UPDATE_COMPLETE"

    with pytest.raises(ClientError, match="Cannot find"):
        sagemaker.get_model_package_group_policy(ModelPackageGroupName="shared-models")
    assert sagemaker.describe_model_package_group(ModelPackageGroupName="shared-models")["ModelPackageGroupStatus"] == "Completed"


def test_a_group_whose_policy_is_refused_is_not_left_behind(account: Account, stack: Stack) -> None:
    unreadable = {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": {"ModelPackageGroupName": "unreadable"}}
    unreadable["Properties"]["ModelPackageGroupPolicy"] = "not JSON"  # type: ignore[index]  # of the literal above

    assert stack.create({"Group": unreadable}) == "ROLLBACK_COMPLETE"

    assert account.client("sagemaker").list_model_package_groups(NameContains="unreadable")["ModelPackageGroupSummaryList"] == []


def test_tags_reach_the_resources_of_our_types_and_change_without_replacing_them(account: Account, bucket: str, stack: Stack) -> None:
    def tagged(team: str) -> dict[str, Any]:
        tags = {"Tags": [{"Key": "team", "Value": team}]}
        resource = group("tagged-models")
        return {
            "Group": {**resource, "Properties": {**resource["Properties"], **tags}},
            "Model": model(bucket, **tags),
        }

    def tags_of(logical_id: str) -> dict[str, str]:
        listed = account.client("sagemaker").list_tags(ResourceArn=stack.physical_id(logical_id))["Tags"]
        return {tag["Key"]: tag["Value"] for tag in listed}

    stack.create(tagged("a"), Tags=[{"Key": "owner", "Value": "us"}])
    first = stack.physical_id("Model")
    assert tags_of("Group") == tags_of("Model") == {"team": "a", "owner": "us"}

    assert stack.update(tagged("b"), Tags=[{"Key": "cost", "Value": "1"}]) == "UPDATE_COMPLETE", stack.reasons()

    assert stack.physical_id("Model") == first
    assert tags_of("Group") == tags_of("Model") == {"team": "b", "cost": "1"}


def test_a_function_has_its_dead_letter_queue_and_a_role_its_boundary(account: Account, stack: Stack) -> None:
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}

    def resources(function: Mapping[str, Any], role: Mapping[str, Any]) -> dict[str, Any]:
        code = {"ZipFile": "def handler(event, context): return 1"}
        return {
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Boundary": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": allow}},
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, **role}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Code": code, "Handler": "index.handler", "Runtime": "python3.12", "Role": ROLE, **function},
            },
        }

    dead_letters = {"DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Queue", "Arn"]}}}
    stack.create(resources(dead_letters, {"PermissionsBoundary": {"Ref": "Boundary"}}), Capabilities=["CAPABILITY_IAM"])
    function, role = stack.physical_id("Function"), stack.physical_id("Role")
    configuration = account.client("lambda").get_function_configuration(FunctionName=function)
    boundary = account.client("iam").get_role(RoleName=role)["Role"]["PermissionsBoundary"]
    assert configuration["DeadLetterConfig"]["TargetArn"].endswith(stack.physical_id("Queue").rsplit("/", 1)[-1])
    assert boundary["PermissionsBoundaryArn"] == stack.physical_id("Boundary")

    assert stack.update(resources({}, {}), Capabilities=["CAPABILITY_IAM"]) == "UPDATE_COMPLETE", stack.reasons()

    assert not account.client("lambda").get_function_configuration(FunctionName=function).get("DeadLetterConfig", {}).get("TargetArn")
    assert "PermissionsBoundary" not in account.client("iam").get_role(RoleName=role)["Role"]


def test_a_resource_is_not_made_over_one_of_the_same_name(account: Account, stack: Stack) -> None:
    logs = account.client("logs")
    logs.create_log_group(logGroupName="/kept/from/before")
    logs.create_log_stream(logGroupName="/kept/from/before", logStreamName="first")

    again = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/kept/from/before"}}
    assert stack.create({"Group": again}) == "ROLLBACK_COMPLETE"

    assert "already exists" in stack.reasons()
    assert [stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName="/kept/from/before")["logStreams"]] == ["first"]


TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
NOTHING = "arn:aws:sns:us-east-1:111122223333:nothing"
ANYONE = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}


ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
FUNCTION = {"Handler": "index.handler", "Runtime": "python3.12", "Role": ROLE}


@pytest.mark.parametrize(
    ("resource_type", "properties"),
    [
        ("AWS::S3::BucketPolicy", {"Bucket": "nothing", "PolicyDocument": ANYONE}),
        ("AWS::SNS::TopicPolicy", {"Topics": [NOTHING], "PolicyDocument": ANYONE}),
        ("AWS::SQS::QueuePolicy", {"Queues": ["http://sqs/111122223333/nothing"], "PolicyDocument": ANYONE}),
        ("AWS::SNS::Subscription", {"TopicArn": NOTHING, "Protocol": "email", "Endpoint": "somebody@example.com"}),
        ("AWS::Lambda::Permission", {"FunctionName": "nothing", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}),
        ("AWS::KMS::Alias", {"AliasName": "alias/of-nothing", "TargetKeyId": "12345678-1234-1234-1234-123456789012"}),
        ("AWS::IAM::Role", {"AssumeRolePolicyDocument": TRUST, "ManagedPolicyArns": ["arn:aws:iam::111122223333:policy/nothing"]}),
        ("AWS::IAM::ManagedPolicy", {"PolicyDocument": ANYTHING, "Roles": ["nothing"]}),
        ("AWS::IAM::ManagedPolicy", {"PolicyDocument": ANYTHING, "Users": ["nothing"]}),
        ("AWS::IAM::ManagedPolicy", {"PolicyDocument": ANYTHING, "Groups": ["nothing"]}),
        ("AWS::Lambda::Function", {**FUNCTION, "Code": {"S3Bucket": "nothing", "S3Key": "code.zip"}}),
        ("AWS::Logs::LogGroup", {"RetentionInDays": 8}),
        ("AWS::Events::Rule", {"ScheduleExpression": "every now and then"}),
        ("AWS::Events::Rule", {"ScheduleExpression": "rate(1 day)", "EventBusName": "nothing"}),
        (
            "AWS::Events::Rule",
            {"ScheduleExpression": "rate(1 day)", "Targets": [{"Id": "a", "Arn": NOTHING, "EcsParameters": {"TaskDefinitionArn": "a"}}]},
        ),
    ],
)
def test_what_the_service_would_refuse_fails_the_stack(stack: Stack, resource_type: str, properties: dict[str, Any]) -> None:
    made = {"Made": {"Type": resource_type, "Properties": properties}}

    assert stack.create(made, Capabilities=["CAPABILITY_IAM"]) == "ROLLBACK_COMPLETE"


def test_a_function_whose_code_is_gone_keeps_the_code_that_it_has(account: Account, stack: Stack) -> None:
    def function(code: dict[str, Any]) -> dict[str, Any]:
        return {"Function": {"Type": "AWS::Lambda::Function", "Properties": {**FUNCTION, "Code": code}}}

    assert stack.create(function({"ZipFile": "def handler(event, context): return 'kept'"})) == "CREATE_COMPLETE", stack.reasons()

    assert stack.update(function({"S3Bucket": "nothing", "S3Key": "code.zip"})) == "UPDATE_ROLLBACK_COMPLETE"

    assert "S3 Error Code: NoSuchBucket" in stack.reasons()
    answer = account.client("lambda").invoke(FunctionName=stack.physical_id("Function"))
    assert answer["Payload"].read() == b'"kept"'


def test_a_repository_is_described_anew_and_not_renamed(account: Account, stack: Stack) -> None:
    def repository(name: str, description: str) -> dict[str, Any]:
        return {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": name, "RepositoryDescription": description}}

    stack.create({"Code": repository("described", "one")})
    assert stack.update({"Code": repository("described", "two")}) == "UPDATE_COMPLETE"
    metadata = account.client("codecommit").get_repository(repositoryName="described")["repositoryMetadata"]
    assert metadata["repositoryDescription"] == "two"

    assert stack.update({"Code": repository("renamed", "two")}) == "UPDATE_ROLLBACK_COMPLETE"

    assert "does not rename repository described" in stack.reasons()
    assert account.client("codecommit").get_repository(repositoryName="described")


def test_a_pipelines_tags_follow_its_template(account: Account, stack: Stack) -> None:
    account.client("s3").create_bucket(Bucket="cfn-artifacts")

    def pipeline(**properties: Any) -> dict[str, Any]:
        def stage(name: str, category: str, provider: str, **action: Any) -> dict[str, Any]:
            kind = {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"}
            return {"Name": name, "Actions": [{"Name": name, "ActionTypeId": kind, **action}]}

        source = {"RepositoryName": "any", "BranchName": "main"}
        return {
            "Type": "AWS::CodePipeline::Pipeline",
            "Properties": {
                "Name": "changing",
                "RoleArn": ROLE,
                "ArtifactStore": {"Type": "S3", "Location": "cfn-artifacts"},
                "Stages": [
                    stage("Source", "Source", "CodeCommit", Configuration=source, OutputArtifacts=[{"Name": "code"}]),
                    stage("Ask", "Approval", "Manual"),
                ],
                **properties,
            },
        }

    def tags() -> list[dict[str, str]]:
        arn = "arn:aws:codepipeline:us-east-1:111122223333:changing"
        return list(account.client("codepipeline").list_tags_for_resource(resourceArn=arn)["tags"])

    assert stack.create({"Pipeline": pipeline(Tags=[{"Key": "team", "Value": "a"}])}) == "CREATE_COMPLETE", stack.reasons()
    assert tags() == [{"key": "team", "value": "a"}]

    assert stack.update({"Pipeline": pipeline()}) == "UPDATE_COMPLETE", stack.reasons()
    assert tags() == []


# --------------------------------------------------------------------------------------- values of templates


def test_values_of_a_template_take_the_types_of_the_api(account: Account) -> None:
    scaling = account.client("application-autoscaling")
    request = api_request(
        scaling,
        "RegisterScalableTarget",
        {"ServiceNamespace": "sagemaker", "MinCapacity": "2", "SuspendedState": {"ScheduledScalingSuspended": "true"}},
    )
    assert request == {"ServiceNamespace": "sagemaker", "MinCapacity": 2, "SuspendedState": {"ScheduledScalingSuspended": True}}

    action = {"name": "x", "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": 1}}
    stages = [{"Name": "Build", "Actions": [{**action, "Configuration": {"Poll": False, "Variables": [{"name": "A"}]}}]}]
    pipeline = {"Pipeline": {"Name": "p", "RoleArn": ROLE, "Stages": stages}}
    converted = api_request(account.client("codepipeline"), "CreatePipeline", pipeline)["pipeline"]["stages"][0]["actions"][0]
    assert converted["configuration"] == {"Poll": "false", "Variables": '[{"name": "A"}]'}
    assert converted["actionTypeId"]["version"] == "1"


def test_generated_names_are_short_enough_and_never_the_same() -> None:
    names = {generated_name("a-stack-with-a-rather-long-name", "AndALongLogicalIdentifierToo" * 3) for _ in range(20)}

    assert len(names) == 20
    assert {len(name) for name in names} == {63}
