"""A role's permissions are in its template whenever they were given, and none that allows nothing."""

from __future__ import annotations

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

import infra  # noqa: F401 - before aws_cdk, which it tells where to unpack itself
from infra.service_role import ServiceRole


@pytest.fixture
def role() -> ServiceRole:
    stack = cdk.Stack(cdk.App(analytics_reporting=False), "Stack")
    return ServiceRole(stack, "Role", service="lambda.amazonaws.com", description="of this test")


def statements(role: ServiceRole) -> list[dict[str, object]]:
    (found,) = Template.from_stack(cdk.Stack.of(role)).find_resources("AWS::IAM::Role").values()
    return list(found["Properties"]["Policies"][0]["PolicyDocument"]["Statement"])


def test_what_is_allowed_after_somebody_looked_is_in_the_template(role: ServiceRole) -> None:
    role.allow("Read", ["s3:GetObject"], ["arn:aws:s3:::fish/*"])
    looked_at = cdk.Stack.of(role).resolve(role.node.default_child.policies)
    assert [item["Sid"] for item in looked_at[0]["policyDocument"]["Statement"]] == ["Read"]
    role.allow("Write", ["s3:PutObject"], ["arn:aws:s3:::fish/*"], {"Bool": {"aws:SecureTransport": "true"}})
    assert statements(role) == [
        {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::fish/*"},
        {
            "Sid": "Write",
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::fish/*",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        },
    ]


def test_what_the_cdk_grants_stands_beside_it(role: ServiceRole) -> None:
    iam.Grant.add_to_principal(grantee=role, actions=["sqs:SendMessage"], resource_arns=["arn:aws:sqs:eu-west-1:111122223333:letters"])
    role.allow("Read", ["s3:GetObject"], ["arn:aws:s3:::fish/*"])
    assert [item["Action"] for item in statements(role)] == ["sqs:SendMessage", "s3:GetObject"]


@pytest.mark.parametrize(("actions", "resources"), [([], ["*"]), (["s3:GetObject"], [])])
def test_a_statement_that_allows_nothing_is_refused(role: ServiceRole, actions: list[str], resources: list[str]) -> None:
    with pytest.raises(ValueError, match=r"statement Nothing: .* a statement needs actions and resources"):
        role.allow("Nothing", actions, resources)
