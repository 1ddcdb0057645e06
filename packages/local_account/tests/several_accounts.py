"""Two accounts and two regions for tests, and what is granted from one to the other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.config import Config

from local_account.account import Account
from local_account.authorization.credentials import Credentials

OWN, OTHER = "111122223333", "444455556666"
HOME, ELSEWHERE = "us-east-1", "eu-west-1"


def policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: str | Sequence[str], resources: str | Sequence[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def to_account(account_id: str, actions: str | Sequence[str], resources: str | Sequence[str] = "*", **more: Any) -> dict[str, Any]:
    """A resource's statement for everybody in an account whom the account's own policies allow it."""
    return allow(actions, resources, Principal={"AWS": f"arn:aws:iam::{account_id}:root"}, **more)


def role(account: Account, account_id: str, name: str, trusted: Mapping[str, Any], *statements: Mapping[str, Any]) -> str:
    """A role in an account; `trusted` is the principal that may assume it. Its ARN."""
    iam = account.client("iam", account=account_id)
    trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}}
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if statements:
        allow_role(account, arn, *statements)
    return arn


def allow_role(account: Account, arn: str, *statements: Mapping[str, Any]) -> None:
    """Replace what a role of `role` may do."""
    iam = account.client("iam", account=arn.split(":")[4])
    iam.put_role_policy(RoleName=arn.rpartition("/")[2], PolicyName="permissions", PolicyDocument=policy(*statements))


class Session:
    """What a role's temporary credentials can ask for, by a stock client."""

    def __init__(self, account: Account, answer: Mapping[str, Any]) -> None:
        given = answer["Credentials"]
        self.credentials = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        self._account = account

    def client(self, service: str, region: str = HOME) -> Any:
        import boto3

        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self._account.settings.endpoint_url,
            config=Config(retries={"max_attempts": 0}),
            aws_access_key_id=self.credentials.access_key,
            aws_secret_access_key=self.credentials.secret,
            aws_session_token=self.credentials.token,
        )


def assume(account: Account, sts: Any, arn: str, name: str = "chain") -> Session:
    return Session(account, sts.assume_role(RoleArn=arn, RoleSessionName=name))
