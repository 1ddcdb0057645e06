"""SQS: names, attributes and ranges of queues and messages.

The ranges are those of the resource type's schema (`cloudformation/schemas.py`), which a message's members share with their queue.
Sources besides: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html, API_SendMessage.html,
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
#: Bytes of a queue's policy: SQS developer guide, "Quotas related to policies".
LONGEST_POLICY = 8_192
_TYPE = "AWS::SQS::Queue"
#: Properties that are no attributes.
_NO_ATTRIBUTES = frozenset({"Arn", "QueueName", "QueueUrl", "Tags"})
#: What the schema leaves open.
_CHOICES = {"DeduplicationScope": ("messageGroup", "queue"), "FifoThroughputLimit": ("perQueue", "perMessageGroupId")}


@rule("sqs", "CreateQueue", "SetQueueAttributes")
def _attributes(context: Context, request: Mapping[str, Any]) -> None:
    from local_account.cloudformation import schemas  # which is made of services, and so of their rules

    known = (schemas.schema_of(_TYPE) or {})["properties"]
    for name, value in (request.get("Attributes") or {}).items():
        invalid = ServiceError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
        if name == "Policy":
            if value:
                require_resource_policy(context, value, "InvalidAttributeValue", LONGEST_POLICY, names_resource=False)
            continue
        if name not in known or name in _NO_ATTRIBUTES:
            raise ServiceError("InvalidAttributeName", f"Unknown Attribute {name}.")
        if "object" in known[name]["type"] and value:
            value = json_of(value, invalid)
        if schemas.broken(_TYPE, {name: value}) or value not in _CHOICES.get(name, (value,)):
            raise invalid


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
    _within(request, "DelaySeconds")
    if not request.get("MessageBody"):
        raise ServiceError("MissingParameter", "The request must contain the parameter MessageBody.")


@rule("sqs", "ReceiveMessage", "ChangeMessageVisibility")
def _received(context: Context, request: Mapping[str, Any]) -> None:
    _within(request, "WaitTimeSeconds", "ReceiveMessageWaitTimeSeconds")
    _within(request, "VisibilityTimeout")
    if not 1 <= int(request.get("MaxNumberOfMessages") or 1) <= 10:
        raise _out_of_range(request, "MaxNumberOfMessages", 1, 10)


@rule("sqs", "SendMessageBatch", "ChangeMessageVisibilityBatch")
def _batch(context: Context, request: Mapping[str, Any]) -> None:
    for entry in request.get("Entries") or []:
        _within(entry, "DelaySeconds")
        _within(entry, "VisibilityTimeout")


def _within(request: Mapping[str, Any], member: str, attribute: str = "") -> None:
    """A member has the range of a queue's attribute, which is called as it is unless `attribute` says how."""
    from local_account.cloudformation import schemas  # as above

    name = attribute or member
    if request.get(member) is not None and schemas.broken(_TYPE, {name: request[member]}):
        bounds = (schemas.schema_of(_TYPE) or {})["properties"][name]
        raise _out_of_range(request, member, bounds["minimum"], bounds["maximum"])


def _out_of_range(request: Mapping[str, Any], member: str, least: int, most: int) -> ServiceError:
    return _invalid(f"Value {request[member]} for parameter {member} is invalid. Reason: Must be between {least} and {most}, if provided.")


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValue", message)
