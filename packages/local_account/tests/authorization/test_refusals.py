"""May they: what a role lacks is refused, by AWS's words and each service's code, whoever asks and however."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account import notifications
from local_account.account import Account
from local_account.api.reading import Call
from local_account.authorization import passing
from local_account.roles import Role, sagemaker_role

from .. import sagemaker_requests as small
from ..roles import EVERYTHING, make_role, set_policy, trust

HERE = "us-east-1:111122223333"


@pytest.fixture(scope="module")
def role(account: Account) -> Role:
    """A role whose policy each test sets; SageMaker assumes it."""
    arn = make_role(account, "asking")
    return sagemaker_role(account.context, arn, account.context.arn("sagemaker", "pipeline/p"))


@pytest.fixture
def may(account: Account) -> Callable[..., None]:
    return lambda *statements: set_policy(account, "asking", statements or [{"Effect": "Deny", "Action": "none:None", "Resource": "*"}])


def allow(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


JSON = "AccessDeniedException"
SCALABLE = {"ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/v"}
SCALABLE["ScalableDimension"] = "sagemaker:variant:DesiredInstanceCount"
CALLS: list[tuple[str, str, dict[str, Any], str, str, str]] = [
    ("sagemaker", "describe_model", {"ModelName": "m"}, "sagemaker:DescribeModel", f"arn:aws:sagemaker:{HERE}:model/m", JSON),
    ("codepipeline", "get_pipeline", {"name": "p"}, "codepipeline:GetPipeline", f"arn:aws:codepipeline:{HERE}:p", JSON),
    ("codecommit", "get_repository", {"repositoryName": "r"}, "codecommit:GetRepository", f"arn:aws:codecommit:{HERE}:r", JSON),
    ("codebuild", "start_build", {"projectName": "p"}, "codebuild:StartBuild", f"arn:aws:codebuild:{HERE}:project/p", JSON),
    ("lambda", "get_function", {"FunctionName": "f"}, "lambda:GetFunction", f"arn:aws:lambda:{HERE}:function:f", JSON),
    ("s3", "list_objects_v2", {"Bucket": "some-bucket"}, "s3:ListBucket", "arn:aws:s3:::some-bucket", "AccessDenied"),
    ("iam", "get_role", {"RoleName": "x"}, "iam:GetRole", "arn:aws:iam::111122223333:role/x", "AccessDenied"),
    (
        "cloudformation",
        "get_template",
        {"StackName": "s"},
        "cloudformation:GetTemplate",
        f"arn:aws:cloudformation:{HERE}:stack/s/*",
        "AccessDenied",
    ),
    ("ssm", "get_parameter", {"Name": "/p"}, "ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/p", JSON),
    ("events", "describe_rule", {"Name": "r"}, "events:DescribeRule", f"arn:aws:events:{HERE}:rule/r", JSON),
    ("logs", "create_log_group", {"logGroupName": "/g"}, "logs:CreateLogGroup", f"arn:aws:logs:{HERE}:log-group:/g", JSON),
    (
        "application-autoscaling",
        "deregister_scalable_target",
        SCALABLE,
        "application-autoscaling:DeregisterScalableTarget",
        f"arn:aws:application-autoscaling:{HERE}:scalable-target/*",
        JSON,
    ),
]


@pytest.mark.parametrize(("service", "method", "parameters", "action", "resource", "code"), CALLS, ids=[call[3] for call in CALLS])
def test_a_refusal_names_principal_action_resource_and_what_lacks(
    role: Role, may: Callable[..., None], service: str, method: str, parameters: dict[str, Any], action: str, resource: str, code: str
) -> None:
    may()
    with pytest.raises(ClientError) as refused:
        getattr(role.client(service), method)(**parameters)
    error = refused.value.response["Error"]
    assert error["Code"] == code
    assert error["Message"] == (
        f"User: arn:aws:sts::111122223333:assumed-role/asking/SageMaker is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )


def test_an_explicit_deny_is_called_that(role: Role, may: Callable[..., None]) -> None:
    may(EVERYTHING, {"Effect": "Deny", "Action": "s3:List*", "Resource": "*"})
    with pytest.raises(ClientError, match="with an explicit deny in an identity-based policy"):
        role.client("s3").list_buckets()


def test_a_changed_policy_counts_at_once(role: Role, may: Callable[..., None]) -> None:
    may()
    with pytest.raises(ClientError):
        role.client("s3").list_buckets()
    may(allow("s3:ListAllMyBuckets"))
    role.client("s3").list_buckets()


def test_a_boundary_narrows_what_a_role_may_do(account: Account, role: Role, may: Callable[..., None]) -> None:
    iam = account.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": allow("ssm:*")})
    boundary = iam.create_policy(PolicyName="only-parameters", PolicyDocument=document)["Policy"]["Arn"]
    may(EVERYTHING)
    iam.put_role_permissions_boundary(RoleName="asking", PermissionsBoundary=boundary)
    try:
        with pytest.raises(ClientError, match="because no permissions boundary allows"):
            role.client("s3").list_buckets()
        role.client("ssm").describe_parameters()
    finally:
        iam.delete_role_permissions_boundary(RoleName="asking")


def test_a_role_is_passed_only_by_whom_may_pass_it(role: Role, may: Callable[..., None]) -> None:
    model = {"ModelName": "m", "ExecutionRoleArn": small.ROLE, "PrimaryContainer": {"Image": "i"}}
    may(allow("sagemaker:*"))
    with pytest.raises(ClientError, match="iam:PassRole on resource: arn:aws:iam::111122223333:role/jobs"):
        role.client("sagemaker").create_model(**model)
    may(allow("sagemaker:*"), allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}))
    with pytest.raises(ClientError, match="iam:PassRole"):
        role.client("sagemaker").create_model(**model)
    may(allow("sagemaker:*"), allow("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}))
    role.client("sagemaker").create_model(**model)


def test_s3_uses_a_key_only_for_whom_may_use_it(account: Account, role: Role, may: Callable[..., None]) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    account.client("s3").create_bucket(Bucket="encrypted")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    account.client("s3").put_bucket_encryption(Bucket="encrypted", ServerSideEncryptionConfiguration={"Rules": [rule]})
    may(allow("s3:*"))
    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        role.client("s3").put_object(Bucket="encrypted", Key="k", Body=b"x")
    through_s3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    may(allow("s3:*"), allow("kms:GenerateDataKey", key, Condition=through_s3))
    role.client("s3").put_object(Bucket="encrypted", Key="k", Body=b"x")
    with pytest.raises(ClientError, match="GenerateDataKey"):
        role.client("kms").generate_data_key(KeyId=key, KeySpec="AES_256")
    with pytest.raises(ClientError, match="kms:Decrypt"):
        role.client("s3").get_object(Bucket="encrypted", Key="k")
    may(
        allow("s3:*"),
        allow("kms:Decrypt", key, Condition={"StringEquals": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::encrypted/k"}}),
    )
    assert role.client("s3").get_object(Bucket="encrypted", Key="k")["Body"].read() == b"x"


def test_whoever_may_not_list_a_bucket_does_not_learn_that_it_lacks_an_object(
    account: Account, role: Role, may: Callable[..., None]
) -> None:
    """S3 API reference, GetObject: 404 with `s3:ListBucket`, 403 without."""
    account.client("s3").create_bucket(Bucket="half-open")
    account.client("s3").put_object(Bucket="half-open", Key="there", Body=b"x")
    s3 = role.client("s3")
    may(allow(["s3:GetObject", "s3:PutObject"]))
    assert s3.get_object(Bucket="half-open", Key="there")["Body"].read() == b"x"
    calls: list[tuple[Callable[..., Any], dict[str, Any]]] = [
        (s3.get_object, {"Key": "none"}),
        (s3.head_object, {"Key": "none"}),
        (s3.copy_object, {"Key": "copy", "CopySource": "half-open/none"}),
    ]

    def statuses() -> list[int]:
        found = []
        for call, given in calls:
            with pytest.raises(ClientError) as refused:
                call(Bucket="half-open", **given)
            found.append(refused.value.response["ResponseMetadata"]["HTTPStatusCode"])
        return found

    assert statuses() == [403, 403, 403]
    with pytest.raises(ClientError, match="s3:ListBucket on resource: arn:aws:s3:::half-open"):
        s3.get_object(Bucket="half-open", Key="none")
    may(allow(["s3:GetObject", "s3:PutObject", "s3:ListBucket"]))
    assert statuses() == [404, 404, 404]


def test_the_disks_of_an_endpoint_are_encrypted_for_whom_may_use_the_key(account: Account, role: Role, may: Callable[..., None]) -> None:
    """SageMaker API reference, CreateEndpointConfig, KmsKeyId; as of jobs, it makes a grant for its instances."""
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    request = {"EndpointConfigName": "encrypted", "KmsKeyId": key, "ProductionVariants": [variant]}
    for lacking in ("kms:CreateGrant", "kms:DescribeKey"):
        others = [action for action in ("sagemaker:*", "kms:CreateGrant", "kms:DescribeKey") if action != lacking]
        may(allow(others))
        with pytest.raises(ClientError, match=f"{lacking} on resource: {key}"):
            role.client("sagemaker").create_endpoint_config(**request)


def test_a_buckets_policy_refuses_even_an_administrator(account: Account) -> None:
    account.client("s3").create_bucket(Bucket="closed")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::closed/*"}
    account.client("s3").put_bucket_policy(Bucket="closed", Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    account.client("s3").put_object(Bucket="closed", Key="k", Body=b"x")
    with pytest.raises(ClientError, match="AccessDenied"):
        account.client("s3").get_object(Bucket="closed", Key="k")


def test_listing_may_be_limited_to_a_prefix(account: Account, role: Role, may: Callable[..., None]) -> None:
    account.client("s3").create_bucket(Bucket="shared")
    may(allow("s3:ListBucket", "arn:aws:s3:::shared", Condition={"StringLike": {"s3:prefix": "mine/*"}}))
    role.client("s3").list_objects_v2(Bucket="shared", Prefix="mine/a")
    for elsewhere in ({"Prefix": "theirs/"}, {}):
        with pytest.raises(ClientError, match="s3:ListBucket"):
            role.client("s3").list_objects_v2(Bucket="shared", **elsewhere)


def test_a_rule_reaches_only_a_queue_that_lets_it(account: Account) -> None:
    sqs, events = account.client("sqs"), account.client("events")
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("open", "shut")}
    rule = events.put_rule(Name="both", EventPattern=json.dumps({"source": ["test"]}))["RuleArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": {**statement, "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}}
    sqs.set_queue_attributes(QueueUrl=urls["open"], Attributes={"Policy": json.dumps(policy)})
    events.put_targets(Rule="both", Targets=[{"Id": name, "Arn": f"arn:aws:sqs:{HERE}:{name}"} for name in urls])
    events.put_events(Entries=[{"Source": "test", "DetailType": "t", "Detail": "{}"}])
    assert sqs.receive_message(QueueUrl=urls["open"], WaitTimeSeconds=10).get("Messages")
    assert not sqs.receive_message(QueueUrl=urls["shut"], WaitTimeSeconds=1).get("Messages")


def test_a_pipelines_step_fails_where_its_role_may_not(account: Account, may: Callable[..., None], role: Role) -> None:
    may(allow(["sagemaker:Describe*", "iam:PassRole"]))
    sagemaker = account.client("sagemaker")
    name = small.new_name("lacking")
    step = {"Name": "Write", "Type": "Processing", "Arguments": {**small.processing("write"), "RoleArn": role.arn}}
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=small.definition([step]), RoleArn=role.arn)
    _, steps = small.run_pipeline(sagemaker, name)
    assert steps["Write"]["StepStatus"] == "Failed"
    assert "sagemaker:CreateProcessingJob" in steps["Write"]["FailureReason"]


def test_a_stack_can_do_what_its_role_can(account: Account, may: Callable[..., None], role: Role) -> None:
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "of-a-stack"}}}}
    cloudformation = account.client("cloudformation")
    may(allow("sns:*"))
    cloudformation.create_stack(StackName="lacking", TemplateBody=json.dumps(template), RoleARN=role.arn)
    stack: dict[str, Any] = {"StackStatus": "CREATE_IN_PROGRESS"}
    while stack["StackStatus"].endswith("IN_PROGRESS"):
        time.sleep(0.1)
        stack = cloudformation.describe_stacks(StackName="lacking")["Stacks"][0]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    reasons = [event.get("ResourceStatusReason", "") for event in cloudformation.describe_stack_events(StackName="lacking")["StackEvents"]]
    assert any("sqs:CreateQueue" in reason for reason in reasons)


def test_the_simulator_answers_as_requests_are_answered(account: Account, may: Callable[..., None], role: Role) -> None:
    own = "arn:aws:s3:::mine/*"
    may(allow("s3:GetObject", own), {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"})
    answer = account.client("iam").simulate_principal_policy(
        PolicySourceArn=role.arn, ActionNames=["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], ResourceArns=["arn:aws:s3:::mine/k"]
    )
    decisions = {result["EvalActionName"]: result["EvalDecision"] for result in answer["EvaluationResults"]}
    assert decisions == {"s3:GetObject": "allowed", "s3:PutObject": "implicitDeny", "s3:DeleteObject": "explicitDeny"}


def test_scaling_for_the_first_time_needs_the_service_linked_role(account: Account, may: Callable[..., None], role: Role) -> None:
    target: dict[str, Any] = {**SCALABLE, "MinCapacity": 1, "MaxCapacity": 2}
    may(allow("application-autoscaling:*"))
    with pytest.raises(ClientError, match="iam:CreateServiceLinkedRole"):
        role.client("application-autoscaling").register_scalable_target(**target)
    named = {"StringEquals": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}}
    may(allow("application-autoscaling:*"), allow("iam:CreateServiceLinkedRole", Condition=named), allow(TRIED))
    with pytest.raises(ClientError, match="create the endpoint first"):
        role.client("application-autoscaling").register_scalable_target(**target)


TRIED = [
    *("sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:UpdateEndpointWeightsAndCapacities"),
    *("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
]


@pytest.mark.parametrize("lacking", TRIED)
def test_a_target_is_registered_only_for_whom_may_do_what_scaling_needs(role: Role, may: Callable[..., None], lacking: str) -> None:
    """Named resources do not do: it tries with names that it makes up."""
    target: dict[str, Any] = {**SCALABLE, "MinCapacity": 1, "MaxCapacity": 2}
    named = [f"arn:aws:sagemaker:{HERE}:endpoint/e", f"arn:aws:sagemaker:{HERE}:endpoint-config/c", f"arn:aws:cloudwatch:{HERE}:alarm:a"]
    others = [action for action in TRIED if action != lacking]
    may(allow(["application-autoscaling:*", "iam:CreateServiceLinkedRole", *others]), allow(lacking, named))
    with pytest.raises(ClientError, match=f"not authorized to perform: {lacking} ") as refused:
        role.client("application-autoscaling").register_scalable_target(**target)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_a_function_that_a_topic_calls_must_let_it(account: Account) -> None:
    """Without a permission for SNS it is not called."""
    topic = account.client("sns").create_topic(Name="calls")["TopicArn"]
    arn = small.create_function(account, "called", {"handler.py": "def handler(event, context):\n    return 1\n"})
    asked = ("sns.amazonaws.com", topic, "lambda", "Invoke", {"FunctionName": arn})
    assert not notifications.allowed(account.context, *asked)
    account.client("lambda").add_permission(
        FunctionName=arn, StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com", SourceArn=topic
    )
    assert notifications.allowed(account.context, *asked)


def test_a_role_that_is_given_by_its_name_is_passed_as_well(account: Account, role: Role, may: Callable[..., None]) -> None:
    """CodeBuild takes a role without its ARN; a role's path is part of what is asked for."""
    policy = json.dumps(trust(["codebuild.amazonaws.com"]))
    account.client("iam").create_role(RoleName="named", Path="/builds/", AssumeRolePolicyDocument=policy)
    project = {
        "name": "by-name",
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:8.0", "computeType": "BUILD_GENERAL1_SMALL"},
        "serviceRole": "named",
    }
    may(allow("codebuild:*"))
    with pytest.raises(ClientError, match="iam:PassRole on resource: arn:aws:iam::111122223333:role/builds/named"):
        role.client("codebuild").create_project(**project)
    may(allow("codebuild:*"), allow("iam:PassRole", "arn:aws:iam::111122223333:role/builds/named"))
    role.client("codebuild").create_project(**project)


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("codebuild", "StartBuild", {"projectName": "p", "serviceRoleOverride": "x"}),
        ("codebuild", "StartBuild", {"projectName": "p", "serviceRoleOverride": "arn:aws:iam::111122223333:role/x"}),
        ("sagemaker", "CreateAlgorithm", {"ValidationSpecification": {"ValidationRole": "arn:aws:iam::111122223333:role/x"}}),
        ("logs", "PutSubscriptionFilter", {"logGroupName": "g", "roleArn": "arn:aws:iam::111122223333:role/x"}),
    ],
)
def test_every_member_that_is_a_role_is_one_that_is_passed(
    account: Account, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    call = Call(service, operation, parameters)
    asked = account.context.keyring.here(lambda: passing.checks_of(account.context.existing, call, {}))
    assert [(check.action, check.resource) for check in asked] == [("iam:PassRole", "arn:aws:iam::111122223333:role/x")]
