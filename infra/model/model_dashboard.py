"""A model's dashboard: alarms first, then one row per endpoint, then what monitoring found, in every environment and of each feature.

Metrics of an environment in another account are shown where CloudWatch may see them from here: "CloudWatch cross-account observability" of
its user guide, which an organisation sets up once, for all that it runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.drift_metrics import EFFECT, JUDGED_ROWS, METRICS
from infra.places import Context
from settings_schema import Endpoint, Environment, Model
from settings_schema.names import VARIANT


class ModelDashboard(Construct):
    def __init__(self, scope: Construct, construct_id: str, *, context: Context, model: Model, alarms: Sequence[cloudwatch.IAlarm]) -> None:
        super().__init__(scope, construct_id)
        self._places = context.places
        self._names = model.names(context.project)
        self._dashboard = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=self._names.dashboard, default_interval=cdk.Duration.hours(12)
        )
        self._dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24))
        endpoints = [item for item in context.settings.environments if isinstance(model.serving[item.name], Endpoint)]
        for environment in endpoints:
            self._add_endpoint(environment)
        if model.watch is not None:
            self._add_findings(context.settings.environments)
            self._add_effects(context.settings.environments)

    def _add_endpoint(self, environment: Environment) -> None:
        name = self._names.at(environment.name).endpoint
        requests, instances = "AWS/SageMaker", "/aws/sagemaker/Endpoints"

        def metric(namespace: str, metric_name: str, statistic: str) -> cloudwatch.Metric:
            return self._metric(environment, namespace, metric_name, statistic, f"{metric_name} {statistic}", VariantName=VARIANT)

        errors = [metric(requests, kind, "Sum") for kind in ("Invocation4XXErrors", "Invocation5XXErrors")]
        latency = [metric(requests, "ModelLatency", statistic) for statistic in ("p50", "p90", "p99")]
        load = [metric(instances, kind, "Average") for kind in ("CPUUtilization", "MemoryUtilization", "DiskUtilization")]
        self._dashboard.add_widgets(
            self._graph(f"{name}: requests", [metric(requests, "Invocations", "Sum")], errors),
            self._graph(f"{name}: model latency (µs)", latency),
            self._graph(f"{name}: requests per instance and minute", [metric(requests, "InvocationsPerInstance", "Sum")]),
            self._graph(f"{name}: instances (%)", load),
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
        """Every feature that has been judged, found by its name: a feature that comes or goes changes no dashboard.

        Source: "Using search expressions in graphs" of the CloudWatch user guide.
        """
        graphs = []
        for environment in environments:
            place, endpoint = self._places.of(environment), self._names.at(environment.name).endpoint
            schema = f'{{"{self._names.metrics_namespace}",EndpointName,Feature}}'
            search = cloudwatch.MathExpression(
                expression=f"SEARCH('{schema} MetricName=\"{EFFECT}\" EndpointName=\"{endpoint}\"', 'Maximum', 3600)",
                label="",
                using_metrics={},
                period=cdk.Duration.minutes(60),
                search_region=place.region if place.region != self._places.home.region else None,
                search_account=place.account if self._places.is_elsewhere(environment) else None,
            )
            graphs.append(cloudwatch.GraphWidget(title=f"{endpoint}: drift of each feature", left=[search], width=24 // len(environments)))
        self._dashboard.add_widgets(*graphs)

    def _metric(
        self, environment: Environment, namespace: str, name: str, statistic: str, label: str, *, minutes: int = 1, **dimensions: str
    ) -> cloudwatch.Metric:
        place = self._places.of(environment)
        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map={"EndpointName": self._names.at(environment.name).endpoint, **dimensions},
            statistic=statistic,
            period=cdk.Duration.minutes(minutes),
            label=label,
            account=place.account if self._places.is_elsewhere(environment) else None,
            region=place.region if place.region != self._places.home.region else None,
        )

    @staticmethod
    def _graph(title: str, left: list[cloudwatch.IMetric], right: list[cloudwatch.IMetric] | None = None) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(title=title, left=left, right=right, width=6)
