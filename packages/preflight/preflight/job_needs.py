"""The most instances that one run of a pipeline has at once, from its definition: what starts together, each with its parallel trials.

Input: the definition (JSON schema 2020-12-01). Output: `Need`s, one for each use and type. Next: `quotas.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from preflight.needs import Need, Use

_STEP = re.compile(r"Steps\.([A-Za-z0-9-]+)")


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
    training = Use.SPOT_TRAINING if arguments.get("EnableManagedSpotTraining") else Use.TRAINING  # each has quotas of its own
    places = {
        "Tuning": (training, arguments.get("ResourceConfig")),
        "Training": (training, arguments.get("ResourceConfig")),
        "Processing": (Use.PROCESSING, (arguments.get("ProcessingResources") or {}).get("ClusterConfig")),
        "Transform": (Use.TRANSFORM, arguments.get("TransformResources")),
    }
    use, resources = places.get(step["Type"], (training, None))
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
