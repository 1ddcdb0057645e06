"""A service acts for whoever asks it: whatever lets one in says for which account, or a stranger's alarm, rule or log gets in as well.

Source: IAM user guide, "The confused deputy problem", cross-service: `aws:SourceAccount`, or `aws:SourceArn` where the ARN has the account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.infra.acceptances import ANY_ACCOUNT
from tests.infra.cases import ONE, THREE
from tests.infra.grants import as_list, text


@dataclass(frozen=True)
class Entrance:
    """A statement that lets a service in. `kind`: of the resource that it is about."""

    where: str
    kind: str
    service: str
    account: str  # that the resource is in
    accounts: list[str]  # what the statement says about the source

    @property
    def says_which(self) -> bool:
        return any(said == self.account or f":{self.account}:" in said for said in self.accounts)


def entrances(templates: Any) -> Iterator[Entrance]:
    for stack, template in templates.items():
        account, _ = templates.place(stack)
        for logical_id, resource in template["Resources"].items():
            for document in documents(resource.get("Properties", {})):
                for statement in as_list(document["Statement"]):
                    principal = statement.get("Principal")
                    for service in as_list(principal.get("Service", [])) if isinstance(principal, dict) else []:
                        if statement["Effect"] == "Allow":
                            said = [text(value, stack, templates) for value in sources(statement.get("Condition", {}))]
                            yield Entrance(f"{stack}/{logical_id}", resource["Type"], text(service, stack, templates), account, said)
            if resource["Type"] == "AWS::Lambda::Permission" and _is_service(text(resource["Properties"]["Principal"], stack, templates)):
                given = [resource["Properties"].get(name) for name in ("SourceAccount", "SourceArn")]
                said = [text(value, stack, templates) for value in given if value]
                yield Entrance(f"{stack}/{logical_id}", resource["Type"], resource["Properties"]["Principal"], account, said)


def _is_service(principal: str) -> bool:
    """An account asks for itself."""
    return principal.endswith(".amazonaws.com")


def documents(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every policy in a resource's properties, wherever it stands."""
    if isinstance(value, dict):
        if "Statement" in value:
            yield value
        for item in value.values():
            yield from documents(item)
    elif isinstance(value, list):
        for item in value:
            yield from documents(item)


def sources(condition: Mapping[str, Mapping[str, Any]]) -> Iterator[Any]:
    """Values of the conditions that hold only for one source: an operator that allows more does not count."""
    for operator, keys in condition.items():
        if operator in ("StringEquals", "StringLike", "ArnEquals", "ArnLike"):
            for key, values in keys.items():
                if key.lower() in ("aws:sourceaccount", "aws:sourcearn", "kms:encryptioncontext:aws:logs:arn"):
                    yield from as_list(values)


@pytest.fixture(scope="module")
def all_entrances(synthesized: Any) -> list[Entrance]:
    """With one account and with three, also with networks and with a person to tell."""
    return [entrance for settings in (ONE, THREE) for entrance in entrances(synthesized(settings)[1])]


def test_whatever_lets_a_service_in_names_the_account(all_entrances: list[Entrance]) -> None:
    """For an S3 bucket the ARN has no account, so only the account itself counts there."""
    assert {entrance.kind for entrance in all_entrances} >= {
        *("AWS::KMS::Key", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"),
        *("AWS::Lambda::Permission", "AWS::IAM::Role"),
    }
    for entrance in all_entrances:
        if (entrance.kind, entrance.service) not in ANY_ACCOUNT:
            assert entrance.says_which, entrance


def test_every_exception_is_still_needed(all_entrances: list[Entrance]) -> None:
    assert {(entrance.kind, entrance.service) for entrance in all_entrances if not entrance.says_which} == set(ANY_ACCOUNT)
