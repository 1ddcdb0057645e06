"""Parameters of a pipeline: what a definition declares, and the values one execution was started with. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from local_account.sagemaker.pipelines import schema
from local_account.sagemaker.pipelines.schema import NAME, Schema, members, one_of, text

TYPES = ("String", "Integer", "Float", "Boolean")

_COMMON: Mapping[str, Schema] = {"Name": NAME, "Type": one_of(*TYPES), "Description": text()}
_DEFAULTS: Mapping[str, Schema] = {
    "String": text(),
    "Integer": {"type": "integer", "description": "a value of type Integer"},
    "Float": {"type": "number", "description": "a value of type Float"},
    "Boolean": {"type": "boolean", "description": "a value of type Boolean"},
}
_CHOICE: Schema = {"type": "array", "items": {"type": "string"}, "minItems": 1, "description": "a list of texts"}
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
    empty = [p["Name"] for p in declared if type_of(p) == "String" and given.get(p["Name"]) == ""]
    if empty:  # `string "" is too short (length: 0, required minimum: 1)` in AWS: aws/sagemaker-python-sdk#4016
        raise ParameterError(f"parameter {', '.join(empty)} is ''; allowed: a text of at least one character")
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


def _declaration_problems(parameter: Any) -> list[str]:
    kind = type_of(parameter) if isinstance(parameter, dict) else ""
    own: dict[str, Schema] = {"DefaultValue": _DEFAULTS.get(str(kind), {})} | ({"EnumValues": _CHOICE} if kind == "String" else {})
    name = parameter.get("Name") if isinstance(parameter, dict) else parameter
    found = [f"parameter {str(name)[:80]}: {problem}" for problem in schema.problems(members("Name", **_COMMON, **own), parameter, "it")]
    if not found and parameter.get("DefaultValue") is not None:
        try:
            _value(parameter, parameter["DefaultValue"])
        except ParameterError as error:
            return [f"default of {error}"]
    return found


def type_of(parameter: Mapping[str, Any]) -> str:
    """A parameter without Type is a String: the schema requires the type of the others."""
    kind: str = parameter.get("Type", "String")
    return kind


def _value(parameter: Mapping[str, Any], raw: Any) -> Any:
    value = _typed(parameter["Name"], type_of(parameter), raw)
    allowed = parameter.get("EnumValues")
    if allowed and value not in allowed:
        raise ParameterError(f"parameter {parameter['Name']} is {value!r}; allowed: {', '.join(map(repr, allowed))}")
    return value


def _typed(name: str, kind: str, raw: Any) -> Any:
    """A value of the parameter's type. What Python reads as a number and JSON does not, such as nan and 1_000, is none."""
    said = str(raw)
    if kind == "String":
        return said
    if kind == "Boolean" and said.lower() in ("true", "false"):
        return said.lower() == "true"
    if kind == "Integer" and _INTEGER.fullmatch(said):
        return int(said)
    if kind == "Float" and _NUMBER.fullmatch(said) and math.isfinite(float(said)):
        return float(said)
    raise ParameterError(f"parameter {name} is {raw!r}; allowed: {'true or false' if kind == 'Boolean' else f'a value of type {kind}'}")
