"""In whose name a stack's resources are made: the role that the operation or an earlier one gave, or whoever asked.

Source: CloudFormation user guide, "CloudFormation service role": once a stack has a role, every later operation uses it; and API
reference, CreateChangeSet, RoleARN: a change set's role is the stack's from its execution on. It is kept in MiniStack's record of either,
once CloudFormation has taken the operation. MiniStack works on a stack in a task of the request, which takes along what `deploying` has
set. Used by the types of this package.
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
from local_account.cloudformation.operations import Afterwards, change_set_of, stack_of
from local_account.context import Context
from local_account.errors import ServiceError

CHANGES = ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ExecuteChangeSet", "RollbackStack", "ContinueUpdateRollback")


@dataclass(frozen=True)
class Deployment:
    """One operation on a stack. `role_arn` is empty where whoever asked deploys."""

    stack_name: str
    role_arn: str
    credentials: Credentials


_deployment: contextvars.ContextVar[Deployment | None] = contextvars.ContextVar("deployment", default=None)


@contextlib.contextmanager
def deploying(context: Context, call: Call, caller: Credentials) -> Iterator[None]:
    """For a request that changes a stack: what it brings about is asked for by the stack's role, or by the caller.

    Raises ServiceError (AccessDenied) for a role that CloudFormation may not assume, and for a template that the caller may not read.
    """
    if call.service == "cloudformation" and call.parameters.get("TemplateURL"):
        _require_template(context, str(call.parameters["TemplateURL"]), caller)
    if call.service != "cloudformation" or call.operation not in CHANGES:
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
    change_set = (change_set_of(call.parameters) if call.operation == "ExecuteChangeSet" else None) or {}
    named = str(change_set.get("StackName") or call.parameters.get("StackName") or "")
    name = named.split(":stack/")[-1].split("/")[0]
    stack = (None if call.operation == "CreateStack" else stack_of({"StackName": named})) or {}
    role_arn = str(call.parameters.get("RoleARN") or change_set.get("_local_role") or stack.get("_local_role") or "")
    if not role_arn:
        return Deployment(name, "", context.keyring.in_the_name_of(caller, "cloudformation.amazonaws.com"))
    service, source_arn = "cloudformation.amazonaws.com", context.arn("cloudformation", f"stack/{name}/*")
    return Deployment(name, role_arn, context.keyring.assume(role_arn, service, "AWSCloudFormation", source_arn))


def afterwards() -> Iterator[tuple[str, Afterwards]]:
    """What is kept of each operation that CloudFormation has taken."""

    def keep(record: dict[str, Any] | None) -> None:
        deployment = _deployment.get()
        if deployment and deployment.role_arn and record:
            record["_local_role"] = deployment.role_arn

    for operation in CHANGES:
        yield operation, (lambda params: keep(change_set_of(params))) if operation == "CreateChangeSet" else (lambda params: keep(_stack()))


def _stack() -> dict[str, Any] | None:
    """The one that is deployed."""
    deployment = _deployment.get()
    return stack_of({"StackName": deployment.stack_name}) if deployment else None


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
