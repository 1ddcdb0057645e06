"""One dashboard and the alarms that watch everything but a single endpoint: pipelines, event delivery, drift.

The endpoints' own alarms are in infra/endpoint/endpoint_alarms.py; the dashboard shows them by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.foundation.foundation_stack import FoundationStack
from infra.monitoring.drift_alarms import DriftAlarms
from infra.monitoring.failure_alarms import FailureAlarms
from infra.monitoring.project_dashboard import ProjectDashboard
from settings import Environment, Project


class MonitoringStack(cdk.Stack):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        foundation: FoundationStack,
        environments: Sequence[Environment],
        dead_letters: Sequence[sqs.IQueue],
        **options: Any,
    ) -> None:
        super().__init__(scope, construct_id, description=f"{project.name}: dashboard and alarms", **options)
        topic = foundation.alerts
        failures = FailureAlarms(self, "Failures", project=project, dead_letters=dead_letters, topic=topic)
        drift = DriftAlarms(self, "Drift", project=project, environments=environments, topic=topic)
        ProjectDashboard(self, "Dashboard", project=project, environments=environments, alarms=[*failures.alarms, *drift.alarms])
