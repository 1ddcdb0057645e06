"""Gives every Lambda function the credentials of its execution role, and has its failures delivered in that role's name.

MiniStack runs the functions; without this they would run as the account's root. Source: Lambda developer guide, "Defining Lambda
function permissions with an execution role", and "Adding a dead-letter queue" (the role needs the queue's permission).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from local_account import hooks
from local_account.context import Context
from local_account.errors import ServiceError
from local_account.roles import Role

_log = logging.getLogger(__name__)


def install(context: Context) -> None:
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    lambda_runtime.execution_credentials = lambda config: _credentials(_of_function(context, config), config)
    lambda_svc._route_async_failure = hooks.around(lambda_svc._route_async_failure, functools.partial(_in_the_roles_name, context))


def _of_function(context: Context, config: Mapping[str, Any]) -> Context:
    """The account and region that a function is in."""
    _, _, _, region, account_id, _ = str(config["FunctionArn"]).split(":", 5)
    return context.places.at(account_id, region)


def role_of(context: Context, config: Mapping[str, Any]) -> Role:
    """A function's execution role; `config` as GetFunctionConfiguration answers it."""
    return Role(context, str(config.get("Role", "")), "lambda.amazonaws.com", str(config["FunctionName"]), str(config["FunctionArn"]))


def _credentials(context: Context, config: Mapping[str, Any]) -> dict[str, str]:
    credentials = role_of(context, config).credentials
    return {"AWS_SESSION_TOKEN": "", **credentials.environment}


def _in_the_roles_name(context: Context, original: Callable[..., None], target_arn: str, function_name: str, *event: Any) -> None:
    from ministack.services import lambda_svc

    config = lambda_svc._functions.get(function_name, {}).get("config", {})
    service = target_arn.split(":")[2] if target_arn.count(":") >= 5 else ""
    operation, member = _DELIVERIES.get(service, ("", ""))
    try:
        if operation:
            role_of(context.here, config).require(service, operation, {member: target_arn})
        original(target_arn, function_name, *event)
    except ServiceError as error:
        _log.error("%s could not deliver a failed event to %s: %s", function_name, target_arn, error.message)


_DELIVERIES = {"sqs": ("SendMessage", "QueueName"), "sns": ("Publish", "TopicArn"), "lambda": ("Invoke", "FunctionName")}
