"""A message that nobody may deliver is lost without a word: dead letters, and whatever goes to an encrypted topic or queue."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.grants import as_list, matches, roles, text

USE_OF_THE_KEY = ("kms:Decrypt", "kms:GenerateDataKey")


@pytest.fixture(scope="session")
def queue_statements(templates: Any) -> list[dict[str, Any]]:
    """Allowing statements of the queues' policies, written out."""
    found = []
    for stack, template in templates.items():
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::SQS::QueuePolicy":
                for item in resource["Properties"]["PolicyDocument"]["Statement"]:
                    if item["Effect"] == "Allow":
                        condition = item.get("Condition", {})
                        sources = [
                            arn for kind in ("ArnEquals", "ArnLike") for arn in as_list(condition.get(kind, {}).get("aws:SourceArn", []))
                        ]
                        found.append(
                            {
                                "queue": text(item["Resource"], stack, templates),
                                "service": item["Principal"].get("Service"),
                                "sources": [text(source, stack, templates) for source in sources],
                            }
                        )
    return found


def dead_letters(templates: Any, kind: str) -> list[tuple[str, str, Any]]:
    """Stack, logical id and target of every rule or schedule, with the queue of its dead letters."""
    return [
        (stack, logical_id, target)
        for stack, template in templates.items()
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == kind
        for target in as_list(resource["Properties"].get("Targets") or resource["Properties"].get("Target"))
    ]


def test_eventbridge_may_send_the_dead_letters_of_every_rule(templates: Any, queue_statements: Any) -> None:
    rules = dead_letters(templates, "AWS::Events::Rule")
    assert rules
    for stack, logical_id, target in rules:
        queue = text(target["DeadLetterConfig"]["Arn"], stack, templates)
        rule = text({"Fn::GetAtt": [logical_id, "Arn"]}, stack, templates)
        letting = [
            pattern
            for item in queue_statements
            if (item["queue"], item["service"]) == (queue, "events.amazonaws.com")
            for pattern in item["sources"]
        ]
        assert any(matches(pattern, rule) for pattern in letting), f"{stack}/{logical_id}"


def test_the_scheduler_may_send_its_dead_letters_as_its_role(templates: Any) -> None:
    schedules = dead_letters(templates, "AWS::Scheduler::Schedule")
    assert schedules
    for stack, logical_id, target in schedules:
        arn = text(target["RoleArn"], stack, templates)
        (role,) = [role for role in roles(templates).values() if role.arn == arn]
        queue = text(target["DeadLetterConfig"]["Arn"], stack, templates)
        assert role.may("sqs:SendMessage", queue), f"{stack}/{logical_id}"
        assert all(role.may(action, key_of(queue, templates)) for action in USE_OF_THE_KEY), f"{stack}/{logical_id} and the queue's key"


def key_of(queue: str, templates: Any) -> str:
    for stack, template in templates.items():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] == "AWS::SQS::Queue" and text({"Fn::GetAtt": [logical_id, "Arn"]}, stack, templates) == queue:
                return text(resource["Properties"]["KmsMasterKeyId"], stack, templates)
    raise KeyError(queue)


def test_every_role_that_sends_or_publishes_may_use_the_key(templates: Any) -> None:
    for name, role in roles(templates).items():
        if role.may("sqs:SendMessage") or role.may("sns:Publish"):
            assert all(role.may(action) for action in USE_OF_THE_KEY), name


@pytest.mark.parametrize("stack", ["shop--foundation", "shop--environment--try"])
def test_the_key_lets_the_services_use_it_that_send_without_a_role(templates: Any, stack: str) -> None:
    """Alarms publish to the encrypted topic, rules send to the encrypted queues."""
    (key,) = [item for item in templates[stack]["Resources"].values() if item["Type"] == "AWS::KMS::Key"]
    may: dict[str, set[str]] = {}
    for statement in key["Properties"]["KeyPolicy"]["Statement"]:
        for service in as_list(statement["Principal"].get("Service", [])):
            if isinstance(service, str):
                may.setdefault(service, set()).update(as_list(statement["Action"]))
    for service in ("cloudwatch.amazonaws.com", "events.amazonaws.com"):
        assert all(any(matches(pattern, action) for pattern in may[service]) for action in USE_OF_THE_KEY), service
