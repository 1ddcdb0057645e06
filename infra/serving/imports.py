"""What serving stacks import from their environment's stack: names of its exports, in a file of their own.

So synthesizing what serves does not import all that an environment has. Builds and people who deploy take them from the same account.
"""

from __future__ import annotations

import functools

import aws_cdk as cdk

from settings_schema import EnvironmentNames, FleetNames, ServingNames

ALERTS, BUCKET, DATA_BUCKET, DEAD_LETTERS, KEY, SECURITY_GROUP, SUBNETS = (
    *("AlertTopicArn", "BucketName", "DataBucketName", "DeadLettersArn", "KeyArn"),
    *("SecurityGroupId", "SubnetIds"),
)
INFERENCE_ROLE, SCHEDULE_ROLE, SCORING_ROLE = "InferenceRoleArn", "ScheduleRoleArn", "ScoringRoleArn"
ANSWERS_TOPIC = "AnswersTopicArn"
ENDPOINT = "EndpointName"  # of a fleet
MONITORING_ROLE, MONITORING_SCHEDULE_ROLE = "MonitoringRoleArn", "MonitoringScheduleRoleArn"


def role_export(names: ServingNames, output: str) -> str:
    """A model's own role or topic; the name of the model's stack is in it."""
    return f"{names.stack}-{output}"


@functools.cache
def _imported(export: str) -> str:
    """Two places of a template that import the same may share the value."""
    return cdk.Fn.import_value(export)


def fleet_endpoint(fleet: FleetNames) -> str:
    """Name of a fleet's endpoint. Who imports it keeps the fleet there: CloudFormation removes no export that is imported."""
    return _imported(fleet.export(ENDPOINT))


class Imports:
    """As values of a template."""

    def __init__(self, environment: EnvironmentNames, names: ServingNames) -> None:
        self._environment = environment
        self._names = names

    def of_environment(self, output: str) -> str:
        return _imported(self._environment.export(output))

    def role(self, output: str) -> str:
        return _imported(role_export(self._names, output))

    def subnets(self) -> list[str]:
        return cdk.Fn.split(",", self.of_environment(SUBNETS))
