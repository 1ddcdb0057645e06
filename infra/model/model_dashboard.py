"""A model's dashboard: alarms, then two rows per endpoint (how it serves, what it answers), then what monitoring found of each feature.

Metrics of an environment in another account are shown where CloudWatch may see them from here: "CloudWatch cross-account observability" of
its user guide, which an organisation sets up once, for all that it runs.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.drift_metrics import EFFECT, JUDGED_ROWS, METRICS
from infra.places import Context
from infra.serving import live_metrics
from infra.serving.member_alarms import FAILED, MILLISECONDS
from settings_schema import Asynchronous, Component, Endpoint, Environment, Member, Model, Serverless
from settings_schema.names import CHALLENGER_VARIANT, SHADOW_VARIANT, VARIANT
from settings_schema.serving import OnEndpoint

#: The CDK asks another process for each; a dashboard has dozens of graphs with the same two.
_minutes = functools.cache(cdk.Duration.minutes)


class ModelDashboard(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, context: Context, model: Model, alarms: Sequence[cloudwatch.IAlarm]) -> None:
        super().__init__(scope, construct_id)
        self._places = context.places
        self._names = model.names(context.project)
        self._dashboard = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=self._names.dashboard, default_interval=cdk.Duration.hours(12)
        )
        self._dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24))
        for environment in context.settings.environments:
            serving = model.serving[environment.name]
            if isinstance(serving, OnEndpoint):
                if isinstance(serving, Member):
                    self._add_member(environment, serving)
                else:
                    self._add_endpoint(environment, serving)
                if isinstance(serving, Endpoint) and serving.shadow is not None:
                    self._add_beside(environment, "in the shadow", SHADOW_VARIANT)
                if isinstance(serving, Endpoint) and serving.experiment is not None:
                    self._add_beside(environment, "in an experiment", CHALLENGER_VARIANT)
                if serving.live_metrics:
                    self._add_predictions(environment)
        watched = [environment for environment in context.settings.environments if model.watch_in(environment.name)]
        if watched:
            self._add_findings(watched)
            self._add_effects(watched)

    def _add_endpoint(self, environment: Environment, serving: OnEndpoint) -> None:
        """Of the metrics that its kind has (infra/serving/endpoint_alarms.py says where that stands)."""
        name, requests, resources = self._names.at(environment.name).endpoint, "AWS/SageMaker", "/aws/sagemaker/Endpoints"
        of_variant = {"EndpointName": name, "VariantName": VARIANT}
        dimensions = {"InferenceComponentName": name} if isinstance(serving, Component) else of_variant

        def metric(namespace: str, metric_name: str, statistic: str) -> cloudwatch.Metric:
            return self._of(environment, namespace, metric_name, statistic, f"{metric_name} {statistic}", dimensions)

        def of_queue(metric_name: str) -> cloudwatch.Metric:
            return self._metric(environment, requests, metric_name, "Maximum", metric_name)

        used: Sequence[str] = ("CPUUtilization", "MemoryUtilization", "DiskUtilization")
        asked, load_title, load = "Invocations", "requests per instance and minute", [metric(requests, "InvocationsPerInstance", "Sum")]
        if isinstance(serving, Serverless):
            kinds = (
                "ServerlessConcurrentExecutionsUtilization",
                *(("ServerlessProvisionedConcurrencyUtilization",) if serving.provisioned else ()),
            )
            used, load_title, load = (
                ("MemoryUtilization",),
                "share of what may run at once",
                [metric(requests, kind, "Maximum") for kind in kinds],
            )
        if isinstance(serving, Asynchronous):
            asked, load_title = "InvocationsProcessed", "requests that wait or are answered"
            load = [of_queue("ApproximateBacklogSize"), of_queue("ApproximateAgeOfOldestRequest")]
        if isinstance(serving, Component):
            resources, used = "/aws/sagemaker/InferenceComponents", ("CPUUtilizationNormalized", "MemoryUtilizationNormalized")
            load_title, load = "requests per copy and minute", [metric(requests, "InvocationsPerCopy", "Sum")]
        latency = [metric(requests, "ModelLatency", statistic) for statistic in ("p50", "p90", "p99")]
        cold = [metric(requests, "ModelSetupTime", "Maximum")] if isinstance(serving, Serverless) else None
        runs = "containers" if cold else "copies" if isinstance(serving, Component) else "instances"
        errors = [metric(requests, kind, "Sum") for kind in ("Invocation4XXErrors", "Invocation5XXErrors")]
        self._dashboard.add_widgets(
            self._graph(f"{name}: requests", [metric(requests, asked, "Sum")], errors),
            self._graph(f"{name}: model latency (µs)", latency, cold),
            self._graph(f"{name}: {load_title}", load),
            self._graph(f"{name}: {runs} (%)", [metric(resources, kind, "Average") for kind in used]),
        )

    def _add_member(self, environment: Environment, serving: Member) -> None:
        """By version, and of the fleet what all of its models share."""
        names = self._names.at(environment.name)
        fleet = {"EndpointName": names.fleet(serving.fleet).endpoint, "VariantName": VARIANT}

        def lines(metric: str, statistic: str) -> cloudwatch.MathExpression:
            return self._search(environment, metric, statistic, live_metrics.DIMENSIONS, label=f"{metric} {statistic}")

        def of_fleet(namespace: str, metric_name: str, statistic: str) -> cloudwatch.Metric:
            return self._of(environment, namespace, metric_name, statistic, f"{metric_name} {statistic}", fleet)

        resources = [of_fleet("/aws/sagemaker/Endpoints", kind, "Average") for kind in ("CPUUtilization", "MemoryUtilization")]
        waits = [of_fleet("AWS/SageMaker", "ModelLoadingWaitTime", "Maximum")]
        self._dashboard.add_widgets(
            self._graph(f"{names.endpoint}: requests", [lines(MILLISECONDS, "SampleCount")], [lines(FAILED, "Sum")]),
            self._graph(f"{names.endpoint}: latency (ms)", [lines(MILLISECONDS, statistic) for statistic in ("p50", "p90", "p99")]),
            self._graph(f"{fleet['EndpointName']}: instances (%)", resources),
            self._graph(f"{fleet['EndpointName']}: waits for loading (µs)", waits, [of_fleet("AWS/SageMaker", "ModelCacheHit", "Average")]),
        )

    def _add_beside(self, environment: Environment, where: str, other: str) -> None:
        """Both variants, as long as a version is beside the one that serves."""
        name = self._names.at(environment.name).endpoint

        def both(metric_name: str, statistic: str) -> list[cloudwatch.IMetric]:
            variants = (VARIANT, other)
            return [
                self._metric(environment, "AWS/SageMaker", metric_name, statistic, f"{variant} {metric_name}", VariantName=variant)
                for variant in variants
            ]

        self._dashboard.add_widgets(
            self._graph(f"{name}: {where}, requests and 5xx", both("Invocations", "Sum"), both("Invocation5XXErrors", "Sum")),
            self._graph(f"{name}: {where}, p99 latency (µs)", both("ModelLatency", "p99")),
        )

    def _add_predictions(self, environment: Environment) -> None:
        """A minute after the traffic, a line for each version (and class)."""
        names = self._names.at(environment.name)

        def lines(metric: str, statistic: str, *dimensions: str) -> cloudwatch.MathExpression:
            return self._search(environment, metric, statistic, (*live_metrics.DIMENSIONS, *dimensions), label=metric)

        counts = [lines(metric, "Sum") for metric in (live_metrics.REFUSED, live_metrics.MISSING, live_metrics.UNSEEN)]
        self._dashboard.add_widgets(
            self._graph(
                f"{names.endpoint}: predictions", [lines(item, "Average") for item in (live_metrics.MEAN, *live_metrics.QUANTILES)]
            ),
            self._graph(f"{names.endpoint}: share of each class", [lines(live_metrics.CLASS_SHARE, "Average", "Class")]),
            self._graph(f"{names.endpoint}: refused, missing, unseen", counts, [lines(live_metrics.REQUESTS, "Sum")]),
            self._graph(f"{names.endpoint}: distance from the validation rows", [lines(live_metrics.DISTANCE, "Average")]),
        )

    def _add_findings(self, environments: Sequence[Environment]) -> None:
        findings = [
            self._metric(environment, self._names.metrics_namespace, kind, "Maximum", f"{environment.name} {kind}", minutes=60)
            for environment in environments
            for kind in METRICS
        ]
        rows = [
            self._metric(
                environment, self._names.metrics_namespace, JUDGED_ROWS, "Maximum", f"{environment.name} {JUDGED_ROWS}", minutes=60
            )
            for environment in environments
        ]
        self._dashboard.add_widgets(cloudwatch.GraphWidget(title="Monitoring: limits broken", left=findings, right=rows, width=24))

    def _add_effects(self, environments: Sequence[Environment]) -> None:
        """Every feature that has been judged."""
        graphs = []
        for environment in environments:
            search = self._search(environment, EFFECT, "Maximum", ("EndpointName", "Feature"), label="", minutes=60)
            title = f"{self._names.at(environment.name).endpoint}: drift of each feature"
            graphs.append(cloudwatch.GraphWidget(title=title, left=[search], width=24 // len(environments)))
        self._dashboard.add_widgets(*graphs)

    def _search(
        self, environment: Environment, metric: str, statistic: str, dimensions: Sequence[str], *, label: str, minutes: int = 1
    ) -> cloudwatch.MathExpression:
        """A metric by its name with whatever values its dimensions have: a version or a feature that comes or goes changes no dashboard.

        A namespace has to be quoted where it has other signs than letters and digits: "Search expression syntax" of the CloudWatch guide.
        """
        place, endpoint = self._places.of(environment), self._names.at(environment.name).endpoint
        schema = ",".join((f'"{self._names.metrics_namespace}"', *dimensions))
        terms = f'MetricName="{metric}" EndpointName="{endpoint}"'
        return cloudwatch.MathExpression(
            expression=f"SEARCH('{{{schema}}} {terms}', '{statistic}', {60 * minutes})",
            label=label,
            using_metrics={},
            period=_minutes(minutes),
            search_region=place.region if place.region != self._places.home.region else None,
            search_account=place.account if self._places.is_elsewhere(environment) else None,
        )

    def _metric(
        self, environment: Environment, namespace: str, name: str, statistic: str, label: str, *, minutes: int = 1, **dimensions: str
    ) -> cloudwatch.Metric:
        endpoint = self._names.at(environment.name).endpoint
        return self._of(environment, namespace, name, statistic, label, {"EndpointName": endpoint, **dimensions}, minutes=minutes)

    def _of(
        self,
        environment: Environment,
        namespace: str,
        name: str,
        statistic: str,
        label: str,
        dimensions: Mapping[str, str],
        *,
        minutes: int = 1,
    ) -> cloudwatch.Metric:
        place = self._places.of(environment)
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map=dict(dimensions),
            statistic=statistic,
            period=_minutes(minutes),
            label=label,
            account=place.account if self._places.is_elsewhere(environment) else None,
            region=place.region if place.region != self._places.home.region else None,
        )

    @staticmethod
    def _graph(title: str, left: list[cloudwatch.IMetric], right: list[cloudwatch.IMetric] | None = None) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(title=title, left=left, right=right, width=6)
