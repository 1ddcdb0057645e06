"""The expressions of a pipeline definition: `Get`, `Std:Join` and `Std:JsonGet`, nested at will.

Pure: JSON files are read through `Scope.read_json`. Source: pipeline definition schema 2020-12-01 and what the SageMaker Python
SDK emits (`sagemaker.core.workflow.functions`). Next: `conditions.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_account.sagemaker.pipelines.paths import PathError, look_up


class ExpressionError(ValueError):
    """An expression cannot be evaluated. The message quotes it."""


@dataclass(frozen=True)
class Scope:
    """What expressions may refer to. `step_properties` and `property_files` hold the steps that have ended well."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    execution: Mapping[str, Any] = field(default_factory=dict)
    step_properties: Mapping[str, Any] = field(default_factory=dict)
    property_files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # step -> property file name -> S3 URI
    read_json: Callable[[str], Any] = lambda uri: None


def evaluate(value: Any, scope: Scope) -> Any:
    """`value` with every expression in it replaced by what it stands for."""
    if isinstance(value, list):
        return [evaluate(element, scope) for element in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Get"}:
        return _get(value["Get"], scope)
    if set(value) == {"Std:Join"}:
        return _join(value["Std:Join"], scope)
    if set(value) == {"Std:JsonGet"}:
        return _json_get(value["Std:JsonGet"], scope)
    return {key: evaluate(element, scope) for key, element in value.items()}


def references(value: Any) -> Iterator[tuple[str, str]]:
    """Every `Get` in `value` as (kind, rest), such as ("Steps", "Train.ModelArtifacts")."""
    if isinstance(value, list):
        for element in value:
            yield from references(element)
    elif isinstance(value, dict):
        if set(value) == {"Get"}:
            kind, _, rest = str(value["Get"]).partition(".")
            yield kind, rest
        else:
            for element in value.values():
                yield from references(element)


def as_text(value: Any) -> str:
    """How a value reads inside a joined string: booleans and numbers as in JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _get(path: str, scope: Scope) -> Any:
    kind, _, rest = str(path).partition(".")
    if kind == "Parameters" and rest in scope.parameters:
        return scope.parameters[rest]
    if kind == "Execution" and rest in scope.execution:
        return scope.execution[rest]
    if kind == "Steps":
        return _step_property(rest, scope)
    known = {"Parameters": scope.parameters, "Execution": scope.execution}.get(kind)
    if known is None:
        raise ExpressionError(f"Get {path!r}: allowed are Parameters.<name>, Execution.<variable> and Steps.<name>.<property>")
    raise ExpressionError(f"Get {path!r}: {kind} has {', '.join(known) or 'nothing'}")


def _step_property(rest: str, scope: Scope) -> Any:
    step, _, path = rest.partition(".")
    if step not in scope.step_properties:
        raise ExpressionError(f"Get 'Steps.{rest}': step {step} has no result in this execution")
    try:
        return look_up(scope.step_properties[step], path)
    except PathError as error:
        raise ExpressionError(f"Get 'Steps.{rest}': {error}") from error


def _join(join: Mapping[str, Any], scope: Scope) -> str:
    separator = as_text(evaluate(join.get("On", ""), scope))
    return separator.join(as_text(evaluate(value, scope)) for value in join.get("Values", []))


def _json_get(json_get: Mapping[str, Any], scope: Scope) -> Any:
    uri = _property_file(json_get["PropertyFile"], scope) if "PropertyFile" in json_get else evaluate(json_get.get("S3Uri"), scope)
    path = evaluate(json_get.get("Path", ""), scope)
    try:
        value = look_up(scope.read_json(uri), path)
    except (PathError, OSError, ValueError) as error:
        raise ExpressionError(f"JsonGet of {path!r} in {uri}: {error}") from error
    if isinstance(value, dict | list):
        raise ExpressionError(f"JsonGet of {path!r} in {uri} is an object or a list; a number, text or boolean is needed")
    return value


def _property_file(reference: Any, scope: Scope) -> str:
    _, _, rest = str(reference.get("Get") if isinstance(reference, dict) else reference).partition(".")
    step, _, file_path = rest.partition(".")
    name = file_path.removeprefix("PropertyFiles.")
    try:
        return scope.property_files[step][name]
    except KeyError:
        known = ", ".join(scope.property_files.get(step, {})) or "none"
        raise ExpressionError(f"JsonGet: step {step} has no property file {name!r}; it has {known}") from None
