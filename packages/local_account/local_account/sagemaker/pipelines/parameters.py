"""Parameters of a pipeline: what a definition declares, and the values one execution was started with. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TYPES = ("String", "Integer", "Float", "Boolean")

_MEMBERS = ("Name", "Type", "Description", "DefaultValue")
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
_LONGEST_TEXT = 4096
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class ParameterError(ValueError):
    """A parameter is unknown, missing, or has a value it may not have."""


def resolve(declared: Sequence[Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """Typed value of every declared parameter: the given one, else the default. Given values may be text, as the API sends them."""
    names = [parameter["Name"] for parameter in declared]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ParameterError(f"unknown parameter {', '.join(unknown)}; this pipeline has {', '.join(names) or 'none'}")
    missing = [p["Name"] for p in declared if p["Name"] not in given and p.get("DefaultValue") is None]
    if missing:
        raise ParameterError(f"parameter {', '.join(missing)} has no default value and was not given")
    return {parameter["Name"]: _value(parameter, given.get(parameter["Name"], parameter.get("DefaultValue"))) for parameter in declared}


def problems(declared: Any) -> list[str]:
    """What is wrong with the declarations; empty if nothing is."""
    if not isinstance(declared, list):
        return [f"Parameters is {declared!r}; allowed: a list"]
    found = [problem for parameter in declared for problem in _declaration_problems(parameter)]
    names = [parameter["Name"] for parameter in declared if isinstance(parameter, dict) and isinstance(parameter.get("Name"), str)]
    return found + [f"parameter {name} is declared twice" for name in sorted({name for name in names if names.count(name) > 1})]


def _declaration_problems(parameter: Any) -> Iterator[str]:
    if not isinstance(parameter, dict) or not isinstance(parameter.get("Name"), str):
        yield f"Parameters has {str(parameter)[:80]!r}; allowed: objects with a text 'Name'"
        return
    name, kind = parameter["Name"], type_of(parameter)
    if not _NAME.fullmatch(name):
        yield f"parameter {name!r} has other characters than letters, digits, - and _, or not 1 to 64 of them"
    if kind not in TYPES:
        yield f"parameter {name} has type {kind!r}; allowed: {', '.join(TYPES)}"
        return
    allowed = (*_MEMBERS, *(("EnumValues",) if kind == "String" else ()))
    for member in sorted(set(parameter) - set(allowed)):
        yield f"parameter {name} cannot have {member!r}; allowed: {', '.join(allowed)}"
    values = parameter.get("EnumValues")
    if (
        kind == "String"
        and values is not None
        and not (isinstance(values, list) and values and all(isinstance(value, str) for value in values))
    ):
        yield f"parameter {name} has EnumValues {str(values)[:60]!r}; allowed: a list of texts"
        return
    default = parameter.get("DefaultValue")
    for member, text in (("Description", parameter.get("Description")), ("DefaultValue", default if kind == "String" else None)):
        if text is not None and not (isinstance(text, str) and len(text) <= _LONGEST_TEXT):
            yield f"parameter {name} has {member} {str(text)[:60]!r}; allowed: a text of at most {_LONGEST_TEXT} characters"
    if default is None or (kind == "String" and not isinstance(default, str)):
        return
    if not _is_json_of(kind, default):
        yield f"default of parameter {name} is {default!r}; allowed: a value of type {kind}"
        return
    try:
        _value(parameter, default)
    except ParameterError as error:
        yield f"default of {error}"


def type_of(parameter: Mapping[str, Any]) -> str:
    """A parameter without Type is a String: the schema requires the type of the others."""
    kind: str = parameter.get("Type", "String")
    return kind


def _is_json_of(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "Boolean"
    if isinstance(value, int):
        return kind in ("Integer", "Float")
    return kind == ("Float" if isinstance(value, float) else "String" if isinstance(value, str) else "")


def _value(parameter: Mapping[str, Any], raw: Any) -> Any:
    value = _typed(parameter["Name"], type_of(parameter), raw)
    allowed = parameter.get("EnumValues")
    if allowed and value not in allowed:
        raise ParameterError(f"parameter {parameter['Name']} is {value!r}; allowed: {', '.join(map(repr, allowed))}")
    return value


def _typed(name: str, kind: str, raw: Any) -> Any:
    """A value of the parameter's type. What Python reads as a number and JSON does not, such as nan and 1_000, is none."""
    text = str(raw)
    if kind == "String":
        return text
    if kind == "Boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind == "Integer" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "Float" and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    raise ParameterError(f"parameter {name} is {raw!r}; allowed: {'true or false' if kind == 'Boolean' else f'a value of type {kind}'}")
