"""Alarms on one endpoint: they exist as long as it does, and are made before it, so that its first update is guarded.

`rollback` (server errors, p99 latency) undo an update; the others only call a person; each kind of endpoint has those
of its metrics. `silence` is made after the endpoint: of one that is made anew under the name of an earlier one it would see that one's last
requests, and then that they ceased.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.serving.instance_alarms import InstanceAlarms, as_dimensions
from settings_schema import Asynchronous, FleetNames, ServingNames
from settings_schema.names import CHALLENGER_VARIANT
from settings_schema.serving import OnEndpoint

_REQUESTS = "AWS/SageMaker"
_MICROSECONDS = 1000  # per millisecond: ModelLatency is in microseconds
SERVER_ERRORS, LATENCY = "server-errors", "latency-p99"
#: Ends of the names of the alarms that undo an update: SageMaker watches them as the endpoint's role.
ROLLBACK = (SERVER_ERRORS, LATENCY)
#: Of the alarms on a challenger alone, any of which takes it out (infra/model/change_production/experiment.py).
CHALLENGER = ("challenger-5xx", "challenger-p99")
OTHERS = ("cpu", "memory", "no-traffic", "concurrency", "oldest-request", "failed-requests", "no-capacity")
CONCURRENCY_SHARE = 0.9


class Limits(Protocol):
    """From when on requests are too slow, or too many fail: of a model, or of a fleet."""

    @property
    def p99_latency_ms(self) -> int: ...

    @property
    def server_error_percent(self) -> float: ...


class EndpointAlarms(InstanceAlarms):
    """What all kinds have. Alarms are named, so that the environment's roles know them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ServingNames | FleetNames,
        serving: Limits,
        topic_arn: str,
        dimensions: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id, names=names, topic_arn=topic_arn, dimensions=dimensions)
        self.rollback = [self._server_errors(serving.server_error_percent), self._latency(serving.p99_latency_ms)]
        self.silence: list[cloudwatch.CfnAlarm] = []

    def watch_challenger(self, serving: OnEndpoint) -> None:
        """By the same limits as what serves; there is no value while there is none."""
        errors, latency = CHALLENGER
        beside = as_dimensions({"EndpointName": self._names.endpoint, "VariantName": CHALLENGER_VARIANT})
        self._server_errors(serving.server_error_percent, errors, dimensions=beside)
        self._latency(serving.p99_latency_ms, latency, dimensions=beside)

    def _server_errors(self, percent: float, name: str = SERVER_ERRORS, **more: object) -> cloudwatch.CfnAlarm:
        """SageMaker sends 1 for a request that failed and 0 for others: their average is the rate."""
        return self._alarm(
            name,
            f"More than {percent:g} % of the requests answered 5xx",
            namespace=_REQUESTS,
            metric_name="Invocation5XXErrors",
            statistic="Average",
            threshold=percent / 100,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            **more,
        )

    def _latency(self, p99_ms: int, name: str = LATENCY, **more: object) -> cloudwatch.CfnAlarm:
        return self._alarm(
            name,
            f"p99 model latency above {p99_ms} ms",
            namespace=_REQUESTS,
            metric_name="ModelLatency",
            extended_statistic="p99",
            threshold=p99_ms * _MICROSECONDS,
            evaluation_periods=3,
            datapoints_to_alarm=2,
            **more,
        )

    def watch_silence(self) -> None:
        self.silence.append(self._no_traffic())

    def watch_concurrency(self) -> None:
        """A serverless endpoint refuses requests beyond what it may answer at once, and no metric of its own counts them."""
        self._alarm(
            "concurrency",
            f"Over {CONCURRENCY_SHARE:.0%} of max_concurrency at once for 3 of 5 minutes: more requests are refused",
            namespace=_REQUESTS,
            metric_name="ServerlessConcurrentExecutionsUtilization",
            statistic="Maximum",
            threshold=CONCURRENCY_SHARE,
            evaluation_periods=5,
            datapoints_to_alarm=3,
        )

    def watch_copies(self, *, may_be_none: bool) -> None:
        """Of a component. Where there may be no copy a refused request starts one, which takes minutes: that calls nobody until it is late.

        Source: SageMaker guide, "Scale an endpoint to zero instances" (NoCapacityInvocationFailures).
        """
        late = "four times five minutes in a row: the first copy does not come" if may_be_none else "although there should be one"
        self._alarm(
            "no-capacity",
            f"Requests were refused because no copy of the model is there, {late}; is there room on the fleet?",
            namespace=_REQUESTS,
            metric_name="NoCapacityInvocationFailures",
            statistic="Sum",
            threshold=0,
            period=300 if may_be_none else 60,
            evaluation_periods=4 if may_be_none else 1,
        )

    def watch_queue(self, serving: Asynchronous) -> None:
        self._alarm(
            "oldest-request",
            f"A request has waited for more than {serving.max_wait_seconds} s",
            namespace=_REQUESTS,
            metric_name="ApproximateAgeOfOldestRequest",
            statistic="Maximum",
            threshold=serving.max_wait_seconds,
            evaluation_periods=1,
            dimensions=self._dimensions[:1],
        )
        self._alarm(
            "failed-requests",
            "Requests were not answered: why lies beside them, below failures/",
            namespace=_REQUESTS,
            metric_name="InvocationFailures",
            statistic="Sum",
            threshold=0,
            evaluation_periods=1,
        )

    def _no_traffic(self) -> cloudwatch.CfnAlarm:
        """Calls a person when requests have ceased: there were some, and then none for more than an hour.

        SageMaker sends no value for a minute without requests, so their absence is the finding, and the state for it is
        INSUFFICIENT_DATA. An alarm begins in that state and acts on changes only: an endpoint that has just been made calls nobody until
        its first request, whereas missing data that count as breaching would be an alarm at the first evaluation.
        Source: CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data" and "Alarm actions".
        """
        return self._alarm(
            "no-traffic",
            "Requests have ceased: none for more than an hour (INSUFFICIENT_DATA)",
            namespace=_REQUESTS,
            metric_name="Invocations",
            statistic="Sum",
            threshold=1,
            comparison_operator="LessThanThreshold",
            treat_missing_data="missing",
            insufficient_data_actions=[self._topic_arn],
            period=900,
            evaluation_periods=4,
        )
