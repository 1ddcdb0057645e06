"""Metrics that log events hold: CloudWatch's embedded metric format, of whatever reaches CloudWatch Logs.

In: each PutLogEvents that succeeded. Out: values in CloudWatch. An event is one that describes metrics or it is a line of log; the header
`x-amzn-logs-format` is not required. What an event describes wrongly, CloudWatch does not take, and the event stays a line.
Sources: CloudWatch user guide, "Specification: Embedded metric format" and "Using the PutLogEvents API to send manually-created embedded
metric format logs".
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from local_account.clock import Clock
from local_account.context import Context
from local_account.monitoring import store
from local_account.monitoring.store import Datum

_MOST_VALUES, _MOST_METRICS, _MOST_DIMENSIONS = 100, 100, 30
#: PutMetricData's bounds of a timestamp, which hold here as well.
_OLDEST_SECONDS, _NEWEST_SECONDS = 14 * 24 * 3600, 2 * 3600
_active: list[Context] = []


def metrics_of(message: str, now: float) -> Iterator[tuple[str, Datum]]:
    """Namespace and value of each metric that an event describes, once for each of its sets of dimensions. `now`: Unix seconds."""
    document = _document(message)
    if document is None:
        return
    at = document["_aws"]["Timestamp"] / 1000
    if not -_OLDEST_SECONDS <= at - now <= _NEWEST_SECONDS:
        return
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for names in directive.get("Dimensions") or [[]]:
            dimensions = _dimensions(document, names)
            if dimensions is None:
                continue
            for metric in directive["Metrics"][:_MOST_METRICS]:
                if values := _values(document.get(metric["Name"])):
                    yield directive["Namespace"], Datum(metric["Name"], dimensions, at, metric.get("Unit") or "None", values)


def _document(message: str) -> dict[str, Any] | None:
    """An event of the format, by the schema of its specification; None for any other line."""
    if not message.lstrip().startswith("{"):
        return None
    try:
        document = json.loads(message)
    except ValueError:
        return None
    about = document.get("_aws")
    if not isinstance(about, dict) or not isinstance(about.get("Timestamp"), int | float) or isinstance(about["Timestamp"], bool):
        return None
    directives = about.get("CloudWatchMetrics")
    return document if isinstance(directives, list) and all(map(_is_directive, directives)) else None


def _is_directive(directive: Any) -> bool:
    if not isinstance(directive, dict) or not isinstance(directive.get("Namespace"), str) or not directive["Namespace"]:
        return False
    metrics, dimensions = directive.get("Metrics"), directive.get("Dimensions")
    named = isinstance(metrics, list) and all(isinstance(metric, dict) and isinstance(metric.get("Name"), str) for metric in metrics)
    return named and isinstance(dimensions, list) and all(isinstance(names, list) for names in dimensions)


def _dimensions(document: Mapping[str, Any], names: Sequence[str]) -> dict[str, str] | None:
    """The values of a set of dimensions, which are texts of the event; None where one is not there."""
    values = {name: document.get(name) for name in names}
    if len(names) > _MOST_DIMENSIONS or not all(isinstance(value, str) and value.strip() for value in values.values()):
        return None
    return {name: str(value) for name, value in values.items()}


def _values(target: Any) -> list[float]:
    values = target if isinstance(target, list) else [target]
    numbers = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    usable = len(numbers) == len(values) <= _MOST_VALUES and all(map(math.isfinite, numbers))
    return numbers if usable else []


def account_time(seconds: float, clock: Clock) -> float:
    """When something happened that a process dated by this machine's clock; the account's may run faster, and dates what is ahead."""
    real = time.time()
    return seconds if seconds > real + 1 else clock.now().timestamp() - (real - seconds) * clock.speed


def install(context: Context) -> None:
    """Hook MiniStack for this account."""
    from ministack.services import cloudwatch_logs

    _active[:] = [context]
    if not getattr(cloudwatch_logs, "_metrics_are_extracted", False):
        cloudwatch_logs._metrics_are_extracted = True
        cloudwatch_logs._put_log_events = _extracting(cloudwatch_logs._put_log_events)


def _extracting(original: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Any]:
    def put_log_events(data: Mapping[str, Any]) -> Any:
        answer = original(data)
        if answer[0] == 200:
            _publish(_active[0].here, [str(event.get("message", "")) for event in data.get("logEvents") or []])
        return answer

    return put_log_events


def _publish(context: Context, messages: Sequence[str]) -> None:
    for message in messages:
        for namespace, datum in metrics_of(message, time.time()):
            moved = Datum(datum.name, datum.dimensions, account_time(datum.time, context.clock), datum.unit, datum.values)
            store.put(context, namespace, [moved])
