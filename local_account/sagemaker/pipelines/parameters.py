"""Parameters of a pipeline: what a definition declares, and the values one execution was started with. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TYPES = ("String", "Integer", "Float", "Boolean")


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


def problems(declared: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with the declarations; empty if nothing is."""
    found = []
    for parameter in declared:
        if parameter.get("Type") not in TYPES:
            found.append(f"parameter {parameter.get('Name')} has type {parameter.get('Type')!r}; allowed: {', '.join(TYPES)}")
        elif parameter.get("DefaultValue") is not None:
            try:
                _value(parameter, parameter["DefaultValue"])
            except ParameterError as error:
                found.append(f"default of {error}")
    names = [parameter.get("Name") for parameter in declared]
    return found + [f"parameter {name} is declared twice" for name in sorted({str(n) for n in names if names.count(n) > 1})]


def _value(parameter: Mapping[str, Any], raw: Any) -> Any:
    value = _typed(parameter["Name"], parameter["Type"], raw)
    allowed = parameter.get("EnumValues")
    if allowed and value not in allowed:
        raise ParameterError(f"parameter {parameter['Name']} is {value!r}; allowed: {', '.join(map(repr, allowed))}")
    return value


def _typed(name: str, kind: str, raw: Any) -> Any:
    text = str(raw)
    if kind == "String":
        return text
    if kind == "Boolean":
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
    else:
        try:
            return int(text) if kind == "Integer" else float(text)
        except ValueError:
            pass
    raise ParameterError(f"parameter {name} is {raw!r}; allowed: {'true or false' if kind == 'Boolean' else f'a value of type {kind}'}")
