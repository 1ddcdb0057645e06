"""What a role may do, told to the CDK as a whole when a template asks for it.

The CDK runs in another process, and every call of it is a message there and an answer: a statement made and added was two, and twenty
models have thousands of statements. What the CDK makes of the whole, it made of the parts: it merges and sorts statements as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

#: As the JSON of a policy has it.
Statement = Mapping[str, Any]


class Permission(NamedTuple):
    """One named statement, so that a reader of the role sees what each permission is for."""

    sid: str
    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Mapping[str, object] | None = None


class Permissions(iam.PolicyDocument):
    """An identity policy. Statements may be added until the template is made."""

    def __init__(self) -> None:
        super().__init__()
        self._statements: list[Statement] = []
        self._whole: iam.PolicyDocument | None = None

    def add(self, statement: Statement) -> None:
        self._statements.append(statement)
        self._whole = None

    def resolve(self, context: cdk.IResolveContext) -> iam.PolicyDocument:
        """Overrides the CDK's, which calls this; it resolves the answer in turn."""
        if self._whole is None:
            self._whole = iam.PolicyDocument.from_json({"Statement": self._statements})
        return self._whole


def allowing(
    actions: Sequence[str], resources: Sequence[str], *, sid: str | None = None, conditions: Mapping[str, object] | None = None
) -> Statement:
    """Raises ValueError where it would allow nothing, which IAM refuses."""
    if not actions or not resources:
        raise ValueError(f"statement {sid}: {list(actions)} on {list(resources)}; a statement needs actions and resources")
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources), "Condition": conditions}
    return {key: value for key, value in statement.items() if value}


def as_json(statement: iam.PolicyStatement) -> Statement:
    """In one message; each attribute would be another. Actions and resources are lists."""
    found: dict[str, Any] = statement.to_json()
    return {**found, **{key: [found[key]] for key in ("Action", "Resource") if isinstance(found.get(key), str)}}
