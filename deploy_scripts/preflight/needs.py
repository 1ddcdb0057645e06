"""How many instances of which type the settings can reach at once, by what they are used for.

Endpoints: an update runs two fleets, the old one and the new ("Blue/Green Deployments" of the SageMaker guide), each up to the highest
capacity of any schedule; updates of two endpoints may overlap. Jobs: from the pipelines' definitions, the most that one run does at once.
Next: `quotas.py` compares with what the account has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from settings import Environment

_STEP = re.compile(r"Steps\.([A-Za-z0-9-]+)")
FLEETS = 2


class Use(Enum):
    """What an instance is used for. Names of quotas as Service Quotas lists them; `component` as the Price List names it."""

    ENDPOINT = ("endpoint", "endpoint usage", "Number of instances across active endpoints", "Hosting", "ProductionVariantInstanceType")
    TRAINING = ("training", "training job usage", "Number of instances across all training jobs", "Training", "TrainingInstanceType")
    PROCESSING = (
        "processing",
        "processing job usage",
        "Number of instances across all processing jobs",
        "Processing",
        "ProcessingInstanceType",
    )
    TRANSFORM = (
        "transform",
        "transform job usage",
        "Number of instances across all transform jobs",
        "BatchTransform",
        "TransformInstanceType",
    )

    def __init__(self, label: str, quota_suffix: str, total_quota: str, component: str, shape: str) -> None:
        self.label, self.quota_suffix, self.total_quota, self.component, self.shape = label, quota_suffix, total_quota, component, shape

    def quota(self, instance_type: str) -> str:
        """Such as `ml.m5.large for endpoint usage`."""
        return f"{instance_type} for {self.quota_suffix}"


@dataclass(frozen=True, slots=True)
class Need:
    use: Use
    instance_type: str
    count: int
    why: str


def capacity_range(environment: Environment) -> tuple[int, int]:
    """Instances of an endpoint when it idles, and at the most, over all its schedules."""
    scaling = environment.autoscaling
    if scaling is None:
        return environment.initial_instance_count, environment.initial_instance_count
    lowest = [scaling.min_capacity, *(item.min_capacity for item in scaling.schedules)]
    highest = [scaling.max_capacity, *(item.max_capacity for item in scaling.schedules)]
    return min(lowest), max(highest)


def endpoint_needs(environments: Sequence[Environment]) -> list[Need]:
    """One for each instance type, over all endpoints: the quota is the type's."""
    needs = []
    for instance_type in dict.fromkeys(environment.instance_type for environment in environments):
        fleets = {item.name: capacity_range(item)[1] for item in environments if item.instance_type == instance_type}
        why = ", ".join(f"{name} {FLEETS} × {most}" for name, most in fleets.items())
        needs.append(Need(Use.ENDPOINT, instance_type, FLEETS * sum(fleets.values()), f"both fleets of an update: {why}"))
    return needs


# ------------------------------------------------------------------------------------------ jobs


@dataclass(frozen=True, slots=True)
class _Job:
    step: str
    use: Use
    instance_type: str
    count: int


def job_needs(definition: Mapping[str, Any]) -> list[Need]:
    """The most instances that one run of a pipeline has at once, by use and type. Input: its definition (JSON schema 2020-12-01)."""
    defaults = {item["Name"]: item.get("DefaultValue") for item in definition.get("Parameters", [])}
    steps = dict(_flat(definition["Steps"], ()))
    before = {name: _all_before(name, {step: waits for step, (_, waits) in steps.items()}) for name in steps}
    jobs = [job for name, (step, _) in steps.items() if (job := _job(name, step, defaults))]
    needs = []
    for use, instance_type in dict.fromkeys((job.use, job.instance_type) for job in jobs):
        together = _most_at_once([job for job in jobs if (job.use, job.instance_type) == (use, instance_type)], before)
        why = " + ".join(f"{job.step} {job.count}" for job in together) + (" at once" if len(together) > 1 else " at a time")
        needs.append(Need(use, instance_type, sum(job.count for job in together), why))
    return needs


def merged(needs: Sequence[Need]) -> list[Need]:
    """One for each use and type: the most that any pipeline asks for. Two pipelines share a type only if a team made it so."""
    most: dict[tuple[Use, str], Need] = {}
    for need in needs:
        key = (need.use, need.instance_type)
        if key not in most or need.count > most[key].count:
            most[key] = need
    return list(most.values())


def _flat(steps: Sequence[Mapping[str, Any]], after: Collection[str]) -> Iterator[tuple[str, tuple[Mapping[str, Any], set[str]]]]:
    """Every step, those inside conditions too, and the steps that it names or waits for."""
    for step in steps:
        arguments = dict(step.get("Arguments") or {})
        branches = [*arguments.pop("IfSteps", []), *arguments.pop("ElseSteps", [])]
        named = {*after, *step.get("DependsOn", []), *_STEP.findall(json.dumps(arguments))}
        yield step["Name"], (step, named)
        yield from _flat(branches, {step["Name"]})


def _all_before(name: str, waits: Mapping[str, Collection[str]]) -> set[str]:
    found: set[str] = set()
    open_names = [*waits.get(name, ())]
    while open_names:
        step = open_names.pop()
        if step not in found:
            found.add(step)
            open_names += waits.get(step, ())
    return found


def _job(name: str, step: Mapping[str, Any], defaults: Mapping[str, Any]) -> _Job | None:
    """None for a step without instances."""
    arguments, parallel = step.get("Arguments") or {}, 1
    if step["Type"] == "Tuning":
        parallel = _value(arguments["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"], defaults)
        arguments = arguments["TrainingJobDefinition"]
    places = {
        "Tuning": (Use.TRAINING, arguments.get("ResourceConfig")),
        "Training": (Use.TRAINING, arguments.get("ResourceConfig")),
        "Processing": (Use.PROCESSING, (arguments.get("ProcessingResources") or {}).get("ClusterConfig")),
        "Transform": (Use.TRANSFORM, arguments.get("TransformResources")),
    }
    use, resources = places.get(step["Type"], (Use.TRAINING, None))
    if not resources:
        return None
    return _Job(name, use, str(_value(resources["InstanceType"], defaults)), parallel * int(_value(resources["InstanceCount"], defaults)))


def _value(value: Any, defaults: Mapping[str, Any]) -> Any:
    """A number or text of a definition; a parameter stands for its default."""
    return defaults[value["Get"].removeprefix("Parameters.")] if isinstance(value, Mapping) else value


def _most_at_once(jobs: Sequence[_Job], before: Mapping[str, set[str]]) -> list[_Job]:
    """The jobs with the most instances of which none waits for another. Tries all: a pipeline has some ten of them."""
    if not jobs:
        return []
    first, *rest = jobs
    free = [job for job in rest if first.step not in before[job.step] and job.step not in before[first.step]]
    with_first, without = [first, *_most_at_once(free, before)], _most_at_once(rest, before)
    return max(with_first, without, key=lambda chosen: sum(job.count for job in chosen))
