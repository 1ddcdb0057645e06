"""Sessions are of who made them: narrowed for good, and gone with the role or user that they were made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.errors import ServiceError
from local_account.roles import sagemaker_role

from ..roles import EVERYTHING, make_role, trust
from ..users import make_user

OURS: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
TRUST = {"Version": "2012-10-17", "Statement": [OURS]}


def client(account: Account, credentials: Mapping[str, Any], service: str) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=account.settings.endpoint_url,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def assume(account: Account, role: str, **options: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = account.client("sts").assume_role(RoleArn=role, RoleSessionName="me", **options)["Credentials"]
    return found


def remove_role(account: Account, name: str) -> None:
    account.client("iam").delete_role_policy(RoleName=name, PolicyName="permissions")
    account.client("iam").delete_role(RoleName=name)


def test_a_session_cannot_shed_what_narrows_it(account: Account) -> None:
    role = make_role(account, "narrowed", trusted=TRUST)
    only = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]})
    session = assume(account, role, Policy=only)
    with pytest.raises(ClientError, match="session credentials") as refused:
        client(account, session, "sts").get_session_token()
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


def test_a_user_may_call_for_a_session_token(account: Account) -> None:
    credentials = make_user(account, "with-token", EVERYTHING).client("sts").get_session_token()["Credentials"]
    assert client(account, credentials, "sts").get_caller_identity()["Arn"].endswith(":user/with-token")


def test_a_roles_sessions_end_with_it_and_do_not_revive(account: Account) -> None:
    session = assume(account, make_role(account, "passing", trusted=TRUST))
    client(account, session, "s3").list_buckets()
    remove_role(account, "passing")
    with pytest.raises(ClientError, match="security token"):
        client(account, session, "s3").list_buckets()
    make_role(account, "passing", trusted=TRUST)
    with pytest.raises(ClientError, match="security token"):
        client(account, session, "s3").list_buckets()
    client(account, assume(account, "arn:aws:iam::111122223333:role/passing"), "s3").list_buckets()


def test_a_service_gets_a_session_of_the_role_that_is_there_now(account: Account) -> None:
    def role() -> Any:
        return sagemaker_role(account.context, make_role(account, "again", trusted=trust(["sagemaker.amazonaws.com"])), "arn:x")

    role().client("s3").list_buckets()
    remove_role(account, "again")
    role().client("s3").list_buckets()


def test_a_users_sessions_end_with_it_and_do_not_revive(account: Account) -> None:
    iam = account.client("iam")
    user = make_user(account, "leaving", EVERYTHING)
    session = user.client("sts").get_session_token()["Credentials"]
    iam.delete_access_key(UserName="leaving", AccessKeyId=user.access_key)
    client(account, session, "s3").list_buckets()
    iam.delete_user_policy(UserName="leaving", PolicyName="permissions")
    iam.delete_user(UserName="leaving")
    make_user(account, "leaving", EVERYTHING)
    with pytest.raises(ClientError, match="security token"):
        client(account, session, "s3").list_buckets()


def test_a_user_with_a_policy_of_its_own_cannot_be_deleted(account: Account) -> None:
    account.client("iam").create_user(UserName="with-policy")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [EVERYTHING]})
    account.client("iam").put_user_policy(UserName="with-policy", PolicyName="p", PolicyDocument=policy)
    with pytest.raises(ClientError, match="DeleteConflict"):
        account.client("iam").delete_user(UserName="with-policy")
    account.client("iam").delete_user_policy(UserName="with-policy", PolicyName="p")
    account.client("iam").delete_user(UserName="with-policy")
    with pytest.raises(ClientError, match="NoSuchEntity"):
        account.client("iam").delete_user(UserName="with-policy")


@pytest.mark.parametrize("attached", [True, False])
def test_a_role_with_policies_cannot_be_deleted(account: Account, attached: bool) -> None:
    name = f"with-policies-{attached}"
    make_role(account, name)
    if attached:
        account.client("iam").delete_role_policy(RoleName=name, PolicyName="permissions")
        account.client("iam").attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    with pytest.raises(ClientError, match="DeleteConflict"):
        account.client("iam").delete_role(RoleName=name)


def test_a_role_that_is_gone_is_assumed_by_nobody(account: Account) -> None:
    arn = make_role(account, "gone")
    remove_role(account, "gone")
    with pytest.raises(ServiceError, match="does not exist"):
        _ = sagemaker_role(account.context, arn, "arn:x").credentials
