"""What no policy may be, whoever puts it: a request, or CloudFormation for a stack."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.cloudformation import _RESOURCE_TYPES, made_by_ministack, properties, property_operations

from ..roles import make_role, trust
from ..stacks import Stack

READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
NOBODY = "arn:aws:iam::111122223333:role/nobody"


def document(*statements: Any, version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def refused(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**request)
    return f"{error.value.response['Error']['Code']}: {error.value.response['Error']['Message']}"


# Words: IAM user guide, "Troubleshoot IAM policies", and moto's record of IAM's answers (tests/test_iam/test_iam_policies.py).
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Syntax errors in policy."),
        (document(READ, version="2020-01-01"), "Syntax errors in policy."),
        (document({**READ, "Effect": "allow"}), "The policy failed legacy parsing"),
        (document({**READ, "Action": "GetObject"}), "must be prefaced by a vendor"),
        (document({**READ, "Resource": "bucket"}), 'Resource bucket must be in ARN format or "*".'),
        (document({"Effect": "Allow", "Action": "s3:GetObject"}), "Policy statement must contain resources."),
        (document({**READ, "Condition": {"StringIs": {"aws:a": "b"}}}), "Syntax errors in policy."),
        (document({**READ, "Principal": "*"}), "Policy document should not specify a principal."),
    ],
)
def test_a_role_s_policy_is_within_iam_s_grammar(account: Account, text: str, said: str) -> None:
    answer = refused(account.client("iam").put_role_policy, RoleName="any", PolicyName="wrong", PolicyDocument=text)
    assert answer.startswith("MalformedPolicyDocument: ") and said in answer


def test_a_condition_may_compare_with_a_number(account: Account) -> None:
    recent = {**READ, "Condition": {"NumericGreaterThan": {"s3:TlsVersion": 1.2}}}
    account.client("iam").put_role_policy(RoleName="any", PolicyName="recent", PolicyDocument=document(recent))


def test_only_a_managed_policy_must_have_the_newer_version(account: Account) -> None:
    older = document(READ, version="2008-10-17")
    account.client("iam").put_role_policy(RoleName="any", PolicyName="older", PolicyDocument=older)
    answer = refused(account.client("iam").create_policy, PolicyName="older", PolicyDocument=older)
    assert answer == "MalformedPolicyDocument: Policy document must be version 2012-10-17 or greater."


def test_who_may_assume_a_role_is_named_and_is_there(account: Account) -> None:
    iam = account.client("iam")
    for principal in ({}, {"Principal": {"AWS": NOBODY}}):
        text = document({"Effect": "Allow", "Action": "sts:AssumeRole", **principal})
        answer = refused(iam.create_role, RoleName="new", AssumeRolePolicyDocument=text)
        assert answer.startswith("MalformedPolicyDocument: ")
    assert "Invalid principal in policy" in answer


# IAM user guide, "IAM and AWS STS quotas": characters without white space.
def test_policies_are_as_long_as_iam_takes_them(account: Account) -> None:
    iam = account.client("iam")
    make_role(account, "wordy")
    length = len("arn:aws:s3:::") + 40
    half = document({**READ, "Resource": [f"arn:aws:s3:::{number:040}" for number in range(5_400 // (length + 3))]})
    iam.put_role_policy(RoleName="wordy", PolicyName="first", PolicyDocument=json.dumps(json.loads(half), indent=8))

    answer = refused(iam.put_role_policy, RoleName="wordy", PolicyName="second", PolicyDocument=half)
    assert answer == "LimitExceeded: Maximum policy size of 10240 bytes exceeded for role wordy"
    iam.put_role_policy(RoleName="wordy", PolicyName="first", PolicyDocument=half)  # in place of itself

    assert "PolicySize: 6144" in refused(iam.create_policy, PolicyName="wordy", PolicyDocument=document({**READ, "Sid": "x" * 6_100}))
    long_trust = trust(condition={"StringEquals": {"aws:SourceArn": ["x" * 2_000]}})
    assert "ACLSizePerRole: 2048" in refused(iam.create_role, RoleName="new", AssumeRolePolicyDocument=json.dumps(long_trust))


def test_a_role_has_ten_managed_policies_at_most(account: Account) -> None:
    iam = account.client("iam")
    make_role(account, "attached")
    arns = [iam.create_policy(PolicyName=f"p{number}", PolicyDocument=document(READ))["Policy"]["Arn"] for number in range(11)]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName="attached", PolicyArn=arn)
    assert "PoliciesPerRole: 10" in refused(iam.attach_role_policy, RoleName="attached", PolicyArn=arns[10])


def test_a_resource_s_policy_names_principals_that_are_there(account: Account) -> None:
    account.client("s3").create_bucket(Bucket="documents")
    queue = account.client("sqs").create_queue(QueueName="documents")["QueueUrl"]
    topic = account.client("sns").create_topic(Name="documents")["TopicArn"]

    def answers(statement: Any) -> list[str]:
        text = document(statement)
        return [
            refused(account.client("s3").put_bucket_policy, Bucket="documents", Policy=text),
            refused(account.client("kms").create_key, Policy=text, BypassPolicyLockoutSafetyCheck=True),
            refused(account.client("sqs").set_queue_attributes, QueueUrl=queue, Attributes={"Policy": text}),
            refused(account.client("sns").set_topic_attributes, TopicArn=topic, AttributeName="Policy", AttributeValue=text),
        ]

    codes = ["MalformedPolicy", "MalformedPolicyDocumentException", "InvalidAttributeValue", "InvalidParameter"]
    wanted = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for answer, code in zip(answers(wanted), codes, strict=True):
        assert answer == f"{code}: Missing required field Principal"
    for answer, code in zip(answers({**wanted, "Principal": {"AWS": NOBODY}}), codes, strict=True):
        assert answer == f"{code}: Invalid principal in policy: {NOBODY}"


@pytest.mark.parametrize(("changed", "said"), [({"Action": "sqs:*"}, "action"), ({"Resource": "arn:aws:s3:::others/*"}, "resource")])
def test_a_bucket_s_policy_is_about_the_bucket(account: Account, changed: Any, said: str) -> None:
    account.client("s3").create_bucket(Bucket="own")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::own/*", **changed}
    answer = refused(account.client("s3").put_bucket_policy, Bucket="own", Policy=document(statement))
    assert answer == f"MalformedPolicy: Policy has invalid {said}"


def role(**more: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust(), **more}}


def policy(statement: Any) -> dict[str, Any]:
    return {"PolicyName": "p", "PolicyDocument": json.loads(document(statement))}


WRONG = {**READ, "Action": "GetObject"}
FUNCTION = {"Role": NOBODY, "Code": {"ZipFile": "x = 1"}, "Handler": "index.x", "Runtime": "python3.12"}
ALARM = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "MetricName": "m", "Namespace": "n", "Statistic": "Sum"}


@pytest.mark.parametrize(
    ("name", "resource", "said"),
    [
        ("inline", role(Policies=[policy(WRONG)]), "must be prefaced by a vendor"),
        ("added", {"Type": "AWS::IAM::Policy", "Properties": {**policy(WRONG), "Roles": ["any"]}}, "must be prefaced by a vendor"),
        (
            "trusted",
            role(AssumeRolePolicyDocument=json.loads(document({**READ, "Action": "sts:AssumeRole"}))),
            "Has prohibited field Resource.",
        ),
        ("key", {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": json.loads(document(WRONG))}}, "must be prefaced by a vendor"),
        ("function", {"Type": "AWS::Lambda::Function", "Properties": FUNCTION}, "cannot be assumed by Lambda"),
        ("alarm", {"Type": "AWS::CloudWatch::Alarm", "Properties": {**ALARM, "Threshold": 1, "Period": 7}}, "Period must be"),
    ],
)
def test_a_stack_s_resource_is_held_to_the_same_rules(account: Account, name: str, resource: Any, said: str) -> None:
    stack = Stack(account, name)
    assert stack.create({"R": resource}, Capabilities=["CAPABILITY_IAM"]) == "ROLLBACK_COMPLETE"
    assert said in stack.reasons()


#: They call no service.
OF_CLOUDFORMATION = {"AWS::CDK::Metadata", "AWS::CloudFormation::WaitCondition", "AWS::CloudFormation::WaitConditionHandle"}


def test_every_type_of_resource_is_asked_for_in_the_deployer_s_name() -> None:
    types = {name for name in properties.coverage().acted if name.count(".") == 0}
    ours = {resource.name for resource in _RESOURCE_TYPES}
    assert types - ours - set(made_by_ministack._TYPES) - set(property_operations.BY_TYPE) == OF_CLOUDFORMATION
