"""SQS: names, attributes and ranges of queues and messages.

Sources: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html, API_SendMessage.html,
API_ReceiveMessage.html and API_ChangeMessageVisibility.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from local_account.api.rules.policy_documents import require_resource_policy
from local_account.api.rules.rule import json_of, rule
from local_account.context import Context
from local_account.errors import ServiceError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")
_HALF_DAY = 43_200
#: Bytes of a queue's policy: SQS developer guide, "Quotas related to policies".
LONGEST_POLICY = 8_192
#: Attribute -> a range of whole numbers, the words that are taken, "json" for a document, None for any text.
_ATTRIBUTES: Mapping[str, Any] = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, _HALF_DAY),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
    "Policy": "json",
    "RedrivePolicy": "json",
    "RedriveAllowPolicy": "json",
    "KmsMasterKeyId": None,
    "FifoQueue": {"true", "false"},
    "ContentBasedDeduplication": {"true", "false"},
    "SqsManagedSseEnabled": {"true", "false"},
    "DeduplicationScope": {"messageGroup", "queue"},
    "FifoThroughputLimit": {"perQueue", "perMessageGroupId"},
}


@rule("sqs", "CreateQueue", "SetQueueAttributes")
def _attributes(context: Context, request: Mapping[str, Any]) -> None:
    for name, value in (request.get("Attributes") or {}).items():
        if name not in _ATTRIBUTES:
            raise ServiceError("InvalidAttributeName", f"Unknown Attribute {name}.")
        if not _is_allowed(_ATTRIBUTES[name], value):
            raise ServiceError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


@rule("sqs", "CreateQueue", "SetQueueAttributes")
def _policy(context: Context, request: Mapping[str, Any]) -> None:
    if given := (request.get("Attributes") or {}).get("Policy"):
        require_resource_policy(context, given, "InvalidAttributeValue", LONGEST_POLICY, names_resource=False)


def _is_allowed(allowed: Any, value: Any) -> bool:
    if isinstance(allowed, tuple):
        return str(value).isdecimal() and allowed[0] <= int(value) <= allowed[1]
    if isinstance(allowed, set):
        return str(value).lower() in {each.lower() for each in allowed}
    if allowed == "json" and value:
        try:
            json_of(value, ServiceError("InvalidAttributeValue", ""))
        except ServiceError:
            return False
    return True


@rule("sqs", "CreateQueue")
def _queue(context: Context, request: Mapping[str, Any]) -> None:
    name = str(request.get("QueueName", ""))
    if not _NAME.fullmatch(name):
        raise _invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
    if (str((request.get("Attributes") or {}).get("FifoQueue", "false")).lower() == "true") != name.endswith(".fifo"):
        raise _invalid(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix"
        )


@rule("sqs", "SendMessage")
def _message(context: Context, request: Mapping[str, Any]) -> None:
    _within(request, "DelaySeconds", 0, 900)
    if not request.get("MessageBody"):
        raise ServiceError("MissingParameter", "The request must contain the parameter MessageBody.")


@rule("sqs", "ReceiveMessage")
def _receive(context: Context, request: Mapping[str, Any]) -> None:
    _within(request, "WaitTimeSeconds", 0, 20)
    _within(request, "MaxNumberOfMessages", 1, 10)
    _within(request, "VisibilityTimeout", 0, _HALF_DAY)


@rule("sqs", "ChangeMessageVisibility")
def _visibility(context: Context, request: Mapping[str, Any]) -> None:
    _within(request, "VisibilityTimeout", 0, _HALF_DAY)


@rule("sqs", "SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch")
def _batch(context: Context, request: Mapping[str, Any]) -> None:
    entries = request.get("Entries") or []
    if not 1 <= len(entries) <= 10:
        code = "AWS.SimpleQueueService.EmptyBatchRequest" if not entries else "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
        raise ServiceError(code, f"A batch has 1 to 10 entries; given: {len(entries)}.")
    if len({entry.get("Id") for entry in entries}) < len(entries):
        raise ServiceError("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
    for entry in entries:
        _within(entry, "DelaySeconds", 0, 900)
        _within(entry, "VisibilityTimeout", 0, _HALF_DAY)


def _within(request: Mapping[str, Any], member: str, least: int, most: int) -> None:
    value = request.get(member)
    if value is not None and not least <= int(value) <= most:
        raise _invalid(f"Value {value} for parameter {member} is invalid. Reason: Must be between {least} and {most}, if provided.")


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValue", message)
