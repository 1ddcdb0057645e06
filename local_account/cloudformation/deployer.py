"""In whose name a stack's resources are made: the role that the operation or an earlier one gave, or whoever asked.

Source: CloudFormation user guide, "CloudFormation service role": once a stack has a role, every later operation uses it. MiniStack
works on a stack in a task of the request, which takes along what `deploying` has set. Used by the types of this package.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from typing import Any

from local_account.api.reading import Call
from local_account.authorization.credentials import Credentials
from local_account.context import Context

_CHANGES = ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ExecuteChangeSet", "RollbackStack", "ContinueUpdateRollback")
_deployer: contextvars.ContextVar[Credentials | None] = contextvars.ContextVar("deployer", default=None)


class StackRoles:
    """The roles of an account's stacks, by the name of the stack."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}


@contextlib.contextmanager
def deploying(context: Context, call: Call, caller: Credentials) -> Iterator[None]:
    """For a request that changes a stack: what it brings about is asked for by the stack's role, or by the caller.

    Raises ServiceError (AccessDenied) for a role that CloudFormation may not assume.
    """
    if call.service != "cloudformation" or call.operation not in _CHANGES:
        yield
        return
    token = _deployer.set(_credentials(context, call, caller))
    try:
        yield
    finally:
        _deployer.reset(token)


def _credentials(context: Context, call: Call, caller: Credentials) -> Credentials:
    name = _stack_name(call.parameters)
    roles = context.part(StackRoles, StackRoles).of
    given = call.parameters.get("RoleARN")
    if given:
        roles[name] = str(given)
    role_arn = roles.get(name)
    if not role_arn:
        return context.keyring.in_the_name_of(caller, "cloudformation.amazonaws.com")
    return context.keyring.assume(
        role_arn, "cloudformation.amazonaws.com", "AWSCloudFormation", context.arn("cloudformation", f"stack/{name}/*")
    )


def _stack_name(parameters: Mapping[str, Any]) -> str:
    named = str(parameters.get("StackName") or "")
    if not named and parameters.get("ChangeSetName"):
        from ministack.services.cloudformation import changesets

        _, found = changesets._find_change_set(str(parameters["ChangeSetName"]), "")
        named = str((found or {}).get("StackName") or "")
    return named.split(":stack/")[-1].split("/")[0]


def client(context: Context, service: str) -> Any:
    """A boto3 client of whoever deploys the stack at hand; the emulator's own where no request is behind it, as in a test of a type."""
    return context.client_with(_deployer.get() or context.keyring.internal, service)


def require(context: Context, service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """Raises ServiceError for what the deployer may not do. For types that MiniStack makes without a request."""
    context.authorizer.require_of(_deployer.get() or context.keyring.internal, service, operation, parameters)
