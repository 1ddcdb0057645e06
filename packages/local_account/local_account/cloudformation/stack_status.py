"""Which operations the status of a stack allows, as in AWS. MiniStack asks only some of them.

Without this a change set on a stack in DELETE_FAILED finds "no changes", and `cdk deploy` reports success over resources that are gone.
Statuses: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html (what each allows). The messages are AWS's,
so that they can be searched for. Used by `__init__.py`, which puts the rules before MiniStack's handlers (`operations.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local_account.cloudformation.operations import Answer, Params, Rule, change_set_of, error, is_true, stack_of, text

_UPDATABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"})
#: What a failure leaves when rollback is disabled: to be tried again, or rolled back.
_PAUSED = frozenset({"CREATE_FAILED", "UPDATE_FAILED"})


def _create_stack(params: Params) -> Answer | None:
    """A name is taken until its stack is deleted, whatever became of it."""
    stack = stack_of(params)
    return error("AlreadyExistsException", f"Stack [{stack['StackName']}] already exists") if stack else None


def _update_stack(params: Params) -> Answer | None:
    stack = stack_of(params)
    if stack is None or stack["StackStatus"] not in _PAUSED:
        return _not_updatable(stack)
    if not is_true(params, "DisableRollback"):
        return _paused(stack)
    return error("ValidationError", f"The local account updates a stack in {stack['StackStatus']} by a change set only.")


def _create_change_set(params: Params) -> Answer | None:
    stack = stack_of(params)
    if stack is None or text(params, "ChangeSetType") != "CREATE":
        return _not_updatable(stack)
    if stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    name = text(params, "ChangeSetName")
    return error("ValidationError", f"Stack [{stack['StackName']}] already exists and cannot be created again with the changeSet [{name}].")


def _execute_change_set(params: Params) -> Answer | None:
    change_set = change_set_of(params)
    if change_set is None:
        return None  # MiniStack says that there is none
    where = f"ChangeSet [{change_set['ChangeSetId']}] cannot be executed in its current"
    if change_set["Status"] != "CREATE_COMPLETE":
        return error("InvalidChangeSetStatus", f"{where} status of [{change_set['Status']}]")
    if change_set["ExecutionStatus"] != "AVAILABLE":
        return error("InvalidChangeSetStatus", f"{where} execution status of [{change_set['ExecutionStatus']}]")
    stack = stack_of({"StackName": change_set["StackId"]})
    if stack and stack["StackStatus"] in _PAUSED and not is_true(params, "DisableRollback"):
        return _paused(stack)
    return None if stack and stack["StackStatus"] == "REVIEW_IN_PROGRESS" else _not_updatable(stack)


def _delete_stack(params: Params) -> Answer | None:
    from ministack.services.cloudformation.helpers import _xml

    stack = stack_of(params)
    status = stack["StackStatus"] if stack else ""
    if stack is None or not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
        return None
    if status == "DELETE_IN_PROGRESS":  # a second deletion at a time would find resources gone
        begun: Answer = _xml(200, "DeleteStackResponse", "")
        return begun
    if status == "CREATE_IN_PROGRESS":  # AWS breaks the creation off
        return error(
            "ValidationError", f"The local account deletes stack [{stack['StackName']}] once its creation has ended; it is {status}."
        )
    return error("ValidationError", f"Stack [{stack['StackId']}] cannot be deleted while in status {status}")


def _of_one_stack(params: Params) -> Answer | None:
    """API reference, ExecuteChangeSet: "if you specified the name of a change set, specify the stack name (or ID) that's associated"."""
    named, stack = text(params, "ChangeSetName"), text(params, "StackName")
    if not named.startswith("arn:"):
        return None if stack else error("ValidationError", "StackName must be specified if ChangeSetName is not specified as an ARN.")
    found = change_set_of({"ChangeSetName": named})
    if found and stack and stack not in (found["StackName"], found["StackId"]):
        return error("ChangeSetNotFound", f"ChangeSet [{named}] does not exist")
    return None  # MiniStack says that there is none


RULES: Sequence[tuple[str, Rule]] = (
    *((operation, _of_one_stack) for operation in ("DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet")),
    ("CreateStack", _create_stack),
    ("UpdateStack", _update_stack),
    ("CreateChangeSet", _create_change_set),
    ("ExecuteChangeSet", _execute_change_set),
    ("DeleteStack", _delete_stack),
)


def _not_updatable(stack: Mapping[str, Any] | None) -> Answer | None:
    if stack is None or stack["StackStatus"] in _UPDATABLE | _PAUSED:
        return None
    return error("ValidationError", f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be updated.")


def _paused(stack: Mapping[str, Any]) -> Answer:
    """https://github.com/aws/aws-cli/issues/6368 quotes it."""
    return error(
        "ValidationError",
        f"This stack is currently in a non-terminal [{stack['StackStatus']}] state. To update the stack from this state, please use the "
        "disable-rollback parameter with update-stack API. To rollback to the last known good state, use the rollback-stack API",
    )
