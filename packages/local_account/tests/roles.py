"""Roles for tests about something else: every service may assume them, and they may do everything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from local_account.account import Account

SERVICES = [
    f"{name}.amazonaws.com" for name in ("cloudformation", "codebuild", "codepipeline", "events", "lambda", "sagemaker", "scheduler")
]
#: The names that the tests of this directory use.
NAMES = ("Model", "any", "benchmark", "jobs", "pipeline", "scheduler", "x")
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def trust(services: Sequence[str] = SERVICES, condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A trust policy that lets services assume the role."""
    statement = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": {**statement, **({"Condition": dict(condition)} if condition else {})}}


def make_role(account: Account, name: str, *statements: Mapping[str, Any], trusted: Mapping[str, Any] | None = None) -> str:
    """A role with these statements (none: it may do everything); its ARN."""
    iam = account.client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trusted or trust()))["Role"]["Arn"]
    set_policy(account, name, statements or (EVERYTHING,))
    return arn


def set_policy(account: Account, role_name: str, statements: Iterable[Mapping[str, Any]]) -> None:
    """Replace what a role of `make_role` may do."""
    document = {"Version": "2012-10-17", "Statement": [dict(statement) for statement in statements]}
    account.client("iam").put_role_policy(RoleName=role_name, PolicyName="permissions", PolicyDocument=json.dumps(document))


def make_roles(account: Account) -> None:
    for name in NAMES:
        make_role(account, name)


def open_to_services() -> dict[str, str]:
    """Attributes of a queue or topic that every service may write to: for tests that are about what arrives."""
    services = [f"{name}.amazonaws.com" for name in ("cloudwatch", "events", "s3", "sns")]
    statement = {"Effect": "Allow", "Principal": {"Service": services}, "Action": ["sqs:SendMessage", "sns:Publish"], "Resource": "*"}
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": statement})}
