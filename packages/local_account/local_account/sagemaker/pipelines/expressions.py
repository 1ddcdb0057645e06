"""The expressions of a pipeline definition: `Get`, `Std:Join` and `Std:JsonGet`, nested at will.

Pure: JSON files are read through `Scope.read_json`. Source: pipeline definition schema 2020-12-01 and what the SageMaker Python
SDK emits (`sagemaker.core.workflow.functions`). `problems` is asked when a definition is read, `evaluate` when a step runs.
Next: `conditions.py`.
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
    experiment: Mapping[str, Any] = field(default_factory=dict)
    step_properties: Mapping[str, Any] = field(default_factory=dict)
    property_files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # step -> property file name -> S3 URI
    read_json: Callable[[str], Any] = lambda uri: None


#: What `Get` may begin with, and the variables of `Execution` (`sagemaker.core.workflow.execution_variables`) that there are here.
KINDS = ("Parameters", "Execution", "Steps", "PipelineExperimentConfig")
EXECUTION_VARIABLES = ("PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn", "StartDateTime", "CurrentDateTime")
#: Those that stand for the name of the job of their own step, which is known too late here.
OTHER_EXECUTION_VARIABLES = ("TrainingJobName", "ProcessingJobName")

_GET, _JOIN, _JSON_GET, _FUNCTION = "Get", "Std:Join", "Std:JsonGet", "Std:"


def is_expression(value: Any) -> bool:
    """Whether `value` stands for another: an object whose one member is a function, known or not."""
    return isinstance(value, dict) and len(value) == 1 and (_GET in value or next(iter(value)).startswith(_FUNCTION))


def problems(value: Any) -> Iterator[str]:
    """What is wrong with the form of the expressions in `value`; nothing if they can be evaluated."""
    if isinstance(value, list):
        for element in value:
            yield from problems(element)
    elif isinstance(value, dict):
        functions = [key for key in value if key.startswith(_FUNCTION) or (key == _GET and _is_reference(value[key]))]
        if functions and len(value) > 1:
            yield f"function {functions[0]} stands beside {', '.join(key for key in value if key != functions[0])}; allowed: alone"
        elif is_expression(value):
            yield from _function_problems(*next(iter(value.items())))
        else:
            for element in value.values():
                yield from problems(element)


def _is_reference(path: Any) -> bool:
    return isinstance(path, str) and path.partition(".")[0] in KINDS and "." in path


def _function_problems(name: str, argument: Any) -> Iterator[str]:
    if name == _GET:
        kind, _, rest = argument.partition(".") if isinstance(argument, str) else ("", "", "")
        if kind not in KINDS or not rest:
            yield f"Get {argument!r}; allowed: {', '.join(f'{each}.<name>' for each in KINDS)}"
        elif kind == "Execution" and rest not in (*EXECUTION_VARIABLES, *OTHER_EXECUTION_VARIABLES):
            yield f"Get {argument!r}; allowed: {', '.join(f'Execution.{each}' for each in EXECUTION_VARIABLES)}"
    elif name == _JOIN:
        yield from _join_problems(argument)
    elif name == _JSON_GET:
        yield from _json_get_problems(argument)
    else:
        yield f"function {name!r} is unknown; allowed: {_GET}, {_JOIN}, {_JSON_GET}"


def _join_problems(join: Any) -> Iterator[str]:
    if not isinstance(join, dict) or not isinstance(join.get("Values"), list) or not set(join) <= {"On", "Values"}:
        yield f"{_JOIN} is {str(join)[:80]!r}; allowed: an object with a list 'Values' and a text 'On'"
        return
    if not isinstance(join.get("On", ""), str):
        yield f"{_JOIN} has On {join['On']!r}; allowed: text"
    for value in join["Values"]:
        if isinstance(value, list) or (isinstance(value, dict) and not is_expression(value)):
            yield f"{_JOIN} joins {str(value)[:80]!r}; allowed: texts, numbers, booleans and functions"
        yield from problems(value)


def _json_get_problems(json_get: Any) -> Iterator[str]:
    sources = {"PropertyFile", "S3Uri"}
    if not isinstance(json_get, dict) or len(sources & set(json_get)) != 1 or not set(json_get) <= {*sources, "Path"}:
        yield f"{_JSON_GET} is {str(json_get)[:80]!r}; allowed: an object with 'Path', and with either 'PropertyFile' or 'S3Uri'"
        return
    if not isinstance(json_get.get("Path"), str):
        yield f"{_JSON_GET} has Path {json_get.get('Path')!r}; allowed: text"
    file = json_get.get("PropertyFile")
    if file is not None and ".PropertyFiles." not in str(file.get(_GET) if isinstance(file, dict) else ""):
        yield f"{_JSON_GET} has PropertyFile {file!r}; allowed: a Get of Steps.<name>.PropertyFiles.<name>"
    yield from problems(list(json_get.values()))


def evaluate(value: Any, scope: Scope) -> Any:
    """`value` with every expression in it replaced by what it stands for."""
    if isinstance(value, list):
        return [evaluate(element, scope) for element in value]
    if not isinstance(value, dict):
        return value
    name = next(iter(value)) if len(value) == 1 else ""
    if name in _FUNCTIONS:
        return _FUNCTIONS[name](value[name], scope)
    return {key: evaluate(element, scope) for key, element in value.items()}


def references(value: Any) -> Iterator[tuple[str, str]]:
    """Every `Get` in `value` as (kind, rest), such as ("Steps", "Train.ModelArtifacts")."""
    if isinstance(value, list):
        for element in value:
            yield from references(element)
    elif isinstance(value, dict):
        if set(value) == {_GET}:
            kind, _, rest = str(value[_GET]).partition(".")
            yield kind, rest
        else:
            for element in value.values():
                yield from references(element)


def as_text(value: Any) -> str:
    """How a value reads inside a joined string: booleans and numbers as in JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _get(path: str, scope: Scope) -> Any:
    kind, _, rest = str(path).partition(".")
    if kind == "Steps":
        return _step_property(rest, scope)
    values = {"Parameters": scope.parameters, "Execution": scope.execution, "PipelineExperimentConfig": scope.experiment}
    if kind not in values:
        raise ExpressionError(f"Get {path!r}: allowed are {', '.join(f'{each}.<name>' for each in KINDS)}")
    if rest not in values[kind]:
        raise ExpressionError(f"Get {path!r}: {kind} has {', '.join(values[kind]) or 'nothing'}")
    return evaluate(values[kind][rest], scope)


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
    _, _, rest = str(reference[_GET]).partition(".")
    step, _, file_path = rest.partition(".")
    name = file_path.removeprefix("PropertyFiles.")
    try:
        return scope.property_files[step][name]
    except KeyError:
        known = ", ".join(scope.property_files.get(step, {})) or "none"
        raise ExpressionError(f"JsonGet: step {step} has no property file {name!r}; it has {known}") from None


_FUNCTIONS: Mapping[str, Callable[[Any, Scope], Any]] = {_GET: _get, _JOIN: _join, _JSON_GET: _json_get}
