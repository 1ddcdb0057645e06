"""What a service must be allowed before something is made that makes it act later: keys, dead letters, managed policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .. import sagemaker_requests as small
from ..roles import make_role, set_policy, trust
from ..stacks import Stack

HERE = "us-east-1:111122223333"
ACCOUNT = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"}
USES = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]


def document(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def logs(**more: Any) -> dict[str, Any]:
    """CloudWatch Logs user guide, "Encrypt log data in CloudWatch Logs using AWS KMS"."""
    return {"Effect": "Allow", "Principal": {"Service": "logs.us-east-1.amazonaws.com"}, "Action": USES, "Resource": "*", **more}


def key(account: Account, *statements: Any) -> str:
    arn: str = account.client("kms").create_key(Policy=document(ACCOUNT, *statements))["KeyMetadata"]["Arn"]
    return arn


def only_for(group: str) -> dict[str, Any]:
    return {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{HERE}:log-group:{group}"}}


@pytest.mark.parametrize(
    ("statements", "is_made"),
    [
        ([], False),
        ([logs()], True),
        ([logs(Principal={"Service": "logs.eu-west-1.amazonaws.com"})], False),
        ([logs(Action=["kms:Decrypt"])], False),
        ([logs(Condition=only_for("/kept"))], True),
        ([logs(Condition=only_for("/another"))], False),
    ],
)
def test_a_log_group_has_a_key_that_logs_may_use(account: Account, statements: list[Any], is_made: bool) -> None:
    client, arn = account.client("logs"), key(account, *statements)
    if is_made:
        client.create_log_group(logGroupName="/kept", kmsKeyId=arn)
        client.delete_log_group(logGroupName="/kept")
    else:
        with pytest.raises(ClientError, match="does not exist or is not allowed to be used with Arn 'arn:aws:logs:") as refused:
            client.create_log_group(logGroupName="/kept", kmsKeyId=arn)
        assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_log_group_of_a_stack_has_a_key_that_logs_may_use(account: Account) -> None:
    open_key, shut_key = key(account, logs()), key(account)
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/of-a-stack"}}
    stack = Stack(account, small.new_name("logs"))
    assert stack.create({"Group": {**group, "Properties": {**group["Properties"], "KmsKeyId": open_key}}}) == "CREATE_COMPLETE"
    assert stack.update({"Group": {**group, "Properties": {**group["Properties"], "KmsKeyId": shut_key}}}) == "UPDATE_ROLLBACK_COMPLETE"
    assert "is not allowed to be used with Arn" in stack.reasons()
    stack.delete()
    again = Stack(account, small.new_name("logs"))
    assert again.create({"Group": {**group, "Properties": {**group["Properties"], "KmsKeyId": shut_key}}}) == "ROLLBACK_COMPLETE"


def test_a_stack_makes_a_key_and_the_log_group_that_it_encrypts(account: Account) -> None:
    groups = {"Fn::Sub": "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*"}
    encrypting = logs(Condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}})
    policy = {"Version": "2012-10-17", "Statement": [ACCOUNT, encrypting]}
    resources = {
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": policy}},
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"KmsKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}},
    }
    assert Stack(account, small.new_name("both")).create(resources) == "CREATE_COMPLETE"


def test_a_key_that_is_not_there_is_no_log_group_s(account: Account) -> None:
    with pytest.raises(ClientError, match="could not be found") as refused:
        account.client("logs").create_log_group(logGroupName="/x", kmsKeyId=f"arn:aws:kms:{HERE}:key/11111111-2222-3333-4444-555555555555")
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


# KMS API reference, PutKeyPolicy, Policy and BypassPolicyLockoutSafetyCheck.
ME = {**ACCOUNT, "Principal": {"AWS": "arn:aws:iam::111122223333:user/administrator"}, "Action": "kms:PutKeyPolicy"}
DENIED = {**ACCOUNT, "Effect": "Deny", "Principal": "*", "Action": "kms:PutKeyPolicy"}
LOCKING_OUT = "The new key policy will not allow you to update the key policy in the future."


@pytest.mark.parametrize(
    ("statements", "locks_out"),
    [([ACCOUNT], False), ([ME], False), ([logs()], True), ([{**ACCOUNT, "Action": "kms:Encrypt"}], True), ([ACCOUNT, DENIED], True)],
)
def test_a_key_policy_leaves_its_author_the_key(account: Account, statements: list[Any], locks_out: bool) -> None:
    kms = account.client("kms")
    made = kms.create_key()["KeyMetadata"]["KeyId"]
    for call, given in ((kms.create_key, {}), (kms.put_key_policy, {"KeyId": made})):
        if locks_out:
            with pytest.raises(ClientError, match=LOCKING_OUT) as refused:
                call(Policy=document(*statements), **given)
            assert refused.value.response["Error"]["Code"] == "MalformedPolicyDocumentException"
        call(Policy=document(*statements), BypassPolicyLockoutSafetyCheck=locks_out, **given)


@pytest.mark.parametrize(
    ("bypassing", "status"), [({}, "ROLLBACK_COMPLETE"), ({"BypassPolicyLockoutSafetyCheck": True}, "CREATE_COMPLETE")]
)
def test_a_stack_s_key_policy_leaves_its_deployer_the_key(account: Account, bypassing: dict[str, Any], status: str) -> None:
    policy = {"Version": "2012-10-17", "Statement": [logs()]}
    stack = Stack(account, small.new_name("key"))
    assert stack.create({"Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": policy, **bypassing}}}) == status


@pytest.mark.parametrize(("service", "action"), [("sqs", "SendMessage"), ("sns", "Publish")])
def test_a_function_s_role_may_write_to_its_dead_letters(account: Account, service: str, action: str) -> None:
    """Lambda API reference, CreateFunction, DeadLetterConfig."""
    name = small.new_name("dead")
    logging = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    role = make_role(account, name, logging, trusted=trust(["lambda.amazonaws.com"]))
    target = f"arn:aws:{service}:{HERE}:{name}"
    account.client("sqs").create_queue(QueueName=name) if service == "sqs" else account.client("sns").create_topic(Name=name)
    functions = account.client("lambda")
    code = {"ZipFile": small.zipped({"index.py": "def handler(event, context):\n    return 1\n"})}
    request = {"FunctionName": name, "Runtime": "python3.12", "Handler": "index.handler", "Role": role, "Code": code}
    said = f"The provided execution role does not have permissions to call {action} on {service.upper()}"
    with pytest.raises(ClientError, match=said) as refused:
        functions.create_function(**request, DeadLetterConfig={"TargetArn": target})
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"

    functions.create_function(**request)
    with pytest.raises(ClientError, match=said):
        functions.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": target})
    set_policy(account, name, [logging, {"Effect": "Allow", "Action": f"{service}:{action}", "Resource": target}])
    functions.update_function_configuration(FunctionName=name, DeadLetterConfig={"TargetArn": target})


KNOWN = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
UNKNOWN = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"


def test_a_managed_policy_of_aws_whose_statements_are_not_here_is_refused_by_name(account: Account) -> None:
    iam = account.client("iam")
    make_role(account, "managed")
    for arn in (KNOWN, "arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess"):
        iam.attach_role_policy(RoleName="managed", PolicyArn=arn)
    calls: list[tuple[Any, dict[str, Any]]] = [
        (iam.attach_role_policy, {"RoleName": "managed", "PolicyArn": UNKNOWN}),
        (iam.put_role_permissions_boundary, {"RoleName": "managed", "PermissionsBoundary": UNKNOWN}),
        (iam.create_role, {"RoleName": "new", "AssumeRolePolicyDocument": json.dumps(trust()), "PermissionsBoundary": UNKNOWN}),
    ]
    for call, given in calls:
        with pytest.raises(ClientError, match=f"managed policy {UNKNOWN}") as refused:
            call(**given)
        assert refused.value.response["Error"]["Code"] == "NotImplemented"


@pytest.mark.parametrize(("arn", "status"), [(KNOWN, "CREATE_COMPLETE"), (UNKNOWN, "ROLLBACK_COMPLETE")])
@pytest.mark.parametrize("property_name", ["ManagedPolicyArns", "PermissionsBoundary"])
def test_a_role_of_a_stack_has_managed_policies_that_are_here(account: Account, arn: str, status: str, property_name: str) -> None:
    given = [arn] if property_name == "ManagedPolicyArns" else arn
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust(), property_name: given}}
    stack = Stack(account, small.new_name("managed"))
    assert stack.create({"Role": role}, Capabilities=["CAPABILITY_IAM"]) == status
    assert (arn in stack.reasons()) is (status == "ROLLBACK_COMPLETE")
