"""What a pipeline definition may have: members and types of its parts. Pure. Used by `definition.py` and `parameters.py`.

Source: the published definition schema (https://github.com/aws-sagemaker-mlops/sagemaker-model-building-pipeline-definition-JSON-schema)
and, where that is older, what the SageMaker Python SDK writes (`sagemaker.mlops.workflow`): property files, run conditions, lists of
exception types, experiments. Arguments are held to botocore's model of the operation that a step calls.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from local_account.api.constraints import NOT_NULL, Checks
from local_account.api.reading import input_shape
from local_account.sagemaker.pipelines import expressions
from local_account.sagemaker.requests import as_modelled

Schema = Mapping[str, Any]

#: Operation that a step of each type calls with its arguments.
OPERATIONS: Mapping[str, str] = {
    "Processing": "CreateProcessingJob",
    "Training": "CreateTrainingJob",
    "Tuning": "CreateHyperParameterTuningJob",
    "Transform": "CreateTransformJob",
    "Model": "CreateModel",
    "RegisterModel": "CreateModelPackage",
}
TOP_LEVEL = ("Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps")
LONGEST_TEXT = 4096  # of a parameter


def text(most: int = LONGEST_TEXT) -> Schema:
    return {"type": "string", "maxLength": most, "description": f"a text of at most {most} characters"}


def one_of(*values: str) -> Schema:
    return {"enum": list(values), "description": ", ".join(values)}


def members(needed: str, /, **properties: Schema) -> Schema:
    """An object with these members and no others; `needed` names those that must be there."""
    return {"type": "object", "properties": properties, "required": needed.split(), "additionalProperties": False}


def either(kind: str, schema: Schema, otherwise: Schema) -> Schema:
    """One schema for values of a JSON type, and another for the rest."""
    return {"if": {"type": kind}, "then": schema, "else": otherwise}


NAME: Schema = {"type": "string", "pattern": r"^[A-Za-z0-9\-_]{1,64}\Z", "description": "1 to 64 letters, digits, - and _"}
_FUNCTION: Schema = {
    "type": "string",
    "pattern": r"^arn:aws[a-z\-]*:lambda:[a-z0-9\-]*:[0-9]{12}:function:.+",
    "description": "the ARN of a Lambda function",
}
_EXCEPTION = one_of(
    *("Step.SERVICE_FAULT", "Step.THROTTLING", "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT"),
    "Emr.RESOURCE_LIMIT",
)
_INTEGER: Schema = {"type": "integer"}
_RETRY = members(
    "ExceptionType",
    ExceptionType=either("array", {"items": _EXCEPTION}, _EXCEPTION),
    IntervalSeconds=_INTEGER,
    BackoffRate={"type": "number"},
    ExpireAfterMin=_INTEGER,
    MaxAttempts=_INTEGER,
)
_RUN_CONDITION = members("", Step=text(), Trigger=one_of("Completed", "Failed", "Stopped", "Any"))  # of SDK v3 (StepDependency)
_PROPERTY_FILE = members("PropertyFileName OutputName FilePath", PropertyFileName=text(), OutputName=text(), FilePath=text())
_OUTPUT = members("OutputName OutputType", OutputName=text(), OutputType=one_of("String", "Integer", "Float", "Boolean"))
_EVERY_STEP: Mapping[str, Schema] = {
    "Name": NAME,
    "Type": text(),
    "DependsOn": {"type": "array", "items": either("object", _RUN_CONDITION, text())},
    "DisplayName": text(),
    "Description": text(),
    "Arguments": {"type": "object"},
}
_RETRIED: Mapping[str, Schema] = {"RetryPolicies": either("array", {"items": _RETRY}, _RETRY)}
_CACHED: Mapping[str, Schema] = {"CacheConfig": members("", Enabled={"type": "boolean"}, ExpireAfter=text())}
_OF_A_LAMBDA: Mapping[str, Schema] = {"OutputParameters": {"type": "array", "items": _OUTPUT, "maxItems": 50}, "FunctionArn": _FUNCTION}
#: Members that steps have besides those of every step. Types that are not here are refused as a whole.
_MORE: Mapping[str, Mapping[str, Schema]] = {
    "Processing": {**_RETRIED, **_CACHED, "PropertyFiles": either("array", {"items": _PROPERTY_FILE}, _PROPERTY_FILE)},
    **{kind: {**_RETRIED, **_CACHED} for kind in ("Training", "Tuning", "Transform")},
    **dict.fromkeys(("Model", "RegisterModel"), _RETRIED),
    "Lambda": {**_CACHED, **_OF_A_LAMBDA},
    "Condition": {},
    "Fail": {},
}
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {"Condition": ("Conditions", "IfSteps", "ElseSteps"), "Fail": ("ErrorMessage",)}
_METADATA: Schema = {
    "type": "object",
    "propertyNames": {"pattern": r"^[A-Za-z0-9\-_]{1,128}\Z", "description": "names of 1 to 128 letters, digits, - and _"},
    "additionalProperties": text(1024),
}
_TYPES = {
    "string": "text",
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "array": "a list",
    "object": "an object",
}
#: Checks what a definition says outright.
_LITERALS = Checks(deferred=expressions.is_expression)


def problems(schema: Schema, value: Any, where: str) -> Iterator[str]:
    """What is wrong with a value: what was given, and what is allowed. A member that is null is not there."""
    given = {name: item for name, item in value.items() if item is not None} if isinstance(value, dict) else value
    for error in _validator()(schema).iter_errors(given):
        place, known = ".".join(map(str, error.absolute_path)) or where, error.schema.get("properties", {})
        if error.validator == "additionalProperties":
            yield from _unknown(error.instance, tuple(known), place)
        elif error.validator == "required":
            yield error.message.replace(" is a required property", f" is missing in {place}")
        else:
            allowed = error.schema.get("description") or _TYPES.get(error.schema.get("type", ""), "")
            yield f"{place} is {repr(error.instance)[:60]}; allowed: {allowed}"


@functools.cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator, validators

    whole = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool))
    return validators.extend(Draft202012Validator, type_checker=whole)  # 1.0 is no integer of SageMaker's


def metadata_problems(metadata: Any) -> Iterator[str]:
    """What is wrong with the metadata of a definition, which nothing reads."""
    return problems(_METADATA, metadata or {}, "Metadata")


def step_problems(document: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the form of one step, apart from the conditions and the steps inside it."""
    kind = document["Type"]
    if kind not in _MORE:
        return
    needed = "Name FunctionArn" if kind == "Lambda" else "Name Arguments"  # a function may be given nothing
    yield from problems(members(needed, **_EVERY_STEP, **_MORE[kind]), document, f"a step of type {kind}")
    arguments = document.get("Arguments") or {}
    if not isinstance(arguments, dict):
        return
    if kind in _ARGUMENTS:
        yield from _unknown(arguments, _ARGUMENTS[kind], "Arguments")
    elif kind in OPERATIONS:
        yield from argument_problems(kind, arguments)
    yield from expressions.problems({name: value for name, value in arguments.items() if name not in ("IfSteps", "ElseSteps")})


def argument_problems(kind: str, arguments: Any) -> Iterator[str]:
    """Members of a step's arguments that the operation does not have, structures where it has none, and literals that break its model.

    What is missing and what expressions stand for is known when the step runs, and checked then.
    """
    shape = input_shape("sagemaker", OPERATIONS[kind])
    misshapen = list(_shape_problems(shape, arguments, "Arguments"))
    yield from misshapen
    if not misshapen:
        for problem in _LITERALS.of(shape)(as_modelled(OPERATIONS[kind], arguments)):
            if problem.rule != NOT_NULL:
                yield str(problem)


def _shape_problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    if value is None or expressions.is_expression(value):
        return
    expected = {"structure": dict, "map": dict, "list": list}.get(shape.type_name)
    if (expected is None and isinstance(value, dict | list)) or (expected is not None and not isinstance(value, expected)):
        yield f"{path} is {str(value)[:60]!r}; allowed: {shape.type_name}"
    elif shape.type_name == "structure":
        yield from _unknown(value, tuple(shape.members), path)
        for name in value.keys() & shape.members.keys():
            yield from _shape_problems(shape.members[name], value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for item in value:
            yield from _shape_problems(shape.member, item, f"{path}[]")
    elif shape.type_name == "map":
        for name, item in value.items():
            yield from _shape_problems(shape.value, item, f"{path}.{name}")


def _unknown(document: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> Iterator[str]:
    for name in sorted(set(document) - set(allowed)):
        yield f"{where} cannot have {name!r}; allowed: {', '.join(allowed)}"
