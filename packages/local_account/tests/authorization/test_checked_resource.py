"""Which resource is checked, and by which facts: only what names it, never what a caller writes elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.api.members import LISTS, coverage
from local_account.api.reading import Call, input_shape
from local_account.authorization import enforcement
from local_account.authorization.actions import actions_of
from local_account.authorization.existing import Existing

from ..roles import EVERYTHING, make_role, trust
from .signed_requests import FORM, User, allow, deny

HERE = "us-east-1:111122223333"
IAM = "arn:aws:iam::111122223333"
#: How the name of a member ends that names something: the reference calls what it names ARN, name, id, URL or by a path.
NAMING = (
    "arn",
    "arns",
    "arnlist",
    "name",
    "names",
    "namewithpath",
    "id",
    "ids",
    "identifier",
    "url",
    "path",
    "resource",
    "rule",
    "bucket",
    "qualifier",
    "key",
)


def checks(service: str, operation: str, parameters: dict[str, Any]) -> list[tuple[str, str]]:
    existing = Existing("111122223333", "us-east-1")
    return [(check.action, check.resource) for check in enforcement.checks_of(existing, Call(service, operation, parameters), {})]


def free_texts() -> Iterator[tuple[str, str, str]]:
    """Every member of text of every operation that names nothing."""
    for path in sorted(LISTS.glob("*.yaml")):
        for operation in (name for name in coverage(path.stem).acted if "." not in name):
            shape = input_shape(path.stem, operation)
            for name, member in shape.members.items() if shape is not None else ():
                if member.type_name in ("string", "blob") and not name.lower().endswith(NAMING):
                    yield path.stem, operation, name


#: They are what the check is about: the key that a ciphertext names, the role that is made, the source of a copy, tags, encryption.
ABOUT_THE_CHECK = ("CiphertextBlob", "AWSServiceName", "CopySource", "Tagging", "ServerSideEncryption", "serviceRole", "Role")


def test_no_free_text_changes_what_is_checked() -> None:
    texts: dict[tuple[str, str], list[str]] = {}
    for service, operation, name in free_texts():
        texts.setdefault((service, operation), []).append(name)
    changed = [found for (service, operation), names in texts.items() for found in changed_by(service, operation, names)]
    assert texts and changed == []


def changed_by(service: str, operation: str, texts: list[str]) -> Iterator[str]:
    """The members of an operation by which an ARN in them changes what is checked."""
    named = {name: "n" for name in input_shape(service, operation).required_members if name.lower().endswith(NAMING)}
    without = checks(service, operation, named)
    arns = [kind.arn_format for action in actions_of(service, operation) for kind in action.types]
    filled = ["arn:aws:s3:::mine/k", *(_any_arn(arn) for arn in arns)]
    for name in (name for name in texts if name not in ABOUT_THE_CHECK):
        for arn in filled:
            if checks(service, operation, {**named, name: arn}) != without:
                yield f"{service}:{operation}: {name} = {arn}"


def _any_arn(arn_format: str) -> str:
    place = {"Partition": "aws", "Region": "us-east-1", "Account": "111122223333"}
    return re.sub(r"\$\{(\w+)\}", lambda match: place.get(match[1], "mine"), arn_format)


CASES: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    (
        "sagemaker",
        "UpdatePipeline",
        {"PipelineName": "p", "PipelineDescription": f"arn:aws:sagemaker:{HERE}:pipeline/mine"},
        [("sagemaker:UpdatePipeline", f"arn:aws:sagemaker:{HERE}:pipeline/p")],
    ),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "1"}, {"Key": "2", "VersionId": "v"}]}},
        [("s3:DeleteObject", "arn:aws:s3:::b/1"), ("s3:DeleteObjectVersion", "arn:aws:s3:::b/2")],
    ),
    (
        "events",
        "PutEvents",
        {"Entries": [{"EventBusName": "mine"}, {}, {"EventBusName": f"arn:aws:events:{HERE}:event-bus/theirs"}]},
        [("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/{name}") for name in ("theirs", "mine", "default")],
    ),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "f", "Qualifier": "live"},
        [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f:live")],
    ),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "111122223333:function:f"},
        [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f")],
    ),
    ("iam", "CreateRole", {"RoleName": "r", "Path": "/team/x/"}, [("iam:CreateRole", f"{IAM}:role/team/x/r")]),
    ("iam", "CreateRole", {"RoleName": "r", "Path": "/"}, [("iam:CreateRole", f"{IAM}:role/r")]),
    ("iam", "CreatePolicy", {"PolicyName": "p", "Path": "/team/"}, [("iam:CreatePolicy", f"{IAM}:policy/team/p")]),
    ("iam", "CreateUser", {"UserName": "u", "Path": "/team/"}, [("iam:CreateUser", f"{IAM}:user/team/u")]),
    (
        "logs",
        "FilterLogEvents",
        {"logGroupIdentifier": f"arn:aws:logs:{HERE}:log-group:/g"},
        [("logs:FilterLogEvents", f"arn:aws:logs:{HERE}:log-group:/g")],
    ),
    (
        "logs",
        "GetLogEvents",
        {"logGroupIdentifier": f"arn:aws:logs:{HERE}:log-group:/g", "logStreamName": "s"},
        [("logs:GetLogEvents", f"arn:aws:logs:{HERE}:log-group:/g:log-stream:s")],
    ),
]


@pytest.mark.parametrize(("service", "operation", "parameters", "expected"), CASES)
def test_the_resource_that_is_named_is_checked(
    service: str, operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert checks(service, operation, parameters) == expected


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "key"),
    [
        ("kms", "Encrypt", {"KeyId": "k", "EncryptionContext": {"ViaService": "s3"}}, "kms:ViaService"),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k", "Metadata": {"SourceVpce": "vpce-1"}}, "aws:SourceVpce"),
        (
            "codecommit",
            "CreateRepository",
            {"repositoryName": "r", "tags": {"MultiFactorAuthPresent": "true"}},
            "aws:MultiFactorAuthPresent",
        ),
        ("sagemaker", "CreateProcessingJob", {"ProcessingJobName": "j", "Environment": {"Subnets": "x"}}, "sagemaker:VpcSubnets"),
        ("lambda", "CreateFunction", {"FunctionName": "f", "Environment": {"Variables": {"VpcIds": "x"}}}, "lambda:VpcIds"),
    ],
)
def test_what_a_caller_names_is_no_condition_key(service: str, operation: str, parameters: dict[str, Any], key: str) -> None:
    existing = Existing("111122223333", "us-east-1")
    (check, *_) = enforcement.checks_of(existing, Call(service, operation, parameters), {})
    assert check.keys[key.lower()] is None


def test_a_member_of_the_model_is_a_condition_key() -> None:
    existing = Existing("111122223333", "us-east-1")
    parameters = {"ProcessingJobName": "j", "NetworkConfig": {"VpcConfig": {"Subnets": ["a", "b"]}}}
    (check, *_) = enforcement.checks_of(existing, Call("sagemaker", "CreateProcessingJob", parameters), {})
    assert check.keys["sagemaker:vpcsubnets"] == ["a", "b"]


# ------------------------------------------------------------------------------------- in a running account


def test_a_list_of_objects_of_which_one_may_not_be_deleted_is_refused(account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="deleted-from")
    s3.put_bucket_versioning(Bucket="deleted-from", VersioningConfiguration={"Status": "Enabled"})
    versions = {key: s3.put_object(Bucket="deleted-from", Key=key, Body=b"x")["VersionId"] for key in ("a", "kept", "line\nbreak")}
    user = User.make(account, allow("s3:*"), deny("s3:DeleteObject", "arn:aws:s3:::deleted-from/kept"), deny("s3:DeleteObjectVersion"))
    for listed in ([{"Key": "a"}, {"Key": "kept"}], [{"Key": "a", "VersionId": versions["a"]}]):
        with pytest.raises(ClientError, match="AccessDenied"):
            user.client("s3").delete_objects(Bucket="deleted-from", Delete={"Objects": listed})
    assert s3.head_object(Bucket="deleted-from", Key="a", VersionId=versions["a"])["ContentLength"] == 1
    answer = user.client("s3").delete_objects(Bucket="deleted-from", Delete={"Objects": [{"Key": "a"}, {"Key": "line\nbreak"}]})
    assert sorted(each["Key"] for each in answer["Deleted"]) == ["a", "line\nbreak"]


def test_a_wildcard_is_any_character(account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="with-lines")
    s3.put_object(Bucket="with-lines", Key="a\nb", Body=b"x")
    refused = User.make(account, allow("s3:*"), deny("s3:GetObject", "arn:aws:s3:::with-lines/a*"))
    with pytest.raises(ClientError, match="explicit deny"):
        refused.client("s3").get_object(Bucket="with-lines", Key="a\nb")
    User.make(account, allow("s3:GetObject", "arn:aws:s3:::with-lines/a?b")).client("s3").get_object(Bucket="with-lines", Key="a\nb")


def test_a_user_who_names_none_means_itself(account: Account) -> None:
    own = User.make(account, allow(["iam:GetUser", "iam:CreateAccessKey"], f"{IAM}:user/itself"), UserName="itself")
    assert own.client("iam").get_user()["User"]["UserName"] == "itself"
    assert own.client("iam").create_access_key()["AccessKey"]["UserName"] == "itself"
    with pytest.raises(ClientError, match="iam:GetUser"):
        User.make(account, allow("iam:GetUser", f"{IAM}:user/itself")).client("iam").get_user()


def test_delegated_administration_asks_for_the_boundary_of_the_role(account: Account) -> None:
    iam = account.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:*")]})
    boundary = iam.create_policy(PolicyName="bounds", PolicyDocument=document)["Policy"]["Arn"]
    bound = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    delegate = User.make(account, allow(["iam:CreateRole", "iam:PutRolePolicy"], Condition=bound)).client("iam")
    trusted = json.dumps(trust())
    with pytest.raises(ClientError, match="iam:CreateRole"):
        delegate.create_role(RoleName="free", AssumeRolePolicyDocument=trusted)
    delegate.create_role(RoleName="bound", AssumeRolePolicyDocument=trusted, PermissionsBoundary=boundary)
    delegate.put_role_policy(RoleName="bound", PolicyName="p", PolicyDocument=document)
    make_role(account, "unbound")
    with pytest.raises(ClientError, match="iam:PutRolePolicy"):
        delegate.put_role_policy(RoleName="unbound", PolicyName="p", PolicyDocument=document)


def test_a_change_set_by_its_arn_is_of_its_stack(account: Account) -> None:
    cloudformation = account.client("cloudformation")
    template = '{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}'
    made = cloudformation.create_change_set(StackName="changed", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=template)
    cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"], WaiterConfig={"Delay": 1})
    user = User.make(account, allow("*"), deny("cloudformation:*", f"arn:aws:cloudformation:{HERE}:stack/changed/*"))
    with pytest.raises(ClientError, match="explicit deny"):
        user.client("cloudformation").execute_change_set(ChangeSetName=made["Id"])
    for another in ({"ChangeSetName": "c"}, {"ChangeSetName": made["Id"], "StackName": "mine"}):
        with pytest.raises(ClientError, match=r"StackName must be|does not exist"):
            user.client("cloudformation").execute_change_set(**another)
    User.make(account, EVERYTHING).client("cloudformation").execute_change_set(ChangeSetName=made["Id"])


def test_a_queue_answers_queries_too(account: Account) -> None:
    url = account.client("sqs").create_queue(QueueName="asked")["QueueUrl"]
    account.client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    user = User.make(account, allow("sqs:*"))
    for asked, said in (
        ("Action=GetQueueUrl&QueueName=asked", url),
        (f"Action=GetQueueAttributes&QueueUrl={url}&AttributeName.1=QueueArn", "sqs:us-east-1:111122223333:asked"),
        (f"Action=ReceiveMessage&QueueUrl={url}", "hello"),
    ):
        status, answer = user.ask("sqs", "POST", "/", f"{asked}&Version=2012-11-05".encode(), FORM)
        assert (status, said in answer) == (200, True), answer


def test_a_users_key_comes_without_a_token(account: Account) -> None:
    with pytest.raises(ClientError) as refused:
        User.make(account, EVERYTHING).client("sts", token="made-up").get_caller_identity()
    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"


def test_a_simulation_says_which_policy_decided_and_which_key_was_missing(account: Account) -> None:
    with_key = {"StringEquals": {"sagemaker:VpcSubnets": "a"}}
    user = User.make(account, allow("s3:GetObject"), allow("sagemaker:CreateModel", Condition=with_key))
    ask = account.client("iam").simulate_principal_policy
    read, made = ask(PolicySourceArn=f"{IAM}:user/{user.name}", ActionNames=["s3:GetObject", "sagemaker:CreateModel"])["EvaluationResults"]
    assert [each["SourcePolicyId"] for each in read["MatchedStatements"]] == ["own"]
    assert (made["EvalDecision"], [name.lower() for name in made["MissingContextValues"]]) == ("implicitDeny", ["sagemaker:vpcsubnets"])
