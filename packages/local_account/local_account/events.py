"""EventBridge delivery: rules' targets are really called, failed deliveries are retried and then go to the dead-letter queue.

MiniStack keeps the rules, matches patterns (`$or`, `wildcard`, `anything-but`, ...) and renders input transformers. Its own
delivery knows few targets and drops what fails, so this module replaces it. `targets.py` makes the calls; `scheduler.py` delivers
through here, too. Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html and eb-rule-dlq.html.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from local_account import buses, hooks, targets
from local_account.context import Context
from local_account.errors import ServiceError

_log = logging.getLogger(__name__)

_MAXIMUM_ATTEMPTS = 185  # defaults of a target's RetryPolicy
_MAXIMUM_AGE_SECONDS = 86400
_LONGEST_WAIT_SECONDS = 60.0
_THROTTLING = ("ThrottlingException", "TooManyRequestsException", "LimitExceededException", "RequestTimeout")


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one target. `origin_arn` is the rule or schedule; `payload` is what the target gets (JSON text)."""

    origin_arn: str
    target: Mapping[str, Any]
    payload: str
    #: The target's own input, if it has one: services whose input is no event (CodePipeline) read their parameters from it.
    own_input: str | None = None


def install(context: Context) -> None:
    from ministack.services import eventbridge

    def invoke_target(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        here = context.here
        own_input, payload = _render(target, rule, view or eventbridge._pattern_event_view(event))
        here.in_background(deliver, here, Delivery(str(rule.get("Arn", "")), target, payload, own_input))

    # Whoever gets an event compares its time with others of this account, whose clock may be days ahead.
    eventbridge._now_ts = lambda: context.here.clock.now().timestamp()
    eventbridge._invoke_target = invoke_target
    eventbridge._put_events = hooks.around(eventbridge._put_events, functools.partial(_put_events, context))
    eventbridge._put_permission = hooks.around(eventbridge._put_permission, buses.put_permission)


def _put_events(context: Context, original: Callable[..., Any], data: Mapping[str, Any], allow_aws_source: bool = False) -> Any:
    """PutEvents puts the good entries and answers, in the place of each other, what is wrong with it. MiniStack puts them all.

    An entry for the bus of another account goes there.
    """
    entries = data.get("Entries") or []
    results = [_fault(entry) or _put_elsewhere(context.here, entry) for entry in entries]
    kept = [entry for entry, result in zip(entries, results, strict=True) if result is None]
    answer = original({**data, "Entries": kept}, allow_aws_source=allow_aws_source)
    if len(kept) == len(entries) or answer[0] != 200:
        return answer
    put = json.loads(answer[2])
    here = iter(put["Entries"])
    merged = [next(here) if result is None else result for result in results]
    failed = sum("ErrorCode" in result for result in merged)
    return answer[0], answer[1], json.dumps({"FailedEntryCount": failed, "Entries": merged}).encode()


def _put_elsewhere(here: Context, entry: Mapping[str, Any]) -> dict[str, str] | None:
    """The result of an entry for the bus of another account, in this region; None for one of this account."""
    bus = str(entry.get("EventBusName") or "").split(":", 5)
    own = here.settings
    if len(bus) < 6 or (bus[3], bus[4] != own.account_id) != (own.region, True):
        return None
    if str(entry["Source"]).startswith("aws."):
        return _refused("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        return {"EventId": buses.put(here, entry)}
    except ServiceError as error:
        return _refused(error.code, error.message)


def _refused(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _fault(entry: Mapping[str, Any]) -> dict[str, str] | None:
    """The result of an entry that no bus takes; None for a good one.

    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
    """
    for member in ("Source", "DetailType", "Detail"):
        if not entry.get(member):
            return _refused("InvalidArgument", f"Parameter {member} is not valid. Reason: {member} is a required argument.")
    try:
        detail = json.loads(entry["Detail"])
    except (ValueError, RecursionError):
        detail = None
    return None if isinstance(detail, dict) else _refused("MalformedDetail", "Detail is malformed.")


def _render(target: Mapping[str, Any], rule: Mapping[str, Any], view: Any) -> tuple[str | None, str]:
    """The target's own input if it has one, and what the target is sent."""
    from ministack.services import eventbridge

    event = view.event_with_detail()
    own_input: str | None = None
    if target.get("InputTransformer"):
        own_input = eventbridge._apply_input_transformer(target["InputTransformer"], rule, view)
    elif target.get("Input"):
        own_input = target["Input"]
    elif target.get("InputPath"):
        return None, json.dumps(_at_path(event, target["InputPath"]))
    return own_input, json.dumps(event) if own_input is None else own_input


def _at_path(event: Any, path: str) -> Any:
    """The part of an event at a path such as `$.detail.bucket`; the whole event if there is no such part."""
    part = event
    for name in path.removeprefix("$").strip(".").split("."):
        if name and not (isinstance(part, dict) and name in part):
            return event
        part = part[name] if name else part
    return part


def deliver(context: Context, delivery: Delivery) -> None:
    """Call the target until it accepts, its retry policy ends, or the error is final; what is lost goes to the dead-letter queue."""
    policy = delivery.target.get("RetryPolicy") or {}
    attempts_left = int(policy.get("MaximumRetryAttempts", _MAXIMUM_ATTEMPTS))
    too_old = context.clock.now() + timedelta(seconds=int(policy.get("MaximumEventAgeInSeconds", _MAXIMUM_AGE_SECONDS)))
    attempt, wait_seconds = 0, 1.0
    while True:
        try:
            targets.send(context, delivery.origin_arn, delivery.target, delivery.payload, delivery.own_input)
            return
        except Exception as error:  # an event that cannot be sent goes to the dead-letter queue, whatever the reason
            code, message = _describe(error)
            exhausted = "MaximumRetryAttempts" if attempt >= attempts_left else ""
            if context.clock.now() >= too_old:
                exhausted = "MaximumEventAgeInSeconds"
            if exhausted or not _is_temporary(error):
                _give_up(context, delivery, code, message, attempt, exhausted)
                return
        attempt += 1
        if context.clock.wait(wait_seconds, context.stopping):
            return
        wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)


def _is_temporary(error: Exception) -> bool:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return (status >= 500 and status != 501) or _describe(error)[0] in _THROTTLING
    return isinstance(error, BotoCoreError) and not isinstance(error, ParamValidationError)


def _describe(error: Exception) -> tuple[str, str]:
    """Code and message."""
    if isinstance(error, ClientError):
        return error.response["Error"].get("Code", "Unknown"), error.response["Error"].get("Message", str(error))
    if isinstance(error, ServiceError):
        return error.code, error.message
    return type(error).__name__, str(error)


def _give_up(context: Context, delivery: Delivery, code: str, message: str, attempts: int, exhausted: str) -> None:
    if context.stopping.is_set():
        return
    arn = str(delivery.target.get("Arn", ""))
    _log.warning("%s could not deliver to %s: %s: %s", delivery.origin_arn, arn, code, message)
    queue_arn = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
    name = delivery.origin_arn.rsplit("/", 1)[-1]
    _count(context, "FailedInvocations", name)
    if not queue_arn:
        return
    attributes = {
        "RULE_ARN": delivery.origin_arn,
        "TARGET_ARN": arn,
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message,
        "RETRY_ATTEMPTS": str(attempts),
        **({"EXHAUSTED_RETRY_CONDITION": exhausted} if exhausted else {}),
    }
    try:
        # The Scheduler writes letters in the name of the target's role, EventBridge in its own (guides of both, on dead-letter queues).
        role_arn = str(delivery.target.get("RoleArn") or "") if ":scheduler:" in delivery.origin_arn else ""
        targets.send_to_queue(targets.Sender(context, delivery.origin_arn, role_arn), queue_arn, delivery.payload, attributes)
        _count(context, "InvocationsSentToDlq", name)
    except (ClientError, BotoCoreError, ServiceError) as error:
        _log.error("%s could not write to its dead-letter queue %s: %s", delivery.origin_arn, queue_arn, error)
        _count(context, "InvocationsFailedToBeSentToDlq", name)


def _count(context: Context, metric: str, rule_name: str) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html"""
    dimensions = [{"Name": "RuleName", "Value": rule_name}]
    datum = {"MetricName": metric, "Value": 1, "Unit": "Count", "Dimensions": dimensions, "Timestamp": context.clock.now()}
    put: Callable[..., Any] = context.client("cloudwatch").put_metric_data
    try:
        put(Namespace="AWS/Events", MetricData=[datum])
    except (ClientError, BotoCoreError) as error:
        _log.warning("metric %s of rule %s is lost: %s", metric, rule_name, error)
