"""What stands in the way of changing a stack or the endpoint in it, and the one command that mends it: all that is known of their states.

In: the answers of DescribeStacks and DescribeEndpoint. Out: an `Obstacle`, or None where a deployment can go on. Asks nothing itself.
Sources: "Stack status codes" of the CloudFormation user guide (what each status allows); "Replace a failed stack" of its configuration
properties reference for CodePipeline; EndpointStatus of SageMaker's DescribeEndpoint. Next: stack_states.py, and whoever deploys.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

#: Stacks that a deployer deletes by itself before it makes them anew.
REPLACED_BY_CDK = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
REPLACED_ON_FAILURE = (*REPLACED_BY_CDK, "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")
_UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE")
#: Of a stack that was deleted, and of one of which only a change set was made.
NOT_THERE = ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS")
_BUSY = "_IN_PROGRESS"
#: Blue/green updates end after at most 8 hours, this project's after 2 (MaximumExecutionTimeoutInSeconds), scaling after minutes.
STUCK_AFTER = timedelta(hours=3)
_CHANGING = ("Creating", "Updating", "RollingBack")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """`found`: what is in which state, `advice`: what that means and what to do, `command`: how. As a text: one line."""

    found: str
    advice: str
    command: str

    def __str__(self) -> str:
        return f"{self.found}; {self.advice}: `{self.command}`"


def of_stack(stack: Mapping[str, Any] | None, replaced: Collection[str] = ()) -> Obstacle | None:
    """None also while a change is in progress, which passes by itself (`in_progress`).

    `replaced`: the statuses in which the deployer deletes a stack by itself, which it cannot while the stack is protected.
    """
    status = _status(stack)
    if stack is None or status in ("", *_UPDATABLE) or status.endswith(_BUSY):
        return None
    if status in replaced and not stack.get("EnableTerminationProtection"):
        return None
    return Obstacle(_found(stack), *_mended(stack, status))


def in_progress(stack: Mapping[str, Any] | None) -> Obstacle | None:
    """A change that ends by itself."""
    status = _status(stack)
    if stack is None or not status.endswith(_BUSY):
        return None
    wait = "stack-delete-complete" if status == "DELETE_IN_PROGRESS" else "stack-update-complete"
    return Obstacle(_found(stack), "wait until it is done", _cli(stack, f"wait {wait}"))


def of_endpoint(endpoint: Mapping[str, Any] | None, stack: Mapping[str, Any] | None, now: datetime) -> Obstacle | None:
    """`stack`: the one that the endpoint is of, None if there is none. An endpoint that is changing is one only after STUCK_AFTER.

    With `InferenceComponentName` that is what the rest is of, and `EndpointName` what it shares with others.
    """
    if endpoint is None:
        return None
    kind = "inference component" if endpoint.get("InferenceComponentName") else "endpoint"
    name, status = endpoint.get("InferenceComponentName") or endpoint["EndpointName"], endpoint["EndpointStatus"]
    there, called = stack if _status(stack) else None, kind.replace(" ", "-")
    if status == "Failed":
        found = f"{kind} {name} is Failed: {endpoint.get('FailureReason') or 'no reason given'}"
        gone = deletion(there) if there else f"aws sagemaker delete-{called} --{called}-name {name}"
        return Obstacle(found, "it serves nothing and can only be deleted, its stack with it; then deploy again", gone)
    since = (endpoint.get("PendingDeploymentSummary") or {}).get("StartTime") or endpoint.get("LastModifiedTime")
    if status not in _CHANGING or since is None or now - since < STUCK_AFTER:
        return None
    found = f"{kind} {name} is {status} since {since:%Y-%m-%d %H:%M}, longer than any update takes"
    if there and there["StackStatus"] == "UPDATE_IN_PROGRESS":
        return Obstacle(found, "its stack is taken back to what it was by", _cli(there, "cancel-update-stack"))
    return Obstacle(found, "what it waits for is in", f"aws sagemaker describe-{called} --{called}-name {name}")


def _mended(stack: Mapping[str, Any], status: str) -> tuple[str, str]:
    """Advice and command."""
    if status in REPLACED_BY_CDK:
        return "it was never made, and nothing of it serves; delete it, then deploy again", deletion(stack)
    if status == "DELETE_FAILED":
        return "its events say what could not be deleted; mend that, then delete it again", deletion(stack)
    if status == "UPDATE_ROLLBACK_FAILED":
        return "its events say what could not be put back; mend that, then", _cli(stack, "continue-update-rollback")
    if status == "UPDATE_FAILED":
        return "its last update failed and was told to stay so; take it back", _cli(stack, "rollback-stack")
    return "no deployment goes on from there; its events say why", _cli(stack, "describe-stack-events")


def deletion(stack: Mapping[str, Any]) -> str:
    """The command that deletes it, also where it is protected."""
    lifted = f"{_cli(stack, 'update-termination-protection', '--no-enable-termination-protection')} && "
    return f"{lifted if stack.get('EnableTerminationProtection') else ''}{_cli(stack, 'delete-stack')}"


def _cli(stack: Mapping[str, Any], verb: str, *options: str) -> str:
    """With the region, where the stack's id says it: who reads it may have set another one."""
    region = _place(stack)[0]
    where = ("--region", region) if region else ()
    return " ".join(("aws cloudformation", verb, *options, "--stack-name", stack["StackName"], *where))


def _found(stack: Mapping[str, Any]) -> str:
    region, account = _place(stack)
    where = f" ({account}, {region})" if region else ""
    reason = f": {stack['StackStatusReason'].strip()}" if stack.get("StackStatusReason") else ""
    return f"{stack['StackName']}{where} is {stack['StackStatus']}{reason}"


def _place(stack: Mapping[str, Any]) -> tuple[str, str]:
    """Region and account; empty for a description without an id. `arn:aws:cloudformation:<region>:<account>:stack/<name>/<id>`."""
    parts = [*str(stack.get("StackId", "")).split(":"), *[""] * 5]
    return parts[3], parts[4]


def _status(stack: Mapping[str, Any] | None) -> str:
    """Empty where there is no stack, or a change set of it only."""
    status = str(stack["StackStatus"]) if stack else ""
    return "" if status in NOT_THERE else status
