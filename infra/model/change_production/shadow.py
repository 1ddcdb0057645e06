"""Lambda: puts a version into production's shadow, and takes it out again. What builds run is pushed code, which may not change production.

Input: `{"package": <ARN>}` puts one in, `{"package": ""}` takes it out (deploy_scripts/shadow.py). Whatever else wakes it, the end of a
deployment or the clock, takes out what no deployment compares any more: one that was stopped or rejected, or whose build died.
It changes parameters of the stack that is there and nothing else, neither template nor version.
Output: `{"changed": bool, "reason": text}`. Environment: see `Names`. Next: shadow_plan.py; production.py.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3

from . import production as serving
from .shadow_plan import Pipelines, Production, changes, why_not_in, why_not_out


@dataclass(frozen=True)
class Names(serving.Names):
    """`action`: of the deploy pipeline, which compares. `percent`: of the instances in production."""

    action: str
    percent: int

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Names:
        action, percent = variables["SHADOW_ACTION_NAME"], int(variables["SHADOW_PERCENT"])
        return cls(**cls.known(variables), action=action, percent=percent)


def handler(event: Mapping[str, Any], context: object) -> dict[str, object]:
    names = Names.of(os.environ)
    there = serving.clients(names.region, names.role, "cloudformation", "sagemaker", session="change-shadow")
    production, pipelines = look(names, there), _pipelines(names)
    package = event.get("package")
    if package:
        return _said(*_put_in(names, there, production, pipelines, str(package)))
    reason = why_not_out(production, pipelines, asked=package is not None)
    if not reason:
        serving.update(there["cloudformation"], names.stack, production.parameters or {}, changes())
    return _said(not reason, reason or f"version {production.shadow.rsplit('/', 1)[-1]} leaves the shadow")


def _put_in(names: Names, there: Mapping[str, Any], production: Production, pipelines: Pipelines, package: str) -> tuple[bool, str]:
    registry = boto3.client("sagemaker")
    live = serving.original(names.region, production.live) if production.live else ""
    known = Production(production.status, production.parameters, live, production.instances)
    said = serving.approval(registry, names.group, package), serving.approval(registry, names.group, live) if live else ""
    reason = why_not_in(known, pipelines, package, *said)
    if reason:
        return False, reason
    instances = math.ceil(production.instances * names.percent / 100)
    copied, number = serving.copy(names.group, names.region, package), package.rsplit("/", 1)[-1]
    changed = changes(package=copied, version=number, instances=instances)
    serving.update(there["cloudformation"], names.stack, production.parameters or {}, changed)
    return True, f"version {number} goes into the shadow on {instances} instances"


def look(names: Names, there: Mapping[str, Any]) -> Production:
    stack = serving.described(there["cloudformation"], names.stack)
    if stack is None:
        return Production()
    endpoint = serving.unless_gone(there["sagemaker"].describe_endpoint, EndpointName=names.endpoint)
    variants = (endpoint or {}).get("ProductionVariants") or [{}]
    count = int(variants[0].get("DesiredInstanceCount", 0))
    return Production(stack["StackStatus"], serving.parameters_of(stack), serving.deployed(stack), count)


def _pipelines(names: Names) -> Pipelines:
    client = boto3.client("codepipeline")
    stages = client.get_pipeline_state(name=names.deploy_pipeline)["stageStates"]
    in_production = [stage.get("latestExecution", {}) for stage in stages if stage["stageName"] == names.release]
    actions = [action for stage in stages for action in stage.get("actionStates", []) if action["actionName"] == names.action]
    compares = any(action.get("latestExecution", {}).get("status") == "InProgress" for action in actions)
    returns = client.list_pipeline_executions(pipelineName=names.return_pipeline)["pipelineExecutionSummaries"]
    deploys = any(serving.is_on(execution) for execution in [*in_production, *returns])
    return Pipelines(compares, deploys)


def _said(changed: bool, reason: str) -> dict[str, object]:
    print(f"{'changed' if changed else 'nothing changed'}: {reason}")
    return {"changed": changed, "reason": reason}
