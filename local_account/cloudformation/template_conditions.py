"""`Fn::Join` in a template's conditions, which MiniStack does not know there: it takes the function for a text that is not empty.

The CDK's bootstrap template decides by one whether its execution role gets AdministratorAccess. Source: CloudFormation template
reference, "Condition functions", "Supported functions". Used by `__init__.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def install() -> None:
    from ministack.services.cloudformation import changesets, engine, handlers, stacks

    original = getattr(engine._evaluate_conditions, "__wrapped__", engine._evaluate_conditions)

    def evaluate(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, bool]:
        conditions = joined(template.get("Conditions", {}), parameters)
        decided: dict[str, bool] = original({**template, "Conditions": conditions}, parameters)
        return decided

    evaluate.__wrapped__ = original  # type: ignore[attr-defined]  # so that the next account wraps MiniStack's own
    for module in (engine, changesets, handlers, stacks):
        module._evaluate_conditions = evaluate


def joined(value: Any, parameters: Mapping[str, Any]) -> Any:
    """A part of a template with every `Fn::Join` of parameters and texts replaced by its text."""
    if isinstance(value, list):
        return [joined(item, parameters) for item in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"Fn::Join"}:
        separator, items = value["Fn::Join"]
        return str(separator).join(_texts(items, parameters))
    return {name: joined(item, parameters) for name, item in value.items()}


def _texts(items: Any, parameters: Mapping[str, Any]) -> list[str]:
    if isinstance(items, Mapping) and "Ref" in items:  # a list parameter, which is one text with commas
        return [item.strip() for item in _value(items, parameters).split(",")]
    return [_value(item, parameters) for item in items]


def _value(item: Any, parameters: Mapping[str, Any]) -> str:
    if isinstance(item, Mapping) and "Ref" in item:
        known = parameters.get(item["Ref"])
        return str(known["Value"]) if known else str(item["Ref"])
    return str(joined(item, parameters))
