"""A stack does nothing that its deployer may not: all that a change needs is asked before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.cloudformation import _RESOURCE_TYPES, made_by_ministack, properties, schemas
from local_account.cloudformation.property_operations import Change

from .. import sagemaker_requests as small
from ..roles import trust
from ..stacks import Stack, parameter
from ..users import User, allow, let_user, make_user

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
NAMED = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}


@pytest.fixture(scope="module")
def deployer(account: Account) -> User:
    return make_user(account, "deployer")


@pytest.fixture
def deploy(account: Account, deployer: User, request: pytest.FixtureRequest) -> Callable[..., tuple[str, str]]:
    """Creates a stack of one resource as a user who may work on stacks and what the statements say; its status and its events' reasons."""

    def create(resource: Any, *actions: str, name: str = "", **options: Any) -> tuple[str, str]:
        let_user(account, "deployer", allow(["cloudformation:*", *actions]))
        stack = Stack(account, name or "s-" + "".join(filter(str.isalnum, request.node.name))[-40:])
        stack._client = deployer.client("cloudformation")
        status = stack.create({"R": resource}, **NAMED, **options)
        return status, stack.reasons()

    return create


def document(*statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def for_all(action: str, resource: str = "*") -> dict[str, Any]:
    return document({"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource})


EVERYTHING = document(allow("*"))
ROLE: dict[str, Any] = {"AssumeRolePolicyDocument": trust()}


@pytest.mark.parametrize(
    ("kind", "given", "allowed", "lacking"),
    [
        ("IAM::Role", {**ROLE, "ManagedPolicyArns": [ADMINISTRATOR]}, ["iam:CreateRole"], "iam:AttachRolePolicy"),
        ("IAM::Role", {**ROLE, "Policies": [{"PolicyName": "p", "PolicyDocument": EVERYTHING}]}, ["iam:CreateRole"], "iam:PutRolePolicy"),
        ("IAM::ManagedPolicy", {"Roles": ["any"], "PolicyDocument": EVERYTHING}, ["iam:CreatePolicy"], "iam:AttachRolePolicy"),
        ("IAM::ManagedPolicy", {"Users": ["deployer"], "PolicyDocument": EVERYTHING}, ["iam:CreatePolicy"], "iam:AttachUserPolicy"),
        ("IAM::Policy", {"PolicyName": "p", "Users": ["deployer"], "PolicyDocument": EVERYTHING}, [], "iam:PutUserPolicy"),
        ("IAM::Policy", {"PolicyName": "p", "Roles": ["any"], "PolicyDocument": EVERYTHING}, [], "iam:PutRolePolicy"),
        ("Logs::LogGroup", {"RetentionInDays": 7}, ["logs:CreateLogGroup", "logs:TagResource"], "logs:PutRetentionPolicy"),
        (
            "Events::Rule",
            {"ScheduleExpression": "rate(1 day)", "Targets": [{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:111122223333:q"}]},
            ["events:PutRule", "events:TagResource"],
            "events:PutTargets",
        ),
        ("KMS::Key", {"KeyPolicy": for_all("kms:*"), "EnableKeyRotation": True}, ["kms:CreateKey"], "kms:EnableKeyRotation"),
        (
            "SNS::Topic",
            {"Subscription": [{"Protocol": "sqs", "Endpoint": "arn:aws:sqs:us-east-1:111122223333:q"}]},
            ["sns:CreateTopic", "sns:TagResource"],
            "sns:Subscribe",
        ),
    ],
)
def test_what_a_property_needs_is_asked_as_well(
    deploy: Callable[..., tuple[str, str]], kind: str, given: dict[str, Any], allowed: list[str], lacking: str
) -> None:
    resource = {"Type": f"AWS::{kind}", "Properties": given}
    status, reasons = deploy(resource, *allowed, name=f"lacks-{lacking.replace(':', '-')}-{len(str(given))}")
    assert status == "ROLLBACK_COMPLETE"
    assert f"not authorized to perform: {lacking} on resource" in reasons


def test_what_the_template_does_not_name_is_asked_for_under_the_stack_s_name(account: Account, deployer: User) -> None:
    """CloudFormation makes names up that begin with the stack's, and permissions are given by that."""
    own = {"Effect": "Allow", "Action": "events:*", "Resource": "arn:aws:events:us-east-1:111122223333:rule/named-*"}
    let_user(account, "deployer", allow(["cloudformation:*"]), own)
    queue = account.client("sqs").create_queue(QueueName="named")["QueueUrl"].rsplit("/", 1)[-1]
    targets = [{"Id": "1", "Arn": f"arn:aws:sqs:us-east-1:111122223333:{queue}"}]
    rule = {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(1 day)", "Targets": targets}}
    for name, status in (("named", "CREATE_COMPLETE"), ("other", "ROLLBACK_COMPLETE")):
        stack = Stack(account, name)
        stack._client = deployer.client("cloudformation")
        assert stack.create({"R": rule}) == status, stack.reasons()


def test_a_refused_policy_was_never_in_force(account: Account, deploy: Callable[..., tuple[str, str]]) -> None:
    deploy({"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "p", "Users": ["deployer"], "PolicyDocument": EVERYTHING}})
    assert account.client("iam").list_user_policies(UserName="deployer")["PolicyNames"] == ["permissions"]


@pytest.fixture(scope="module")
def guarded(account: Account) -> dict[str, str]:
    """A bucket, a queue and a topic that each have a policy of their own."""
    account.client("s3").create_bucket(Bucket="guarded")
    policy = json.dumps(document({"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::guarded/*"}))
    account.client("s3").put_bucket_policy(Bucket="guarded", Policy=policy)
    keep = {"Policy": json.dumps(document({"Effect": "Deny", "Principal": "*", "Action": "sqs:PurgeQueue", "Resource": "*"}))}
    queue = account.client("sqs").create_queue(QueueName="guarded", Attributes=keep)["QueueUrl"]
    return {"bucket": "guarded", "queue": queue, "topic": account.client("sns").create_topic(Name="guarded")["TopicArn"]}


def policies(account: Account, guarded: dict[str, str]) -> list[Any]:
    return [
        account.client("s3").get_bucket_policy(Bucket="guarded")["Policy"],
        account.client("sqs").get_queue_attributes(QueueUrl=guarded["queue"], AttributeNames=["Policy"])["Attributes"],
        account.client("sns").get_topic_attributes(TopicArn=guarded["topic"])["Attributes"]["Policy"],
    ]


@pytest.mark.parametrize(
    ("kind", "member", "of", "action", "lacking"),
    [
        ("S3::BucketPolicy", "Bucket", "bucket", "s3:*", "s3:PutBucketPolicy"),
        ("SQS::QueuePolicy", "Queues", "queue", "sqs:*", "sqs:SetQueueAttributes"),
        ("SNS::TopicPolicy", "Topics", "topic", "sns:*", "sns:SetTopicAttributes"),
    ],
)
def test_a_policy_does_not_allow_its_own_installation(
    account: Account,
    deploy: Callable[..., tuple[str, str]],
    guarded: dict[str, str],
    kind: str,
    member: str,
    of: str,
    action: str,
    lacking: str,
) -> None:
    before = policies(account, guarded)
    resource = "arn:aws:s3:::guarded" if of == "bucket" else "*"
    given = {member: guarded[of] if of == "bucket" else [guarded[of]], "PolicyDocument": for_all(action, resource)}
    status, reasons = deploy({"Type": f"AWS::{kind}", "Properties": given}, name=f"opens-{of}")
    assert status == "ROLLBACK_COMPLETE"
    assert f"not authorized to perform: {lacking}" in reasons
    assert policies(account, guarded) == before


def test_a_second_bucket_policy_does_not_replace_the_first(
    account: Account, deploy: Callable[..., tuple[str, str]], guarded: dict[str, str]
) -> None:
    before = policies(account, guarded)
    given = {"Bucket": "guarded", "PolicyDocument": for_all("s3:GetObject", "arn:aws:s3:::guarded/*")}
    status, reasons = deploy({"Type": "AWS::S3::BucketPolicy", "Properties": given}, "s3:*")
    assert status == "ROLLBACK_COMPLETE"
    assert "The bucket policy already exists on bucket guarded." in reasons
    assert policies(account, guarded) == before


def test_an_update_asks_for_what_it_changes(account: Account, deploy: Callable[..., tuple[str, str]], deployer: User) -> None:
    made = {"Type": "AWS::IAM::Role", "Properties": {**ROLE, "RoleName": "changing"}}
    assert deploy(made, "iam:CreateRole", name="changing")[0] == "CREATE_COMPLETE"
    stack = Stack(account, "changing")
    stack._client = deployer.client("cloudformation")
    let_user(account, "deployer", allow(["cloudformation:*", "iam:UpdateRole"]))
    new_trust = {**made, "Properties": {**made["Properties"], "AssumeRolePolicyDocument": trust(["lambda.amazonaws.com"])}}
    stack.update({"R": new_trust}, **NAMED)
    assert "not authorized to perform: iam:UpdateAssumeRolePolicy" in stack.reasons()
    described = {**made, "Properties": {**made["Properties"], "Description": "d"}}
    assert stack.update({"R": described}, **NAMED) == "UPDATE_COMPLETE"


def test_a_dynamic_reference_is_read_in_the_deployers_name(account: Account, deploy: Callable[..., tuple[str, str]]) -> None:
    account.client("ssm").put_parameter(Name="/prod/x", Value="hidden", Type="String")
    account.client("secretsmanager").create_secret(Name="prod", SecretString="hidden")
    reads = {"{{resolve:ssm:/prod/x}}": "ssm:GetParameters", "{{resolve:secretsmanager:prod}}": "secretsmanager:GetSecretValue"}
    for number, (reference, lacking) in enumerate(reads.items()):
        resource = parameter(reference, Name=f"copied-{number}")
        put = ("ssm:PutParameter", "ssm:AddTagsToResource")
        status, reasons = deploy(resource, *put, name=f"reads-{number}")
        assert status == "ROLLBACK_COMPLETE"
        assert f"not authorized to perform: {lacking}" in reasons
        assert deploy(resource, *put, lacking, name=f"may-read-{number}")[0] == "CREATE_COMPLETE"


def test_a_parameter_of_ssm_is_read_in_the_deployers_name(account: Account, deployer: User) -> None:
    account.client("ssm").put_parameter(Name="/prod/y", Value="hidden", Type="String")
    let_user(account, "deployer", allow("cloudformation:*"))
    template = {
        "Parameters": {"P": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/prod/y"}},
        "Resources": {"W": {"Type": "AWS::CloudFormation::WaitConditionHandle"}},
    }
    with pytest.raises(ClientError, match=r"not authorized to perform: ssm:GetParameters on resource: .*:parameter/prod/y"):
        deployer.client("cloudformation").create_stack(StackName="typed", TemplateBody=json.dumps(template))


@pytest.mark.parametrize("operation", ["create_stack", "validate_template"])
def test_a_template_in_s3_is_read_as_the_caller(account: Account, deployer: User, guarded: dict[str, str], operation: str) -> None:
    body = json.dumps({"Resources": {"W": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})
    account.client("s3").put_object(Bucket="guarded", Key="t.json", Body=body)
    request = {"TemplateURL": f"{account.settings.endpoint_url}/guarded/t.json"} | (
        {"StackName": "from-s3"} if "create" in operation else {}
    )
    let_user(account, "deployer", allow("cloudformation:*"))
    with pytest.raises(ClientError, match=r"not authorized to perform: s3:GetObject on resource: arn:aws:s3:::guarded/t.json"):
        getattr(deployer.client("cloudformation"), operation)(**request)
    let_user(account, "deployer", allow(["cloudformation:*", "s3:GetObject"]))
    getattr(deployer.client("cloudformation"), operation)(**request)


@pytest.mark.parametrize("kind", ["Custom::Mine", "AWS::CloudFormation::CustomResource", "Custom::S3AutoDeleteObjects"])
def test_a_custom_resources_provider_is_called_in_the_deployers_name(
    account: Account, deploy: Callable[..., tuple[str, str]], kind: str
) -> None:
    arn = small.create_function(account, f"provider-{len(kind)}", {"handler.py": "def handler(event, context):\n    raise SystemExit\n"})
    resource = {"Type": kind, "Properties": {"ServiceToken": arn, "ServiceTimeout": 1, "BucketName": "guarded"}}
    status, reasons = deploy(resource, name=f"custom-{len(kind)}")
    assert status == "ROLLBACK_COMPLETE"
    assert f"not authorized to perform: lambda:InvokeFunction on resource: {arn}" in reasons


# ------------------------------------------------------------------------------------------- all that AWS's handlers ask

#: Properties with which everything that a handler may call is called.
_DOCUMENT = {"PolicyDocument": document(), "PolicyName": "p", "Roles": ["r"], "Users": ["u"], "Groups": ["g"]}
FULL: dict[str, dict[str, Any]] = {
    "AWS::ECR::Repository": {
        "LifecyclePolicy": {"a": 1},
        "RepositoryPolicyText": {},
        "ImageScanningConfiguration": {"a": 1},
        "ImageTagMutability": "IMMUTABLE",
    },
    "AWS::Events::Rule": {"Targets": [{"Id": "1", "Arn": "arn:x", "RoleArn": "arn:aws:iam::111122223333:role/any"}]},
    "AWS::IAM::ManagedPolicy": _DOCUMENT,
    "AWS::IAM::Policy": _DOCUMENT,
    "AWS::IAM::Role": {
        "Policies": [{"PolicyName": "p", "PolicyDocument": {}}],
        "ManagedPolicyArns": ["arn:x"],
        "PermissionsBoundary": "arn:x",
        "AssumeRolePolicyDocument": {},
        "Description": "d",
    },
    "AWS::KMS::Key": {"Enabled": False, "EnableKeyRotation": True, "Description": "d", "KeyPolicy": {}},
    "AWS::Lambda::Function": {"Code": {"S3Bucket": "b", "S3Key": "k"}, "Role": "arn:aws:iam::111122223333:role/any", "Description": "d"},
    "AWS::Logs::LogGroup": {"RetentionInDays": 7, "KmsKeyId": "k", "ResourcePolicyDocument": {}},
    "AWS::S3::BucketPolicy": {"Bucket": "b", "PolicyDocument": {"a": 1}},
    "AWS::SNS::Topic": {"Subscription": [{"Endpoint": "e", "Protocol": "sqs"}], "DisplayName": "d"},
    "AWS::SNS::TopicPolicy": {"Topics": ["arn:x"], "PolicyDocument": {"a": 1}},
    "AWS::SQS::QueuePolicy": {"Queues": ["q"], "PolicyDocument": {"a": 1}},
}
#: The least that each has, in place of those.
LEAST: dict[str, dict[str, Any]] = {
    "AWS::IAM::Role": {"AssumeRolePolicyDocument": {"a": 1}},
    "AWS::KMS::Key": {"Enabled": True, "KeyPolicy": {"a": 1}},
    "AWS::Lambda::Function": {"Code": {"ZipFile": "x"}},
    "AWS::S3::BucketPolicy": {"Bucket": "b", "PolicyDocument": {}},
}
#: What the handlers list for properties that this account refuses, or for what has no trace in any property.
NOT_ASKED = {
    "AWS::ECR::Repository": {"kms:CreateGrant", "kms:RetireGrant"},  # EncryptionConfiguration
    "AWS::IAM::Role": {"iam:UpdateRoleDescription"},  # UpdateRole has taken its place: IAM API reference
    "AWS::Lambda::Function": {
        *("lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency", "lambda:PutFunctionScalingConfig"),
        *("lambda:PutRuntimeManagementConfig", "lambda:PutFunctionRecursionConfig", "lambda:PassCapacityProvider"),
        *("lambda:PutFunctionCodeSigningConfig", "lambda:DeleteFunctionCodeSigningConfig", "lambda:PublishVersion"),
        *("lambda:AssociateRuntimeAlias", "kms:CreateGrant", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"),
    },
    "AWS::Logs::LogGroup": {
        *("logs:PutDataProtectionPolicy", "logs:DeleteDataProtectionPolicy", "logs:CreateLogDelivery", "s3:REST.PUT.OBJECT"),
        *("firehose:TagDeliveryStream", "logs:PutIndexPolicy", "logs:DeleteIndexPolicy", "logs:PutLogGroupDeletionProtection"),
        "logs:PutBearerTokenAuthentication",
    },
    "AWS::SNS::Subscription": {"iam:PassRole"},  # SubscriptionRoleArn, in an attribute of Subscribe
    "AWS::SNS::Topic": {"sns:PutDataProtectionPolicy", "iam:PassRole"},
}
_READS = ("Get", "List", "Describe")


def is_change(action: str) -> bool:
    return not action.partition(":")[2].startswith(_READS)


OF_MINISTACK = sorted(
    {name for name in properties.coverage().acted if "." not in name and (schemas.schema_of(name) or {}).get("handlers")}
    - {resource.name for resource in _RESOURCE_TYPES}
)


@pytest.mark.parametrize("kind", OF_MINISTACK)
def test_every_change_that_awss_handlers_list_is_asked_for(account: Account, kind: str) -> None:
    full, tagged = {**FULL.get(kind, {"Other": "x"}), "Tags": [{"Key": "a", "Value": "b"}]}, {"Tags": [{"Key": "c", "Value": "d"}]}
    made = made_by_ministack._TYPES.get(kind)
    name = {made.name: "n"} if made else {}
    full, least = {**full, **name}, {**LEAST.get(kind, {}), **tagged, **name}
    if kind == "AWS::SSM::Parameter":
        full, least = ({**each, "Tags": {tag["Key"]: tag["Value"] for tag in each["Tags"]}} for each in (full, least))
    changes = [
        (made.create if made else "", Change("n", "", {}, full)),
        ((made.update or made.create) if made else "", Change("n", "", least, full)),
        ((made.update or made.create) if made else "", Change("n", "", full, least)),
        (made.delete if made else "", Change("n", "", full, {})),
    ]
    asked = set()
    for operation, change in changes:
        for service, operation_name, parameters in made_by_ministack.operations_of(account.context, kind, operation, change):
            asked |= actions(account, service, operation_name, parameters)
    handlers = (schemas.schema_of(kind) or {})["handlers"]
    listed = {action for name in ("create", "update", "delete") for action in handlers.get(name, {}).get("permissions", ())}
    unasked = {action for action in listed - asked - NOT_ASKED.get(kind, set()) if is_change(action)}
    assert unasked - {"iam:DeletePolicyVersion", "s3:GetObjectVersion", "ec2:DescribeVpcs"} == set()


def actions(account: Account, service: str, operation: str, parameters: dict[str, Any]) -> set[str]:
    from local_account.api.reading import Call
    from local_account.authorization import enforcement

    call = Call(service, operation, parameters)
    checks = account.context.keyring.here(lambda: enforcement.checks_of(account.context.existing, call, {}))
    return {check.action for check in checks}
