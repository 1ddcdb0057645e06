"""What SNS and CloudWatch deliver, they deliver in their own names, and only where the receiver's policy lets them.

MiniStack hands messages over inside its process. Sources: SNS developer guide, "Subscribing an SQS queue" and "Using Lambda with SNS"
(`sns.amazonaws.com`, for the topic); CloudWatch user guide, "Notifying users on alarm changes" (`cloudwatch.amazonaws.com`, for the
alarm; a topic's key must allow it, too). What is refused is lost, as in AWS, and the account's log says why.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from local_account import hooks
from local_account.api.reading import Call
from local_account.authorization import principals
from local_account.context import Context
from local_account.errors import ServiceError

_log = logging.getLogger(__name__)
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


def install(context: Context) -> None:
    from ministack.services import cloudwatch, sns, sqs

    sns._deliver_to_lambda = hooks.around(sns._deliver_to_lambda, functools.partial(_to_functions_that_allow, context))
    sqs.queue_policy_allows = lambda queue_arn, service, source_arn, source_account: allowed(
        context, service, source_arn, "sqs", "SendMessage", {"QueueName": queue_arn}
    )
    to_topics = functools.partial(_to_topics_that_allow, context)
    cloudwatch._dispatch_alarm_actions = hooks.around(cloudwatch._dispatch_alarm_actions, to_topics)
    cloudwatch._is_sns_action_arn = _is_topic_of_this_region


def _is_topic_of_this_region(action: Any) -> bool:
    """Of whichever account: the topic's policy has been asked. MiniStack tells those of the alarm's own account only."""
    from ministack.core.responses import get_region

    return str(action).startswith(f"arn:aws:sns:{get_region()}:")


def allowed(context: Context, service: str, source_arn: str, target: str, operation: str, parameters: Mapping[str, Any]) -> bool:
    """Whether an AWS service may ask for an operation on behalf of a resource, in whatever account that and its target are."""
    here = context.places.of_arn(source_arn) or context.here
    asking = principals.service(service, here.settings.account_id, source_arn)
    try:
        here.authorizer.require(asking, Call(target, operation, parameters))
    except ServiceError as error:
        _log.warning("%s cannot deliver for %s: %s", service, source_arn, error.message)
        return False
    return True


def _to_functions_that_allow(
    context: Context, original: Callable[..., None], endpoint: str, envelope: str, topic_arn: str, *rest: Any
) -> None:
    if allowed(context, "sns.amazonaws.com", topic_arn, "lambda", "Invoke", {"FunctionName": endpoint}):
        original(endpoint, envelope, topic_arn, *rest)


def _to_topics_that_allow(context: Context, original: Callable[..., None], alarm: Mapping[str, Any], *states_and_reason: str) -> None:
    source = str(alarm.get("AlarmArn", ""))
    kept = {
        name: [
            arn
            for arn in alarm.get(name) or ()
            if ":sns:" not in arn or allowed(context, "cloudwatch.amazonaws.com", source, "sns", "Publish", {"TopicArn": arn})
        ]
        for name in _ACTIONS
    }
    original({**alarm, **kept}, *states_and_reason)
