"""Holds the parameters of a template, and the values that a request gives them, against what CloudFormation asks of them.

MiniStack holds values against patterns and bounds; it drops those that no parameter has, and takes the id of any VPC. This account has
no EC2 and no Route 53, so no value of their types exists. Both pages: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/
(parameters-section-structure.html, cloudformation-supplied-parameter-types.html). Used by `template_requests.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from local_account.cloudformation.templates import TemplateError

_MEMBERS = frozenset(
    (
        *("Type", "Default", "Description", "NoEcho", "AllowedValues", "AllowedPattern", "ConstraintDescription"),
        *("MinLength", "MaxLength", "MinValue", "MaxValue"),
    )
)
_PLAIN = ("String", "Number", "List<Number>", "CommaDelimitedList")
#: What is in an account that has EC2 and Route 53.
_ELSEWHERE = re.compile(r"(List<)?AWS::(EC2|Route53)::(\w+)::\w+>?")
_PARAMETER_NAME = "AWS::SSM::Parameter::Name"
_STORED = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
_FORMAT = "Template format error:"


class Given(NamedTuple):
    """What a request says of one parameter. `value` is None where it gives none."""

    name: str
    value: str | None
    as_before: bool


def check_definitions(definitions: Mapping[str, Any]) -> None:
    """Raises TemplateError for what a Parameters section may not have."""
    for name, definition in definitions.items():
        if not isinstance(definition, dict) or not isinstance(definition.get("Type"), str):
            raise TemplateError(f"{_FORMAT} Every Parameters object must contain a Type member.")
        if unknown := sorted(str(member) for member in definition.keys() - _MEMBERS):
            raise TemplateError(f"Invalid template parameter property '{unknown[0]}'")
        if not _is_type(definition["Type"]):
            raise TemplateError(f"{_FORMAT} Unrecognized parameter type: {definition['Type']}")
        if isinstance(definition.get("Default"), (dict, list)):
            raise TemplateError(f"{_FORMAT} Every Default member must be a string.")
        if not isinstance(definition.get("AllowedValues", []), list):
            raise TemplateError(f"{_FORMAT} AllowedValues of parameter {name} must be a list.")
        _check_numbers(name, definition)


def _check_numbers(name: str, definition: Mapping[str, Any]) -> None:
    for member in ("MinLength", "MaxLength", "MinValue", "MaxValue"):
        try:
            float(definition.get(member, 0))
        except (TypeError, ValueError) as error:
            raise TemplateError(f"{_FORMAT} {member} of parameter {name} must be a number.") from error


def _is_type(name: str) -> bool:
    if stored := _STORED.fullmatch(name):
        name = stored[1].replace("List<String>", "CommaDelimitedList")
    if name in (*_PLAIN, _PARAMETER_NAME):
        return True
    return bool(_ELSEWHERE.fullmatch(name))


def check_values(
    definitions: Mapping[str, Any], given: Iterable[Given], before: Mapping[str, Mapping[str, Any]], is_stored: Callable[[str], bool]
) -> None:
    """Raises TemplateError for values that are not those of the template's parameters.

    `before` has the values of the stack's last operation as {name: {"Value": ...}}; `is_stored` says whether SSM has a parameter of a name.
    """
    by_name: dict[str, Given] = {}
    for item in given:
        if item.name in by_name:
            raise TemplateError(f"Parameters: [{item.name}] are given more than once")
        by_name[item.name] = item
    if unknown := [name for name in by_name if name not in definitions]:
        raise TemplateError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    for item in by_name.values():
        _check_as_before(item, before)
    missing = [name for name, definition in definitions.items() if "Default" not in definition and not _has_value(by_name.get(name))]
    if missing:
        raise TemplateError(f"Parameters: [{', '.join(missing)}] must have values")
    for name, definition in definitions.items():
        item = by_name.get(name) or Given(name, None, False)
        value = before[name]["Value"] if item.as_before else definition.get("Default") if item.value is None else item.value
        _check_value(name, definition, _text(value), is_stored)


def _has_value(item: Given | None) -> bool:
    return item is not None and (item.as_before or item.value is not None)


def _check_as_before(item: Given, before: Mapping[str, Any]) -> None:
    if item.as_before and item.value:
        raise TemplateError(f"Invalid input for parameter key {item.name}. Cannot specify usePreviousValue as true and a value as well")
    if item.as_before and item.name not in before:
        where = "for a parameter key not in the previous template"
        raise TemplateError(f"Invalid input for parameter key {item.name}. Cannot specify usePreviousValue as true {where}")


def _check_value(name: str, definition: Mapping[str, Any], value: str, is_stored: Callable[[str], bool]) -> None:
    kind = definition["Type"]
    is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
    members = [member.strip() for member in value.split(",")] if is_list else [value]
    if _ELSEWHERE.fullmatch(kind) or (kind == _PARAMETER_NAME and not is_stored(value)):
        raise TemplateError(f"Parameter validation failed: parameter value {value} for parameter name {name} does not exist")
    reason = definition.get("ConstraintDescription")
    allowed = definition.get("AllowedValues")
    if allowed and not _STORED.fullmatch(kind) and not {*members} <= {_text(item) for item in allowed}:
        raise TemplateError(f"Parameter '{name}' {reason or 'must be one of AllowedValues'}")
    if kind in ("Number", "List<Number>") and not all(_is_number(member) for member in members):
        raise TemplateError(f"Parameter '{name}' {reason or 'must be a number'}")


def _is_number(value: str) -> bool:
    return bool(re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", value))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
