"""In whose name a stack's resources are made: the role that the operation or an earlier one gave, or whoever asked.

Source: CloudFormation user guide, "CloudFormation service role": once a stack has a role, every later operation uses it; and API
reference, CreateChangeSet, RoleARN: a change set's role is the stack's from its execution on. Roles are kept by the ids of stacks, which
no later stack has, once CloudFormation has taken the operation. MiniStack works on a stack in a task of the request, which takes along
what `deploying` has set. Used by the types of this package.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from local_account.api.reading import Call
from local_account.authorization.credentials import Credentials
from local_account.cloudformation.operations import Afterwards, Params, text
from local_account.context import Context
from local_account.errors import ServiceError

_CHANGES = ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ExecuteChangeSet", "RollbackStack", "ContinueUpdateRollback")


@dataclass(frozen=True)
class Deployment:
    """One operation on a stack. `role_arn` is empty where whoever asked deploys."""

    stack_name: str
    role_arn: str
    credentials: Credentials


_deployment: contextvars.ContextVar[Deployment | None] = contextvars.ContextVar("deployment", default=None)


class StackRoles:
    """The roles of an account's stacks, and of its change sets, by their ids."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def of(self, record: Mapping[str, Any] | None, id_member: str) -> str:
        """The role of a stack or change set as MiniStack keeps it; empty for one that has none or is not there."""
        return self._of.get(record[id_member], "") if record else ""

    def keep(self, identifier: str, role_arn: str) -> None:
        from ministack.services.cloudformation import _change_sets, _stacks

        alive = {stack["StackId"] for stack in _stacks.values() if stack["StackStatus"] != "DELETE_COMPLETE"} | {*_change_sets.keys()}
        self._of = {known: role for known, role in self._of.items() if known in alive}
        if role_arn:
            self._of[identifier] = role_arn


def _roles(context: Context) -> StackRoles:
    return context.part(StackRoles, StackRoles)


@contextlib.contextmanager
def deploying(context: Context, call: Call, caller: Credentials) -> Iterator[None]:
    """For a request that changes a stack: what it brings about is asked for by the stack's role, or by the caller.

    Raises ServiceError (AccessDenied) for a role that CloudFormation may not assume, and for a template that the caller may not read.
    """
    if call.service == "cloudformation" and call.parameters.get("TemplateURL"):
        _require_template(context, str(call.parameters["TemplateURL"]), caller)
    if call.service != "cloudformation" or call.operation not in _CHANGES:
        yield
        return
    token = _deployment.set(context.keyring.here(lambda: _begin(context, call, caller)))
    try:
        yield
    finally:
        _deployment.reset(token)


def _require_template(context: Context, url: str, caller: Credentials) -> None:
    """CloudFormation fetches a template in S3 as the caller: API reference, CreateStack, TemplateURL. The path begins with the bucket."""
    bucket, _, key = unquote(urlsplit(url).path).lstrip("/").partition("/")
    try:
        context.authorizer.require_of(caller, "s3", "GetObject", {"Bucket": bucket, "Key": key})
    except ServiceError as error:
        raise ServiceError("ValidationError", f"S3 error: Access Denied ({error.message})") from error


def _begin(context: Context, call: Call, caller: Credentials) -> Deployment:
    change_set = _change_set(call.parameters) if call.operation == "ExecuteChangeSet" else None
    named = str((change_set or {}).get("StackName") or call.parameters.get("StackName") or "")
    name, roles = named.split(":stack/")[-1].split("/")[0], _roles(context)
    stack = None if call.operation == "CreateStack" else _stack(named)
    role_arn = str(call.parameters.get("RoleARN") or roles.of(change_set, "ChangeSetId") or roles.of(stack, "StackId"))
    if not role_arn:
        return Deployment(name, "", context.keyring.in_the_name_of(caller, "cloudformation.amazonaws.com"))
    service, source_arn = "cloudformation.amazonaws.com", context.arn("cloudformation", f"stack/{name}/*")
    return Deployment(name, role_arn, context.keyring.assume(role_arn, service, "AWSCloudFormation", source_arn))


def _stack(name: str) -> Mapping[str, Any] | None:
    from ministack.services.cloudformation.handlers import _resolve_stack

    stack: Mapping[str, Any] | None = _resolve_stack(name) if name else None
    return stack if stack and stack["StackStatus"] != "DELETE_COMPLETE" else None


def _change_set(parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
    from ministack.services.cloudformation.changesets import _find_change_set

    stack = _stack(str(parameters.get("StackName") or "")) or {}
    found: Mapping[str, Any] | None = _find_change_set(str(parameters.get("ChangeSetName") or ""), stack.get("StackName", ""))[1]
    return found


def afterwards(context: Context) -> Iterator[tuple[str, Afterwards]]:
    """What is kept of each operation that CloudFormation has taken."""

    def of_stack(params: Params) -> None:
        deployment = _deployment.get()
        stack = _stack(deployment.stack_name) if deployment else None
        if deployment and stack:
            _roles(context.here).keep(stack["StackId"], deployment.role_arn)

    def of_change_set(params: Params) -> None:
        deployment = _deployment.get()
        change_set = _change_set({name: text(params, name) for name in ("StackName", "ChangeSetName")})
        if deployment and change_set:
            _roles(context.here).keep(change_set["ChangeSetId"], deployment.role_arn)

    for operation in _CHANGES:
        yield operation, of_change_set if operation == "CreateChangeSet" else of_stack


def client(context: Context, service: str) -> Any:
    """A boto3 client of whoever deploys the stack at hand; the emulator's own where no request is behind it, as in a test of a type."""
    here = context.here
    return here.client_with(_credentials(here), service)


def require(context: Context, service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """Raises ServiceError for what the deployer may not do. For types that MiniStack makes without a request."""
    require_at(context.here, service, operation, parameters)


def require_at(place: Context, service: str, operation: str, parameters: Mapping[str, Any]) -> None:
    """The same in another region of the account."""
    place.authorizer.require_of(_credentials(place), service, operation, parameters)


def _credentials(context: Context) -> Credentials:
    deployment = _deployment.get()
    return deployment.credentials if deployment else context.keyring.internal
