"""Calls the target of an EventBridge rule or schedule through its public API.

Input: the target as the rule has it (`Arn` and the service's own parameters), and the text to send. Raises what the service raises.
Targets and their parameters: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore import xform_name

from local_account import buses
from local_account.api.members import coverage
from local_account.api.reading import EMULATED, Call, model
from local_account.api.validation import require_allowed
from local_account.context import Context
from local_account.errors import NotEmulatedError, ServiceError
from local_account.roles import Role

Target = Mapping[str, Any]
_OF_OTHER_ACCOUNTS = ("lambda", "sqs", "sns")


@dataclass(frozen=True)
class Sender:
    """In whose name a rule or schedule asks: its target's role, or EventBridge itself, which the target's policy must allow."""

    context: Context
    origin_arn: str
    role_arn: str = ""

    @property
    def service(self) -> str:
        return "scheduler.amazonaws.com" if ":scheduler:" in self.origin_arn else "events.amazonaws.com"

    def client(self, service: str) -> Any:
        """Raises ServiceError (AccessDenied) for a role that the service may not assume."""
        return self.role.client(service) if self.role else self.context.client_of_service(self.service, service, source_arn=self.origin_arn)

    @property
    def role(self) -> Role | None:
        return Role(self.context, self.role_arn, self.service, self._name, self._source_arn) if self.role_arn else None

    @property
    def _name(self) -> str:
        return self.origin_arn.rsplit("/", 1)[-1]

    @property
    def _source_arn(self) -> str:
        """A schedule's role may be tied to its group: EventBridge Scheduler user guide, "Confused deputy prevention"."""
        return self.origin_arn.rsplit("/", 1)[0].replace(":schedule/", ":schedule-group/")


def send(context: Context, origin_arn: str, target: Target, payload: str, own_input: str | None) -> None:
    """Call the target once. Raises NotEmulatedError for a kind of target that this account does not have."""
    sender = Sender(context, origin_arn, str(target.get("RoleArn") or ""))
    arn = str(target.get("Arn", ""))
    service = arn.split(":")[2] if arn.count(":") >= 5 else arn
    if service == "scheduler":
        _send_to_any_api(sender, arn, payload)
        return
    _require_reachable(sender, arn, service)
    call = _SENDERS.get(service)
    if call is None:
        raise NotEmulatedError("events", f"PutTargets with a target of {service or 'no service'}")
    call(sender, target, payload, own_input)


def _require_reachable(sender: Sender, arn: str, service: str) -> None:
    """Raises ServiceError for a target that is not reached: of another region, but for buses, or of another account in its own name.

    EventBridge user guide, "Sending events to an AWS service in another account" and "Sending and receiving events between AWS Regions".
    """
    origin, target = sender.origin_arn.split(":", 5), arn.split(":", 5)
    if service == "events":
        return
    if target[3] not in ("", origin[3]):
        raise ServiceError("ValidationException", f"{arn} is not in region {origin[3]}, from where only event buses are reached elsewhere.")
    if target[4] in ("", origin[4]):
        return
    if service not in _OF_OTHER_ACCOUNTS:
        raise ServiceError("ValidationException", f"{arn} is of another account; of those are reached: {', '.join(_OF_OTHER_ACCOUNTS)}.")
    if not sender.role_arn:
        raise ServiceError("ValidationException", f"{arn} is of another account: RoleArn is required.")


def _call(sender: Sender, service: str, operation: str, parameters: Mapping[str, Any]) -> Any:
    """Ask a service for the user. What its model does not allow is refused as the service does it, before a client of ours would."""
    require_allowed(Call(service, operation, parameters))
    return getattr(sender.client(service), xform_name(operation))(**parameters)


def is_emulated(arn: str) -> bool:
    """Whether a target can be called: a service of this account, or for a schedule's universal target an operation of one."""
    parts = arn.split(":")
    if parts[2] != "scheduler":
        return parts[2] in _SENDERS and (parts[2] != "sagemaker" or ":pipeline/" in arn)
    service, operation = _universal(arn)
    return service in EMULATED and operation in coverage(service).acted


def _universal(arn: str) -> tuple[str, str]:
    """Service and operation of a schedule's universal target, `arn:aws:scheduler:::aws-sdk:<service>:<operation>`."""
    service, operation = arn.split(":")[-2:]
    return {"eventbridge": "events"}.get(service, service), operation[:1].upper() + operation[1:]


def send_to_queue(sender: Sender, queue_arn: str, body: str, attributes: Mapping[str, str]) -> None:
    """Write a message with string attributes, as a dead-letter queue gets them."""
    client = sender.client("sqs")
    typed = {name: {"DataType": "String", "StringValue": value or "-"} for name, value in attributes.items()}
    client.send_message(QueueUrl=_queue_url(sender.context, queue_arn), MessageBody=body, MessageAttributes=typed)


def _queue_url(context: Context, queue_arn: str) -> str:
    """A queue of another account is looked for there; that it may be used, the sender is asked."""
    owner = context.places.of_arn(queue_arn) or context
    return str(owner.client("sqs").get_queue_url(QueueName=queue_arn.rsplit(":", 1)[-1])["QueueUrl"])


def _function(sender: Sender, target: Target, payload: str, own_input: str | None) -> None:
    try:
        json.loads(payload)
    except ValueError:
        payload = json.dumps(payload)  # a plain-text input reaches a function as a JSON string
    _call(sender, "lambda", "Invoke", {"FunctionName": target["Arn"], "InvocationType": "Event", "Payload": payload.encode()})


def _queue(sender: Sender, target: Target, payload: str, own_input: str | None) -> None:
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    fifo = {"MessageGroupId": group, "MessageDeduplicationId": uuid.uuid4().hex} if group else {}
    _call(sender, "sqs", "SendMessage", {"QueueUrl": _queue_url(sender.context, target["Arn"]), "MessageBody": payload, **fifo})


def _topic(sender: Sender, target: Target, payload: str, own_input: str | None) -> None:
    _call(sender, "sns", "Publish", {"TopicArn": target["Arn"], "Message": payload})


def _code_pipeline(sender: Sender, target: Target, payload: str, own_input: str | None) -> None:
    """The target's own input may set variables and source revisions; an event starts the pipeline with its defaults."""
    overrides = json.loads(own_input) if own_input else {}
    known = {name: overrides[name] for name in ("variables", "sourceRevisions") if isinstance(overrides, dict) and name in overrides}
    _call(sender, "codepipeline", "StartPipelineExecution", {"name": target["Arn"].rsplit(":", 1)[-1], **known})


def _sagemaker_pipeline(sender: Sender, target: Target, payload: str, own_input: str | None) -> None:
    name = target["Arn"].rsplit(":pipeline/", 1)
    if len(name) != 2:
        raise NotEmulatedError("events", f"PutTargets with target {target['Arn']}")
    parameters = (target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or []
    given = [{"Name": item["Name"], "Value": str(item["Value"])} for item in parameters]
    request = {"PipelineName": name[1], "ClientRequestToken": uuid.uuid4().hex, "PipelineParameters": given}
    _call(sender, "sagemaker", "StartPipelineExecution", request)


def _log_group(sender: Sender, target: Target, payload: str, own_input: str | None) -> None:
    client = sender.client("logs")
    group, stream = target["Arn"].split(":log-group:", 1)[1].removesuffix(":*"), uuid.uuid4().hex
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": int(time.time() * 1000), "message": payload}])


def _event_bus(sender: Sender, target: Target, payload: str, own_input: str | None) -> None:
    """A rule hands its event on as it is, a schedule puts one of its own."""
    if ":rule/" in sender.origin_arn:
        buses.forward(sender.context, sender.origin_arn, sender.role, target["Arn"], json.loads(payload))
        return
    parameters = target.get("EventBridgeParameters") or {}
    entry = {"EventBusName": target["Arn"], "Source": parameters["Source"], "DetailType": parameters["DetailType"], "Detail": payload}
    _call(sender, "events", "PutEvents", {"Entries": [entry]})


def _send_to_any_api(sender: Sender, arn: str, payload: str) -> None:
    """The input holds the parameters."""
    service, operation = _universal(arn)
    if service not in EMULATED or operation not in model(service).operation_names:
        raise NotEmulatedError(service, operation)
    _call(sender, service, operation, json.loads(payload or "{}"))


_SENDERS: Mapping[str, Callable[[Sender, Target, str, str | None], None]] = {
    "lambda": _function,
    "sqs": _queue,
    "sns": _topic,
    "codepipeline": _code_pipeline,
    "sagemaker": _sagemaker_pipeline,
    "logs": _log_group,
    "events": _event_bus,
}
