"""The local account acts on everything that this project's templates give: no property of theirs is stored or dropped."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from app import build_app
from local_account.cloudformation.properties import require_acted_on
from tests.example_models import SETTINGS


def templates() -> Iterator[Mapping[str, Any]]:
    told = dataclasses.replace(SETTINGS, project=SETTINGS.project.but(notification_email="somebody@example.com"))
    for settings in (SETTINGS, told):
        for stack in build_app(settings).synth().stacks_recursively:
            yield stack.template


def resolved(value: Any) -> Any:
    """A value as CloudFormation may make it: functions give a text, `Fn::If` both of its values."""
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::If"}:
        return [resolved(item) for item in value["Fn::If"][1:]]
    if len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::")):
        return "text"
    return {name: resolved(item) for name, item in value.items()}


def test_nothing_in_a_template_is_refused() -> None:
    for template in templates():
        for resource in template["Resources"].values():
            if not resource["Type"].startswith("Custom::"):
                require_acted_on(resource["Type"], resolved(resource.get("Properties") or {}))
