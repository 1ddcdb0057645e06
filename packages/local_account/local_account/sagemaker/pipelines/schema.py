"""What a pipeline definition may have: members and types of its parts. Pure. Used by `definition.py`.

Source: the published definition schema (https://github.com/aws-sagemaker-mlops/sagemaker-model-building-pipeline-definition-JSON-schema)
and, where that is older, what the SageMaker Python SDK writes (`sagemaker.mlops.workflow`): property files, run conditions, lists of
exception types, experiments. Arguments are held to botocore's model of the operation that a step calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from local_account.api.constraints import NOT_NULL, Checks
from local_account.api.reading import input_shape
from local_account.sagemaker.pipelines import expressions, lambda_outputs
from local_account.sagemaker.requests import as_modelled

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

#: Checks what a definition says outright.
_LITERALS = Checks(deferred=expressions.is_expression)
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
_EVERY_STEP = ("Name", "Type", "DependsOn", "DisplayName", "Description", "Arguments")
_JOB = ("RetryPolicies", "CacheConfig")
#: Members that steps have besides those of every step. Types that are not here are refused as a whole.
_MORE: Mapping[str, tuple[str, ...]] = {
    "Processing": (*_JOB, "PropertyFiles"),
    "Training": _JOB,
    "Tuning": _JOB,
    "Transform": _JOB,
    "Model": ("RetryPolicies",),
    "RegisterModel": ("RetryPolicies",),
    "Lambda": ("CacheConfig", *lambda_outputs.MEMBERS),
    "Condition": (),
    "Fail": (),
}
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {"Condition": ("Conditions", "IfSteps", "ElseSteps"), "Fail": ("ErrorMessage",)}
_TRIGGERS = ("Completed", "Failed", "Stopped", "Any")
_EXCEPTIONS = (
    "Step.SERVICE_FAULT", "Step.THROTTLING", "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT",
    "Emr.RESOURCE_LIMIT",
)  # fmt: skip
_INTEGER, _NUMBER, _TEXT, _FLAG = "an integer", "a number", "text", "true or false"
_RETRY_NUMBERS = {"IntervalSeconds": _INTEGER, "BackoffRate": _NUMBER, "ExpireAfterMin": _INTEGER, "MaxAttempts": _INTEGER}


def metadata_problems(metadata: Any) -> Iterator[str]:
    """What is wrong with the metadata of a definition, which nothing reads."""
    if not isinstance(metadata or {}, dict):
        yield f"Metadata is {metadata!r}; allowed: an object"
        return
    for name, value in (metadata or {}).items():
        if not re.fullmatch(r"[A-Za-z0-9\-_]{1,128}", name) or not isinstance(value, str) or len(value) > 1024:
            yield f"Metadata has {name!r}: {str(value)[:60]!r}; allowed: names of letters, digits, - and _ (128), texts (1024 characters)"


def step_problems(document: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the form of one step, apart from the conditions and the steps inside it."""
    kind = document["Type"]
    if not _NAME.fullmatch(document["Name"]):
        yield f"its name {document['Name']!r} has other characters than letters, digits, - and _, or not 1 to 64 of them"
    if kind not in _MORE:
        return
    yield from _unknown(document, (*_EVERY_STEP, *_MORE[kind]), f"a step of type {kind}")
    if kind == "Lambda":
        yield from lambda_outputs.problems(document)
    arguments = document.get("Arguments", {} if kind == "Lambda" else None)  # a function may be given nothing
    if not isinstance(arguments, dict):
        yield "it needs an object 'Arguments'"
        return
    if kind in _ARGUMENTS:
        yield from _unknown(arguments, _ARGUMENTS[kind], "Arguments")
    elif kind in OPERATIONS:
        yield from argument_problems(kind, arguments)
    yield from expressions.problems({name: value for name, value in arguments.items() if name not in ("IfSteps", "ElseSteps")})
    for name in ("DisplayName", "Description"):
        yield from _wrong_type(document, name, _TEXT)
    yield from _dependency_problems(document.get("DependsOn"))
    yield from _cache_problems(document.get("CacheConfig"))
    for policy in _listed(document, "RetryPolicies"):
        yield from _retry_problems(policy)
    for item in _listed(document, "PropertyFiles"):
        names = ("PropertyFileName", "OutputName", "FilePath")
        if not isinstance(item, dict) or set(item) != set(names) or not all(isinstance(item[name], str) for name in names):
            yield f"PropertyFiles has {item!r}; allowed: objects with the texts {', '.join(names)}"


def is_of(value: Any, kind: str) -> bool:
    """Whether a JSON value is of a type; true and false are no numbers, and 1.0 is no integer."""
    if kind == _TEXT:
        return isinstance(value, str)
    if kind == _FLAG:
        return isinstance(value, bool)
    return isinstance(value, int if kind == _INTEGER else int | float) and not isinstance(value, bool)


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


def _dependency_problems(dependencies: Any) -> Iterator[str]:
    if not isinstance(dependencies or [], list):
        yield f"DependsOn is {dependencies!r}; allowed: a list of step names"
        return
    for dependency in dependencies or []:
        if isinstance(dependency, dict):  # a run condition of SDK v3 (StepDependency)
            yield from _unknown(dependency, ("Step", "Trigger"), "DependsOn")
            if dependency.get("Trigger", "Completed") not in _TRIGGERS:
                yield f"DependsOn has Trigger {dependency['Trigger']!r}; allowed: {', '.join(_TRIGGERS)}"
        elif not isinstance(dependency, str):
            yield f"DependsOn has {dependency!r}; allowed: step names"


def _cache_problems(config: Any) -> Iterator[str]:
    if not isinstance(config or {}, dict):
        yield f"CacheConfig is {config!r}; allowed: an object"
    elif config:
        yield from _unknown(config, ("Enabled", "ExpireAfter"), "CacheConfig")
        yield from _wrong_type(config, "Enabled", _FLAG)
        yield from _wrong_type(config, "ExpireAfter", _TEXT)


def _retry_problems(policy: Any) -> Iterator[str]:
    if not isinstance(policy, dict):
        yield f"RetryPolicies has {policy!r}; allowed: objects"
        return
    yield from _unknown(policy, ("ExceptionType", *_RETRY_NUMBERS), "RetryPolicies")
    for name, kind in _RETRY_NUMBERS.items():
        yield from _wrong_type(policy, name, kind)
    kinds = policy.get("ExceptionType")
    for exception in kinds if isinstance(kinds, list) else [kinds]:
        if exception not in _EXCEPTIONS:
            yield f"RetryPolicies has ExceptionType {exception!r}; allowed: {', '.join(_EXCEPTIONS)}"


def _listed(document: Mapping[str, Any], name: str) -> list[Any]:
    value = document.get(name)
    return value if isinstance(value, list) else [] if value is None else [value]


def _unknown(document: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> Iterator[str]:
    for name in sorted(set(document) - set(allowed)):
        yield f"{where} cannot have {name!r}; allowed: {', '.join(allowed)}"


def _wrong_type(document: Mapping[str, Any], name: str, kind: str) -> Iterator[str]:
    if document.get(name) is not None and not is_of(document[name], kind):
        yield f"{name} is {document[name]!r}; allowed: {kind}"
