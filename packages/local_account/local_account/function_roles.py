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
from local_account.authorization.evaluation import decide
from local_account.authorization.requests import Check
from local_account.context import Context
from local_account.errors import ServiceError
from local_account.roles import Role

_log = logging.getLogger(__name__)


def install(context: Context) -> None:
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    lambda_runtime.execution_credentials = lambda config: _credentials(_of_function(context, config), config)
    lambda_svc._route_async_failure = hooks.around(lambda_svc._route_async_failure, functools.partial(_in_the_roles_name, context))
    lambda_svc._emit_lambda_logs = hooks.around(lambda_svc._emit_lambda_logs, functools.partial(_into_a_group_that_may_be, context))


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


def _into_a_group_that_may_be(
    context: Context, original: Callable[..., None], function: Mapping[str, Any], *told: Any, **options: Any
) -> None:
    """Lambda makes a log group as the function's role, which may not be allowed to: one that went with its stack stays away.

    Source: Lambda developer guide, "Configuring CloudWatch log groups". It is not recorded as a refusal: Lambda goes on without a log.
    """
    from ministack.services import cloudwatch_logs

    config = function.get("config") or function
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
    if group in cloudwatch_logs._log_groups or _may_make(_of_function(context, config), config, group):
        original(function, *told, **options)


def _may_make(place: Context, config: Mapping[str, Any], group: str) -> bool:
    try:
        credentials = role_of(place, config).credentials
        principal = place.keyring.here(lambda: place.keyring.principal_of(credentials.access_key, credentials.token))
    except ServiceError:  # the role is gone, too
        return False
    check = Check("logs:CreateLogGroup", place.arn("logs", f"log-group:{group}"))
    return place.keyring.here(lambda: decide(principal, check, place.settings.region)).allowed


_DELIVERIES = {"sqs": ("SendMessage", "QueueName"), "sns": ("Publish", "TopicArn"), "lambda": ("Invoke", "FunctionName")}
