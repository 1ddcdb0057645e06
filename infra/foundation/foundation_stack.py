"""What outlives every model, in the project's own account and region: key, buckets, alert topic and, if set, the network.

Its outputs tell scripts where the project is. Next: infra/foundation/regional_stack.py, infra/build/build_stack.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from infra.alert_topic import AlertTopic
from infra.encryption_key import TO_READ, EncryptionKey
from infra.places import Context
from infra.private_bucket import CHECKPOINT_DAYS, AccessLogs, PrivateBucket, readable_elsewhere
from infra.tags import add_tags
from settings_schema import Environment
from settings_schema.names import CHECKPOINTS

if TYPE_CHECKING:
    from constructs import Construct

    from infra.network import Network


class FoundationStack(cdk.Stack):
    """Kept, and protected from deletion, as long as `Project.retain_data` is set."""

    def __init__(self, scope: Construct, construct_id: str, *, context: Context, **options: Any) -> None:
        project = context.project
        description = f"{project.name}: key, buckets and alerts"
        super().__init__(scope, construct_id, description=description, termination_protection=project.retain_data, **options)
        self._context = context
        self._key = EncryptionKey(
            self, "Key", project=project, alias=project.names.key_alias, description=f"Data, artifacts and messages of {project.name}"
        )
        self._access_logs = AccessLogs(self, "AccessLogs", project=project)
        self._data = self._bucket("Data", context.places.data_bucket())
        self._data.send_events()  # which is how new training data starts a run
        self._artifacts = self._bucket(
            "Artifacts", context.places.artifact_bucket(context.places.home.region), {CHECKPOINTS: CHECKPOINT_DAYS}
        )
        self._data_by_name, self._artifacts_by_name = self._by_name("Data", self._data), self._by_name("Artifacts", self._artifacts)
        self._alerts = AlertTopic(self, "Alerts", project=project, key=self._key)
        self._network = self._private_network() if project.in_vpc else None
        self._let_environments_in()
        self._tell()
        add_tags(self, project.names.tags)

    @property
    def key(self) -> kms.IKey:
        return self._key

    @property
    def data_bucket(self) -> s3.IBucket:
        return self._data_by_name

    @property
    def artifact_bucket(self) -> s3.IBucket:
        """By its name: the CDK would let roles of other accounts in here that are not there yet, which neither S3 nor KMS takes."""
        return self._artifacts_by_name

    @property
    def alerts(self) -> AlertTopic:
        return self._alerts

    @property
    def network_environment(self) -> dict[str, str]:
        """Environment variables that put the jobs of the SageMaker pipelines into the VPC; empty without one."""
        if self._network is None:
            return {}
        outputs = self._network.outputs
        return {"VPC_SUBNET_IDS": outputs["SubnetIds"], "VPC_SECURITY_GROUP_IDS": outputs["SecurityGroupId"]}

    @property
    def availability_zones(self) -> list[str]:
        """Overrides the CDK's look-up of the account's zones: CloudFormation chooses them at deploy time."""
        return [cdk.Fn.select(index, cdk.Fn.get_azs()) for index in range(2)]

    def _bucket(self, construct_id: str, name: str, expiring: Mapping[str, int] | None = None) -> PrivateBucket:
        project, key, logs = self._context.project, self._key, self._access_logs
        return PrivateBucket(self, construct_id, project=project, name=name, key=key, access_logs=logs, expiring=expiring)

    def _by_name(self, construct_id: str, bucket: PrivateBucket) -> s3.IBucket:
        key = kms.Key.from_key_arn(self, f"{construct_id}Key", self._key.key_arn)
        return s3.Bucket.from_bucket_attributes(self, f"{construct_id}ByName", bucket_name=bucket.given_name, encryption_key=key)

    def _private_network(self) -> Network:
        from infra.network import Network  # EC2 is by far the largest part of the CDK, and most projects need none of it

        buckets = [self._data.bucket_arn, self._artifacts.bucket_arn]
        return Network(self, "Network", log_retention_days=self._context.project.log_retention_days, key=self._key, buckets=buckets)

    def _let_environments_in(self) -> None:
        """Environments in other accounts: they read versions here, and tell of drift.

        Source of the latter: "Sending and receiving events between AWS accounts" of the EventBridge user guide.
        """
        project, places = self._context.project, self._context.places
        readable_elsewhere(self._key, self._artifacts, self._context, places.home.region)
        for environment in self._context.settings.environments:
            if places.is_elsewhere(environment):
                names, place = environment.names(project), places.of(environment)
                self._let_watches_teach(environment)
                events.CfnEventBusPolicy(
                    self,
                    f"EventsOf{environment.name.title()}",
                    statement_id=names.forwarding_role,
                    statement={
                        "Effect": "Allow",
                        "Principal": {"AWS": place.root()},
                        "Action": "events:PutEvents",
                        "Resource": places.home.event_bus(),
                        "Condition": {
                            "ArnEquals": {"aws:PrincipalArn": place.role(names.forwarding_role)},
                            # A key of several values, which needs a set operator; without any, it would hold.
                            "ForAllValues:StringEquals": {"events:source": "aws.cloudwatch"},
                            "Null": {"events:source": "false"},
                        },
                    },
                )

    def _let_watches_teach(self, environment: Environment) -> None:
        """Watches in another account, each by its own role: what they learned and found lies where the model is trained.

        Objects are the bucket's owner's (its BucketOwnerEnforced), and each role's own policy says of which model.
        """
        every = self._context.project.names.model("*").at(environment.name)
        given = {"principals": [self._context.places.of(environment).principals(every.monitoring_role)]}
        written = [self._data.arn_for_objects(f"{every.learned}*"), self._data.arn_for_objects(every.feedback)]
        for actions, resources in ((["s3:GetObject", "s3:PutObject"], written), (["s3:ListBucket"], [self._data.bucket_arn])):
            self._data.add_to_resource_policy(iam.PolicyStatement(**given, actions=actions, resources=resources))
        self._key.add_to_resource_policy(iam.PolicyStatement(**given, actions=[*TO_READ, "kms:GenerateDataKey"], resources=["*"]))

    def _tell(self) -> None:
        values = {
            "DataBucketName": self._data.bucket_name,
            "ArtifactBucketName": self._artifacts.bucket_name,
            "KeyArn": self._key.key_arn,
            "AlertTopicArn": self._alerts.topic_arn,
            **(self._network.outputs if self._network else {}),
        }
        for name, value in values.items():
            cdk.CfnOutput(self, name, value=value)
