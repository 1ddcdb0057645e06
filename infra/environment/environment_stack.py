"""What an environment needs where it lives, in whichever account and region: key, bucket, alerts, network, and the roles of each model.

Serving stacks import from here and from nowhere else (infra/serving/imports.py). Of what is in the project's account it knows names only.
Next: infra/environment/served_model.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from constructs import Construct

from infra.alert_topic import AlertTopic
from infra.dead_letter_queue import DeadLetterQueue
from infra.encryption_key import EncryptionKey
from infra.environment.drift_forwarding import DriftForwarding
from infra.environment.served_model import ServedModel
from infra.environment.unused_configurations import UnusedConfigurations
from infra.failure_alarms import FailureAlarms
from infra.places import Context, bucket_arn, value
from infra.private_bucket import ASYNCHRONOUS_PREFIXES, CAPTURE_DAYS, CAPTURE_PREFIX, MONITORING_PREFIX, AccessLogs, PrivateBucket
from infra.serving.imports import ALERTS, BUCKET, DATA_BUCKET, DEAD_LETTERS, KEY
from infra.tags import add_tags
from settings_schema import Asynchronous, Environment, MultiModelFleet

if TYPE_CHECKING:
    from infra.network import Network


class EnvironmentStack(cdk.Stack):
    """Protected from deletion where `Environment.protected` and `Project.retain_data` are set."""

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, environment: Environment, **options: Any) -> None:
        project = context.project
        super().__init__(
            scope,
            construct_id,
            description=f"{project.name}: where {environment.name} serves",
            termination_protection=environment.protected and project.retain_data,
            **options,
        )
        self._context = context
        self._environment = environment
        self._names = environment.names(project)
        self._key = EncryptionKey(
            self, "Key", project=project, alias=self._names.key_alias, description=f"{environment.name} of {project.name}"
        )
        self._bucket = self._create_bucket()
        self._alerts = AlertTopic(self, "Alerts", project=project, key=self._key)
        self._dead_letters = DeadLetterQueue(self, "DeadLetters", key=self._key)
        FailureAlarms(self, "Failures", alarm_name=self._names.alarm, topic=self._alerts).watch_queue(self._dead_letters)
        self._network = self._private_network() if environment.in_vpc else None
        self._serve_models()
        if context.places.of(environment) != context.places.home:
            DriftForwarding(self, "Drift", context=context, environment=environment, dead_letters=self._dead_letters)
        self._export()
        add_tags(self, self._names.tags)

    @property
    def availability_zones(self) -> list[str]:
        """Overrides the CDK's look-up of the account's zones: CloudFormation chooses them at deploy time."""
        return [cdk.Fn.select(index, cdk.Fn.get_azs()) for index in range(2)]

    def _create_bucket(self) -> PrivateBucket:
        """Captured requests, rows to be scored and predictions, labels, and what the watch found. Its events start the scoring of uploads.

        Labels are a team's truth and stay; what the watch found goes with the requests it was found in.
        """
        project, name = self._context.project, self._environment.name
        queued = any(isinstance(model.serving[name], Asynchronous) for model in self._context.settings.models.values())
        bucket = PrivateBucket(
            self,
            "Bucket",
            project=project,
            name=self._context.places.environment_bucket(self._environment),
            key=self._key,
            access_logs=AccessLogs(self, "AccessLogs", project=project),
            expiring=dict.fromkeys([CAPTURE_PREFIX, MONITORING_PREFIX, *(ASYNCHRONOUS_PREFIXES if queued else ())], CAPTURE_DAYS),
        )
        bucket.send_events()
        return bucket

    def _private_network(self) -> Network:
        from infra.network import ALERTS as TO_ALERTS
        from infra.network import Network  # EC2 is by far the largest part of the CDK, and most projects need none of it

        places = self._context.places
        region, home = places.of(self._environment).region, places.home.region
        buckets = [self._bucket.bucket_arn, bucket_arn(places.artifact_bucket(region))]
        fleets = [fleet for fleet in self._context.settings.fleets.values() if self._environment.name in fleet.instances]
        if any(isinstance(fleet, MultiModelFleet) for fleet in fleets):
            buckets.append(self._assets())
        taught = [bucket_arn(places.data_bucket())]  # where the watch tells what it found
        return Network(
            self,
            "Network",
            log_retention_days=self._context.project.log_retention_days,
            key=self._key,
            buckets=[*buckets, *taught] if region == home else buckets,
            also=TO_ALERTS,
            elsewhere=None if region == home else {home: taught},
        )

    def _assets(self) -> str:
        """The bucket of the CDK's bootstrap, from which a multi-model container fetches its program (infra/fleet/multi_model_stack.py)."""
        qualifier = self.synthesizer.bootstrap_qualifier
        return bucket_arn(f"cdk-{qualifier}-assets-{self.account}-{self.region}")

    def _serve_models(self) -> None:
        given: dict[str, Any] = {"context": self._context, "environment": self._environment}
        models = Construct(self, "Models")
        for model in self._context.settings.models.values():
            ServedModel(models, model.name, model=model, key=self._key, alerts=self._alerts, dead_letters=self._dead_letters, **given)
        if any(model.is_batch_only for model in self._context.settings.models.values()):
            # One statement for all: SQS takes twenty in a queue's policy ("Amazon SQS policy quotas" of its developer guide).
            every = self._context.project.names.model("*").at(self._environment.name).rule("*")
            self._dead_letters.take_from(self._context.places.of(self._environment).arn("events", f"rule/{every}"))
        if self._context.settings.models:
            UnusedConfigurations(self, "Unused", key=self._key, dead_letters=self._dead_letters, **given)

    def _export(self) -> None:
        values = {
            KEY: self._key.key_arn,
            BUCKET: self._bucket.bucket_name,
            ALERTS: self._alerts.topic_arn,
            DATA_BUCKET: value(self._context.places.data_bucket()),
            DEAD_LETTERS: self._dead_letters.queue_arn,
            **(self._network.outputs if self._network else {}),
        }
        for name, text in values.items():
            cdk.CfnOutput(self, name, value=text, export_name=self._names.export(name))
