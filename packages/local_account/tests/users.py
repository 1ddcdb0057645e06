"""Users for tests about what somebody may not do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from local_account.account import Account


@dataclass(frozen=True)
class User:
    """A user of an account, with the one access key that it has."""

    account: Account
    name: str
    access_key: str
    secret: str

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=self.account.settings.region,
            endpoint_url=self.account.settings.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret,
            config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
        )


def make_user(account: Account, name: str, *statements: Mapping[str, Any]) -> User:
    """A user who may do what the statements say, and nothing without any."""
    iam = account.client("iam")
    iam.create_user(UserName=name)
    let_user(account, name, *statements)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return User(account, name, key["AccessKeyId"], key["SecretAccessKey"])


def let_user(account: Account, name: str, *statements: Mapping[str, Any]) -> None:
    """Replace what a user of `make_user` may do."""
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": [dict(statement) for statement in statements]})
        account.client("iam").put_user_policy(UserName=name, PolicyName="permissions", PolicyDocument=document)


def allow(actions: str | list[str], resources: str | list[str] = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}
