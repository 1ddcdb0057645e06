"""Are there stacks of an earlier deployment, and in a state from which a deployment can go on? What the states mean: obstacle.py."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from preflight import obstacle
from preflight.assembly import Stack
from preflight.finding import Finding, failed, passed
from preflight.situation import Situation

_REPLACES = "REPLACE_ON_FAILURE"


def check_stacks(situation: Situation) -> Iterator[Finding]:
    there = []
    for stack in situation.stacks:
        if described := _described(situation, stack):
            there.append(stack.name)
            if problem := obstacle.of_stack(described, _replaced(situation, stack)) or obstacle.in_progress(described):
                yield failed("stacks", problem.found, problem.advice, problem.command)
    count = len(situation.stacks)
    yield passed("stacks", f"{len(there)} of {count} are deployed: {', '.join(there)}" if there else f"none of {count} is deployed yet")


def status_of(situation: Situation, stack: Stack) -> str | None:
    """None if there is no such stack, or a change set of it only."""
    described = _described(situation, stack)
    return str(described["StackStatus"]) if described else None


def _described(situation: Situation, stack: Stack) -> Mapping[str, Any] | None:
    answer = situation.account.find("cloudformation", "describe_stacks", StackName=stack.name)
    described: Mapping[str, Any] | None = answer["Stacks"][0] if answer else None
    return None if described is None or described["StackStatus"] in obstacle.NOT_THERE else described


def _replaced(situation: Situation, stack: Stack) -> Collection[str]:
    """The statuses in which whoever deploys the stack deletes it first: `cdk deploy`, or a CodePipeline whose action says so."""
    if not stack.by_pipeline:
        return obstacle.REPLACED_BY_CDK
    pipelines = [properties for item in situation.everywhere for properties in item.resources("AWS::CodePipeline::Pipeline").values()]
    actions = [action for pipeline in pipelines for stage in pipeline.get("Stages", []) for action in stage.get("Actions", [])]
    given = [action.get("Configuration", {}) for action in actions]
    replaces = any(item.get("StackName") == stack.name and item.get("ActionMode") == _REPLACES for item in given)
    return obstacle.REPLACED_ON_FAILURE if replaces else ()


def resources_of(situation: Situation, stack: Stack) -> dict[str, str]:
    """Physical by logical id of what the deployed stack has; nothing without one."""
    if status_of(situation, stack) is None:
        return {}
    resources = situation.account.read_all("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=stack.name)
    gone = ("DELETE_COMPLETE", "CREATE_FAILED")
    return {item["LogicalResourceId"]: str(item.get("PhysicalResourceId", "")) for item in resources if item["ResourceStatus"] not in gone}
