"""CloudWatch Logs: patterns that are understood, destinations that are there, events in order and in time.

Sources: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html, API_PutSubscriptionFilter.html.
Next: `monitoring/log_patterns.py`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from local_account.api.rules.rule import is_there, rule
from local_account.context import Context
from local_account.errors import NotEmulatedError, ServiceError
from local_account.monitoring import log_patterns

_INVALID = "InvalidParameterException"
_HOUR_MS = 3_600_000
_OLDEST_MS, _NEWEST_MS, _LONGEST_BATCH_MS = 14 * 24 * _HOUR_MS, 2 * _HOUR_MS, 24 * _HOUR_MS


#: What Logs does with a group's key: CloudWatch Logs user guide, "Encrypt log data in CloudWatch Logs using AWS KMS".
_KEY_USES = ("Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "DescribeKey")


@rule("logs", "CreateLogGroup", "AssociateKmsKey")
def _key(context: Context, request: Mapping[str, Any]) -> None:
    """The key's policy must let Logs use it for the group.

    Error: API reference, CreateLogGroup, for a key that is not there; github.com/hashicorp/terraform-provider-aws/issues/29282 for one
    that Logs may not use.
    """
    if not request.get("kmsKeyId"):
        return
    if not is_there(context.client("kms").describe_key, KeyId=request["kmsKeyId"]):
        raise ServiceError(_INVALID, f"The specified KMS Key Id could not be found. '{request['logGroupName']}'")
    group = context.arn("logs", f"log-group:{request['logGroupName']}")
    service = f"logs.{context.settings.region}.amazonaws.com"
    given = {"kms:encryptioncontext:aws:logs:arn": group}
    if not all(context.authorizer.lets_service(service, f"kms:{use}", str(request["kmsKeyId"]), given) for use in _KEY_USES):
        said = f"The specified KMS key does not exist or is not allowed to be used with Arn '{group}'"
        raise ServiceError("AccessDeniedException", said)


@rule("logs", "FilterLogEvents", "PutSubscriptionFilter")
def _pattern(context: Context, request: Mapping[str, Any]) -> None:
    try:
        log_patterns.parse(request.get("filterPattern") or "")
    except log_patterns.PatternError as error:
        raise NotEmulatedError("logs", f"a filterPattern with {error}") from error


@rule("logs", "PutSubscriptionFilter")
def _destination(context: Context, request: Mapping[str, Any]) -> None:
    arn = str(request.get("destinationArn", ""))
    if arn.split(":")[2:3] != ["lambda"]:
        raise NotEmulatedError("logs", f"PutSubscriptionFilter with destinationArn {arn}, which is no function")
    if not is_there(context.client("lambda").get_function_configuration, FunctionName=arn):
        raise ServiceError(
            _INVALID, "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function."
        )


@rule("logs", "PutLogEvents")
def _events(context: Context, request: Mapping[str, Any]) -> None:
    times = [int(event["timestamp"]) for event in request.get("logEvents") or []]
    if times != sorted(times):
        raise ServiceError(_INVALID, "Log events in a single PutLogEvents request must be in chronological order.")
    if times and times[-1] - times[0] > _LONGEST_BATCH_MS:
        raise ServiceError(_INVALID, "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    now = max(time.time(), context.clock.now().timestamp()) * 1000  # the account's clock may be ahead; its services write by either
    if times and (times[0] < time.time() * 1000 - _OLDEST_MS or times[-1] > now + _NEWEST_MS):
        raise NotEmulatedError(
            "logs", "PutLogEvents with events older than 14 days or more than 2 hours ahead, which AWS rejects one by one"
        )
