"""What CloudWatch has of an endpoint's two variants, minute by minute: requests, errors, latency, and since when the shadow runs.

Time is CloudWatch's: the minutes that the shadow's instances have reported are those that it was seen. Source of the metrics: SageMaker
developer guide, "Amazon SageMaker AI metrics in Amazon CloudWatch"; ModelLatency is in microseconds. Next: comparison.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from deploy_scripts.comparison import PRODUCTION, SHADOW, Minute
from settings_schema.names import SHADOW_VARIANT, VARIANT

VARIANTS = {PRODUCTION: VARIANT, SHADOW: SHADOW_VARIANT}
#: Metric and statistic, in the order of Minute's fields.
_OF_REQUESTS = (
    ("Invocations", "Sum"),
    ("Invocation4XXErrors", "Sum"),
    ("Invocation5XXErrors", "Sum"),
    ("ModelLatency", "p50"),
    ("ModelLatency", "p99"),
)
_REQUESTS, _INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
_MICROSECONDS = 1000  # in a millisecond
_MINUTE = timedelta(minutes=1)


def minutes_seen(cloudwatch: Any, endpoint: str, since: datetime, most: int) -> int:
    """How many minutes since a moment the shadow's instances have reported, of at most `most`."""
    query = _query("seen", _INSTANCES, "CPUUtilization", "Average", endpoint, SHADOW_VARIANT)
    return min(most, len(_values(cloudwatch, [query], since, most)["seen"]))


def minutes(cloudwatch: Any, endpoint: str, since: datetime, count: int) -> dict[str, list[Minute | None]]:
    """By PRODUCTION and SHADOW; None for a minute without requests, in which SageMaker sends no value."""
    queries = [
        _query(f"{name}{number}", _REQUESTS, metric, statistic, endpoint, variant)
        for name, variant in VARIANTS.items()
        for number, (metric, statistic) in enumerate(_OF_REQUESTS)
    ]
    found = _values(cloudwatch, queries, since, count)
    moments = [_floor(since) + _MINUTE * number for number in range(count)]
    return {name: [_minute(found, name, moment) for moment in moments] for name in VARIANTS}


def _minute(found: Mapping[str, Mapping[datetime, float]], name: str, moment: datetime) -> Minute | None:
    values = [found[f"{name}{number}"].get(moment, 0.0) for number in range(len(_OF_REQUESTS))]
    requests, client_errors, server_errors, p50, p99 = values
    return Minute(requests, client_errors, server_errors, p50 / _MICROSECONDS, p99 / _MICROSECONDS) if requests else None


def _query(name: str, namespace: str, metric: str, statistic: str, endpoint: str, variant: str) -> dict[str, Any]:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
    named = {"Namespace": namespace, "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": named, "Period": 60, "Stat": statistic}}


def _values(cloudwatch: Any, queries: Sequence[Mapping[str, Any]], since: datetime, count: int) -> dict[str, dict[datetime, float]]:
    """By query and minute."""
    begin = _floor(since)
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=list(queries), StartTime=begin, EndTime=begin + _MINUTE * count
    )
    found: dict[str, dict[datetime, float]] = {str(query["Id"]): {} for query in queries}
    for page in pages:
        for result in page["MetricDataResults"]:
            found[result["Id"]] |= {_floor(at): value for at, value in zip(result["Timestamps"], result["Values"], strict=True)}
    return found


def _floor(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
