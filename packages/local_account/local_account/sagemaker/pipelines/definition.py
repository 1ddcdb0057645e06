"""Reads a pipeline definition (schema 2020-12-01) and refuses early what could never run. Pure. Next: `progress.py`."""

from __future__ import annotations

import graphlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_account.sagemaker.pipelines import caching, conditions, lambda_outputs, parameters, schema
from local_account.sagemaker.pipelines.expressions import OTHER_EXECUTION_VARIABLES, problems, references
from local_account.sagemaker.pipelines.paths import PathError, Segment, parse

VERSION = "2020-12-01"
RUNNABLE_TYPES = ("Processing", "Training", "Tuning", "Transform", "Model", "RegisterModel", "Lambda", "Condition", "Fail")
#: Types of the schema that need a service the local account does not have.
OTHER_TYPES = (
    "Callback", "QualityCheck", "ClarifyCheck", "EMR", "EMRServerless", "AutoML", "EndpointConfig", "Endpoint",
    "InferenceComponent", "Lineage", "Job", "Cleanup", "ForEach", "NotebookJob", "MonitorBatchTransform",
)  # fmt: skip


class DefinitionError(ValueError):
    """The definition is malformed or inconsistent. The message says where."""


class UnsupportedStepError(ValueError):
    """The definition is well formed, but needs what the local account has not, such as a step of another type."""


@dataclass(frozen=True)
class Step:
    """One step. `branch` is the condition step it hangs under and the outcome that runs it; None at the top level."""

    name: str
    type: str
    arguments: Mapping[str, Any]
    triggers: Mapping[str, str]  # step waited for -> outcome that lets this one run: Completed, Failed, Stopped or Any
    branch: tuple[str, bool] | None = None
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return str(self.document.get("DisplayName") or self.name)


@dataclass(frozen=True)
class Definition:
    """`steps` holds those inside branches too, by name."""

    parameters: Sequence[Mapping[str, Any]]
    steps: Mapping[str, Step]
    experiment: Mapping[str, Any] = field(default_factory=dict)


def read(text: str) -> Definition:
    """Parse and check a definition. Raises DefinitionError or UnsupportedStepError."""
    try:
        document = json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise DefinitionError(f"Unable to parse pipeline definition: it is not JSON ({error}).") from error
    if not isinstance(document, dict) or not isinstance(document.get("Steps"), list) or not document["Steps"]:
        raise DefinitionError("Unable to parse pipeline definition: it needs a list 'Steps' with at least one step.")
    if document.get("Version", VERSION) != VERSION:
        raise DefinitionError(f"Unable to parse pipeline definition: Version is {document.get('Version')!r}; allowed: {VERSION}.")
    declared, experiment = document.get("Parameters") or [], document.get("PipelineExperimentConfig") or {}
    unknown = sorted(set(document) - set(schema.TOP_LEVEL))
    _refuse([f"it cannot have {name!r}; allowed: {', '.join(schema.TOP_LEVEL)}" for name in unknown])
    _refuse(schema.metadata_problems(document.get("Metadata")))
    _refuse(parameters.problems(declared))
    _refuse(problems(experiment))
    steps = list(_steps(document["Steps"], None))
    _refuse(f"step {step.name}: {problem}" for step in steps for problem in schema.step_problems(step.document))
    _refuse(_step_problems(steps, {parameter["Name"] for parameter in declared}))
    definition = Definition(declared, {step.name: step for step in steps}, experiment)
    _refuse_cycles(definition)
    _refuse_unsupported(definition)
    if document.get("MlflowConfig"):
        raise UnsupportedStepError("The local account does not track executions with MLflow (MlflowConfig).")
    return definition


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _steps(documents: Sequence[Any], branch: tuple[str, bool] | None) -> Iterator[Step]:
    for document in documents:
        if not isinstance(document, dict) or not isinstance(document.get("Name"), str) or not isinstance(document.get("Type"), str):
            raise DefinitionError(f"Unable to parse pipeline definition: a step needs 'Name' and 'Type', got {str(document)[:80]}.")
        arguments = document["Arguments"] if isinstance(document.get("Arguments"), dict) else {}
        own = {key: value for key, value in arguments.items() if key not in ("IfSteps", "ElseSteps")}
        yield Step(document["Name"], document["Type"], own, _triggers(document, own, branch), branch, document)
        if document["Type"] == "Condition":
            for branch_name, outcome in (("IfSteps", True), ("ElseSteps", False)):
                inner = arguments.get(branch_name) or []
                if not isinstance(inner, list):
                    raise DefinitionError(f"Unable to parse pipeline definition: {branch_name} of step {document['Name']} is no list.")
                yield from _steps(inner, (document["Name"], outcome))


def _triggers(document: Mapping[str, Any], arguments: Mapping[str, Any], branch: tuple[str, bool] | None) -> dict[str, str]:
    triggers = {rest.partition(".")[0]: "Completed" for kind, rest in references(arguments) if kind == "Steps"}
    if branch:
        triggers[branch[0]] = "Completed"
    dependencies = document.get("DependsOn")
    for dependency in dependencies if isinstance(dependencies, list) else []:
        # A plain name waits for success; `{"Step": …, "Trigger": …}` is a run condition of SDK v3 (StepDependency).
        if isinstance(dependency, dict):
            triggers.setdefault(str(dependency.get("Step")), str(dependency.get("Trigger", "Completed")))
        else:
            triggers.setdefault(str(dependency), "Completed")
    return triggers


def _step_problems(steps: Sequence[Step], parameter_names: set[str]) -> Iterator[str]:
    names = [step.name for step in steps]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"step name {name} is used twice"
    for step in steps:
        for missing in sorted(set(step.triggers) - set(names)):
            yield f"step {step.name} refers to step {missing}, which does not exist"
        for kind, rest in references(step.arguments):
            if kind == "Parameters" and rest not in parameter_names:
                yield f"step {step.name} refers to parameter {rest}, which is not declared"
        yield from _property_file_problems(step, {other.name: other for other in steps})
        yield from _output_problems(step, {other.name: other for other in steps})
        try:
            caching.lifetime((step.document.get("CacheConfig") or {}).get("ExpireAfter"))
        except ValueError as error:
            yield f"step {step.name}: {error}"
        if step.type == "Condition":
            listed = step.arguments.get("Conditions")
            for condition in listed if isinstance(listed, list) and listed else [listed]:
                yield from (f"step {step.name}: {problem}" for problem in conditions.problems(condition))


def _property_file_problems(step: Step, steps: Mapping[str, Step]) -> Iterator[str]:
    for kind, rest in references(step.arguments):
        source, _, path = rest.partition(".")
        if kind == "Steps" and source in steps and path.startswith("PropertyFiles."):
            names = [str(item.get("PropertyFileName")) for item in steps[source].document.get("PropertyFiles") or []]
            if path.removeprefix("PropertyFiles.") not in names:
                yield f"step {step.name} refers to {path} of step {source}, which has {', '.join(names) or 'no property files'}"


def _output_problems(step: Step, steps: Mapping[str, Step]) -> Iterator[str]:
    for kind, rest in references(step.arguments):
        source, _, path = rest.partition(".")
        if kind == "Steps" and source in steps and steps[source].type == "Lambda":
            known = lambda_outputs.names(steps[source].document)
            if _segments(path) not in [["OutputParameters", name] for name in known]:
                yield f"step {step.name} refers to {path!r} of step {source}, which has OutputParameters {', '.join(known) or 'none'}"


def _segments(path: str) -> list[Segment]:
    try:
        return parse(path)
    except PathError:
        return []


def _refuse(found_problems: Iterable[str]) -> None:
    found = list(dict.fromkeys(found_problems))
    if found:
        raise DefinitionError(f"Unable to parse pipeline definition: {'; '.join(found)}.")


def _refuse_cycles(definition: Definition) -> None:
    try:
        graphlib.TopologicalSorter({step.name: set(step.triggers) for step in definition.steps.values()}).prepare()
    except graphlib.CycleError as error:
        raise DefinitionError(f"Unable to parse pipeline definition: steps wait for each other: {' -> '.join(error.args[1])}.") from error


def _refuse_unsupported(definition: Definition) -> None:
    for step in definition.steps.values():
        for kind, rest in references(step.arguments):
            if kind == "Execution" and rest in OTHER_EXECUTION_VARIABLES:
                raise UnsupportedStepError(f"The local account does not have Execution.{rest} (step {step.name}).")
        if step.type not in RUNNABLE_TYPES:
            known = "does not run" if step.type in OTHER_TYPES else "does not know"
            raise UnsupportedStepError(
                f"The local account {known} steps of type {step.type} (step {step.name}); it runs {', '.join(RUNNABLE_TYPES)}."
            )
