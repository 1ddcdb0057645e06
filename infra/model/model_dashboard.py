"""The dashboard: alarms first, then one row per endpoint, then what monitoring found."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.monitoring.drift_metrics import METRICS, namespace
from settings import Environment, Project

VARIANT = "AllTraffic"
_MINUTE = cdk.Duration.minutes(1)


class ProjectDashboard(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        environments: Sequence[Environment],
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, construct_id)
        self._project = project
        self._dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=project.name, default_interval=cdk.Duration.hours(12))
        self._dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24))
        for environment in environments:
            self._add_endpoint(environment)
        self._add_findings(environments)

    def _add_endpoint(self, environment: Environment) -> None:
        name = self._project.endpoint_name(environment)
        requests, instances = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
        errors = [self._metric(requests, metric, name, "Sum") for metric in ("Invocation4XXErrors", "Invocation5XXErrors")]
        latency = [self._metric(requests, "ModelLatency", name, statistic) for statistic in ("p50", "p90", "p99")]
        load = [self._metric(instances, metric, name, "Average") for metric in ("CPUUtilization", "MemoryUtilization", "DiskUtilization")]
        per_instance = self._metric(requests, "InvocationsPerInstance", name, "Sum")
        self._dashboard.add_widgets(
            self._graph(f"{name}: requests", [self._metric(requests, "Invocations", name, "Sum")], errors),
            self._graph(f"{name}: model latency (µs)", latency),
            self._graph(f"{name}: requests per instance and minute", [per_instance]),
            self._graph(f"{name}: instances (%)", load),
        )

    def _add_findings(self, environments: Sequence[Environment]) -> None:
        findings = [
            cloudwatch.Metric(
                namespace=namespace(self._project),
                metric_name=metric,
                dimensions_map={"EndpointName": self._project.endpoint_name(environment)},
                statistic="Maximum",
                period=cdk.Duration.hours(1),
                label=f"{environment.name} {metric}",
            )
            for environment in environments
            for metric in METRICS
        ]
        self._dashboard.add_widgets(cloudwatch.GraphWidget(title="Monitoring: limits broken", left=findings, width=24))

    @staticmethod
    def _metric(metric_namespace: str, name: str, endpoint: str, statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=metric_namespace,
            metric_name=name,
            dimensions_map={"EndpointName": endpoint, "VariantName": VARIANT},
            statistic=statistic,
            period=_MINUTE,
            label=f"{name} {statistic}",
        )

    @staticmethod
    def _graph(title: str, left: list[cloudwatch.IMetric], right: list[cloudwatch.IMetric] | None = None) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(title=title, left=left, right=right, width=6)
