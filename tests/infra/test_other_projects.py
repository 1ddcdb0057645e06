"""One account, several projects: no role of `mlops` reaches what a project `mlops-x` or `mlops2` has, whatever its request says.

A wildcard after a name covers every name that begins so. What the other project's roles are granted is what must be out of our reach: each
of these ARNs, with the other project's tags, is asked for with each of our statements, whose other conditions are met. The local account's
engine decides.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from infra.endpoint.endpoint_stack import ENDPOINT_TAG

from local_account.authorization import policies
from local_account.authorization.actions import action
from local_account.authorization.evaluation import decide
from local_account.authorization.principals import Principal
from local_account.authorization.requests import Check
from settings import PROJECT
from tests.infra.acceptances import STAR_RESOURCES
from tests.infra.grants import Role, Statement, roles

OTHERS = (f"{PROJECT.name}-x", f"{PROJECT.name}2")
#: What is within reach all the same: (role, action, resource), patterns -> the reason.
SHARED = {
    (r"(Pipeline|Inference)Role", r"logs:.*", r".*:log-group:/aws/sagemaker/(Processing|Training|Transform)Jobs.*"): (
        "SageMaker writes the logs of all jobs of an account into the same three groups"
    ),
    (r"(Pipeline|Inference)Role", r"ecr:.*", r"arn:aws:ecr:.*:repository/sagemaker-.*"): "AWS's images belong to AWS, and are read only",
    (r"RemoveUnused", r"sagemaker:ListTags", r".*:(model|endpoint-config)/.*"): "whose a model is, its tags say, and nothing else",
    (r"CloudFormation", r"iam:CreateServiceLinkedRole", r".*:role/aws-service-role/.*"): "an account has one such role, which AWS defines",
}


@pytest.fixture(scope="module")
def own(templates: Any) -> dict[str, Role]:
    return roles(templates)


@pytest.fixture(scope="module", params=OTHERS)
def other(request: pytest.FixtureRequest, variant: Any) -> tuple[str, list[str]]:
    """The other project's name, and an ARN for everything that its roles are granted."""
    name = str(request.param)
    found = {arn for role in roles(variant(project=dataclasses.replace(PROJECT, name=name))).values() for arn in reached_by(role, name)}
    return name, sorted(found)


def reached_by(role: Role, project: str) -> Iterator[str]:
    for statement in role.statements:
        if not set(statement.actions) <= set(STAR_RESOURCES):
            yield from (existing(pattern, project) for pattern in statement.resources)


def existing(pattern: str, project: str) -> str:
    """A resource as a pattern covers it; what CloudFormation names begins with its stack's name."""
    return re.sub(r"<([^>]+)>", rf"{project}-foundation-\1", pattern).replace("*", "abc123")


def reaches(own: Mapping[str, Role], project: str, arns: list[str]) -> Iterator[tuple[str, str, str]]:
    """Role, action and ARN of whatever is allowed."""
    for role in own.values():
        for statement in role.statements:
            principal = alone(statement)
            keys = {**context(statement), **tags_of(project)}
            for name in sorted(set(named_actions(statement)) - set(STAR_RESOURCES)):
                for arn in arns:
                    if decide(principal, Check(name, arn, keys), "us-east-1").allowed:
                        yield role.name, name, arn


def alone(statement: Statement) -> Principal:
    """A role that has this statement only."""
    resources = [existing_prefix(pattern) for pattern in statement.resources]
    item = {"Effect": "Allow", "Action": statement.actions, "Resource": resources, "Condition": statement.condition}
    document = json.dumps({"Statement": [item]})
    return Principal("arn:aws:iam::111122223333:role/ours", "AssumedRole", "111122223333", (policies.policy("p", document),))


def existing_prefix(pattern: str) -> str:
    return re.sub(r"<([^>]+)>", rf"{PROJECT.name}-foundation-\1", pattern)


def context(statement: Statement) -> dict[str, Any]:
    """Context keys by which a statement's conditions hold, as far as a request can choose them."""
    keys: dict[str, Any] = {}
    for operator, wanted in statement.condition.items():
        for key, value in wanted.items():
            if operator == "Null":
                if value == "false":
                    keys[key.lower()] = "anything"
            else:
                first = value[0] if isinstance(value, list) else value
                keys[key.lower()] = str(first).replace("*", "abc")
    return keys


def tags_of(project: str) -> dict[str, str]:
    """The tags on what the other project has; they are nothing that a request chooses."""
    tags = {tag["Key"]: tag["Value"] for tag in dataclasses.replace(PROJECT, name=project).tags()}
    return {f"aws:resourcetag/{key.lower()}": value for key, value in {**tags, ENDPOINT_TAG: f"{project}-production"}.items()}


def named_actions(statement: Statement) -> Iterator[str]:
    """Actions with their wildcards filled: those of CDK's grants end with one."""
    for pattern in statement.actions:
        if "*" not in pattern:
            yield pattern
            continue
        prefix = pattern.partition(":")[0]
        for verb in EXPANDED[pattern]:
            yield action(prefix, verb).name


#: The wildcards of actions in our templates, with an action of each that reads and one that changes, where there are both.
EXPANDED = {
    "kms:GenerateDataKey*": ["GenerateDataKey"],
    "kms:ReEncrypt*": ["ReEncryptFrom", "ReEncryptTo"],
    "cloudformation:DescribeStack*": ["DescribeStacks", "DescribeStackResources"],
    "cloudformation:GetTemplate*": ["GetTemplate"],
}


def is_shared(role: str, name: str, arn: str) -> bool:
    return any(re.search(a, role) and re.fullmatch(b, name) and re.fullmatch(c, arn) for a, b, c in SHARED)


def test_no_role_reaches_what_another_project_has(own: dict[str, Role], other: tuple[str, list[str]]) -> None:
    project, arns = other
    assert len(arns) > 50
    found = [reached for reached in reaches(own, project, arns) if not is_shared(*reached)]
    assert found == [], "\n".join(" ".join(reached) for reached in found)


def test_what_is_shared_is_within_reach(own: dict[str, Role], other: tuple[str, list[str]]) -> None:
    """An exception that nothing needs any more must go."""
    project, arns = other
    found = list(reaches(own, project, arns))
    unneeded = [
        key for key in SHARED if not any(re.search(key[0], r) and re.fullmatch(key[1], a) and re.fullmatch(key[2], x) for r, a, x in found)
    ]
    assert unneeded == []


def test_a_role_reaches_what_is_its_own(own: dict[str, Role], templates: Any) -> None:
    """Or the tests above could not fail: the same ARNs of our own project, with our own tags, are within reach."""
    arns = sorted({arn for role in own.values() for arn in reached_by(role, PROJECT.name)})
    reached = {arn for _, _, arn in reaches(own, PROJECT.name, arns)}
    assert set(arns) - reached == set()


def test_a_wildcard_after_our_name_would_be_seen(other: tuple[str, list[str]]) -> None:
    project, arns = other
    careless = Statement(["sagemaker:StopProcessingJob"], [f"arn:aws:sagemaker:us-east-1:111122223333:processing-job/{PROJECT.name}*"])
    role = Role("Careless", "foundation", "sagemaker.amazonaws.com", [careless])
    assert [name for _, name, _ in reaches({"careless": role}, project, arns)] == ["sagemaker:StopProcessingJob"]
