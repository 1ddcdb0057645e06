"""Are there stacks of an earlier deployment, and in a state from which a deployment can go on?"""

from __future__ import annotations

from collections.abc import Iterator

from preflight.assembly import Stack
from preflight.finding import Finding, failed, passed
from preflight.situation import Situation

_NEVER_MADE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")


def check_stacks(situation: Situation) -> Iterator[Finding]:
    there = []
    for stack in situation.stacks:
        if status := status_of(situation, stack):
            there.append(stack.name)
            if problem := _problem(stack, status):
                yield problem
    count = len(situation.stacks)
    yield passed("stacks", f"{len(there)} of {count} are deployed: {', '.join(there)}" if there else f"none of {count} is deployed yet")


def status_of(situation: Situation, stack: Stack) -> str | None:
    """None if there is no such stack, or a change set of it only."""
    answer = situation.account.find("cloudformation", "describe_stacks", StackName=stack.name)
    status = answer["Stacks"][0]["StackStatus"] if answer else None
    return None if status in (None, "DELETE_COMPLETE", "REVIEW_IN_PROGRESS") else str(status)


def resources_of(situation: Situation, stack: Stack) -> dict[str, str]:
    """Physical by logical id of what the deployed stack has; nothing without one."""
    if status_of(situation, stack) is None:
        return {}
    resources = situation.account.read_all("cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=stack.name)
    gone = ("DELETE_COMPLETE", "CREATE_FAILED")
    return {item["LogicalResourceId"]: str(item.get("PhysicalResourceId", "")) for item in resources if item["ResourceStatus"] not in gone}


def _problem(stack: Stack, status: str) -> Finding | None:
    """What stands in the way; CloudFormation's words on each status are in "Stack status codes" of its user guide."""
    found, delete = f"{stack.name} is {status}", f"aws cloudformation delete-stack --stack-name {stack.name}"
    if status.endswith("_IN_PROGRESS"):
        wait = "stack-delete-complete" if status == "DELETE_IN_PROGRESS" else "stack-update-complete"
        return failed("stacks", found, "wait until it is done", f"aws cloudformation wait {wait} --stack-name {stack.name}")
    if status == "DELETE_FAILED":
        return failed("stacks", found, "its events say what could not be deleted; then delete it again", delete)
    if status in _NEVER_MADE and stack.by_pipeline:  # `cdk deploy` deletes such a stack by itself, a pipeline does not
        return failed("stacks", found, "it was never made; delete it", delete)
    if status == "UPDATE_ROLLBACK_FAILED":
        command = f"aws cloudformation continue-update-rollback --stack-name {stack.name}"
        return failed("stacks", found, "its events say what could not be put back; mend that, then", command)
    return None
