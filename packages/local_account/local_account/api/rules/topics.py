"""SNS: names, attributes and documents of topics, subscriptions and messages.

Sources: https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html, API_SetTopicAttributes.html, API_Subscribe.html,
API_SetSubscriptionAttributes.html and API_Publish.html. What AWS has and this account does not act on is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from local_account.api.rules.policy_documents import require_resource_policy
from local_account.api.rules.rule import is_there, json_of, rule
from local_account.context import Context
from local_account.errors import NotEmulatedError, ServiceError

_TOPIC_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}|[A-Za-z0-9_-]{1,251}\.fifo")
_SUBJECT = re.compile(r"[\x20-\x7e]{1,100}")
_MOST_BYTES = 262_144
#: Bytes of a topic's policy.
LONGEST_POLICY = 30_720
#: Attribute -> the values that are taken; "json" is a document, None any text.
_TOPIC: Mapping[str, Any] = {
    "DisplayName": None,
    "Policy": "json",
    "KmsMasterKeyId": None,
    "FifoTopic": ("true", "false"),
    "ContentBasedDeduplication": ("true", "false"),
}
_SUBSCRIPTION: Mapping[str, Any] = {
    "FilterPolicy": "json",
    "FilterPolicyScope": ("MessageAttributes", "MessageBody"),
    "RawMessageDelivery": ("true", "false"),
}
_OTHERS = re.compile(
    r"DeliveryPolicy|TracingConfig|SignatureVersion|ArchivePolicy|FifoThroughputScope|RedrivePolicy|SubscriptionRoleArn|ReplayPolicy|"
    r"(HTTP|Firehose|Lambda|SQS|Application)(SuccessFeedbackRoleArn|SuccessFeedbackSampleRate|FailureFeedbackRoleArn)"
)


@rule("sns", "CreateTopic")
def _topic(context: Context, request: Mapping[str, Any]) -> None:
    if not _TOPIC_NAME.fullmatch(str(request.get("Name", ""))):
        raise _invalid("Topic Name")
    attributes = request.get("Attributes") or {}
    for name, value in attributes.items():
        _attribute("CreateTopic", _TOPIC, name, value)
    is_fifo = attributes.get("FifoTopic") == "true"
    if is_fifo != str(request["Name"]).endswith(".fifo"):
        raise _invalid("Topic Name: the name of a FIFO topic, and of no other, ends in .fifo")


@rule("sns", "SetTopicAttributes")
def _topic_attribute(context: Context, request: Mapping[str, Any]) -> None:
    _attribute("SetTopicAttributes", _TOPIC, str(request.get("AttributeName")), request.get("AttributeValue"))


@rule("sns", "SetSubscriptionAttributes")
def _subscription_attribute(context: Context, request: Mapping[str, Any]) -> None:
    _attribute("SetSubscriptionAttributes", _SUBSCRIPTION, str(request.get("AttributeName")), request.get("AttributeValue"))


@rule("sns", "CreateTopic", "SetTopicAttributes")
def _policy(context: Context, request: Mapping[str, Any]) -> None:
    given = request["AttributeValue"] if request.get("AttributeName") == "Policy" else (request.get("Attributes") or {}).get("Policy")
    if given:
        require_resource_policy(context, given, "InvalidParameter", LONGEST_POLICY, names_resource=False)


@rule("sns", "Subscribe")
def _subscription(context: Context, request: Mapping[str, Any]) -> None:
    for name, value in (request.get("Attributes") or {}).items():
        _attribute("Subscribe", _SUBSCRIPTION, name, value)
    protocol, endpoint = request.get("Protocol"), str(request.get("Endpoint", ""))
    if protocol in ("email", "email-json") and not re.fullmatch(r"[^@\s]+@[^@\s]+", endpoint):
        raise _invalid("Email address")
    if protocol in ("lambda", "sqs") and not _is_endpoint(context, protocol, endpoint):
        raise _invalid(f"Endpoint: {endpoint} is no {protocol} endpoint of these accounts")


def _is_endpoint(context: Context, protocol: str, arn: str) -> bool:
    owner = context.places.of_arn(arn)
    if owner is None or f":{protocol}:" not in arn:
        return False
    if protocol == "sqs":
        return is_there(owner.client("sqs").get_queue_url, QueueName=arn.rpartition(":")[2])
    return is_there(owner.client("lambda").get_function_configuration, FunctionName=arn)


def _attribute(operation: str, known: Mapping[str, Any], name: str, value: Any) -> None:
    if name not in known:
        if _OTHERS.fullmatch(name):
            raise NotEmulatedError("sns", f"{operation} with attribute {name}")
        raise _invalid("AttributeName")
    allowed = known[name]
    if allowed == "json":
        if value not in (None, "", "{}"):
            json_of(value, _invalid(f"{name}: failed to parse JSON"))
    elif allowed is not None and str(value).lower() not in {each.lower() for each in allowed}:
        raise _invalid(f"{name}: allowed are {', '.join(allowed)}")


@rule("sns", "Publish")
def _message(context: Context, message: Mapping[str, Any]) -> None:
    text, subject, structure = str(message.get("Message") or ""), message.get("Subject"), message.get("MessageStructure")
    if not text:
        raise _invalid("Empty message")
    if len(text.encode()) > _MOST_BYTES:
        raise _invalid("Message too long")
    if subject is not None and not (_SUBJECT.fullmatch(subject) and subject[0] != " "):
        raise _invalid("Subject")
    if structure is not None:
        if structure != "json":
            raise _invalid("MessageStructure: allowed is json")
        if not isinstance(json_of(text, _invalid("Message Structure - JSON message body failed to parse")).get("default"), str):
            raise _invalid("Message Structure - No default entry in JSON message body")


def _invalid(what: str) -> ServiceError:
    return ServiceError("InvalidParameter", f"Invalid parameter: {what}")
