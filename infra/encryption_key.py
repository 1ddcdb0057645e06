"""The key that encrypts the project's data, artifacts, logs, queues and alerts."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from settings import Project

#: Condition of `kms:CreateGrant`: only for a service that acts for the caller, such as for a job's volume.
FOR_AWS_RESOURCES: dict[str, object] = {"Bool": {"kms:GrantIsForAWSResource": "true"}}


class ProjectKey(kms.Key):
    """Rotated yearly. Roles get its use from their own policies; only services that act without a role are named here."""

    def __init__(self, scope: Construct, construct_id: str, *, project: Project, removal_policy: cdk.RemovalPolicy) -> None:
        super().__init__(
            scope,
            construct_id,
            alias=f"alias/{project.name}",
            description=f"Data, artifacts and messages of {project.name}",
            enable_key_rotation=True,
            removal_policy=removal_policy,
            pending_window=cdk.Duration.days(30 if project.retain_data else 7),
        )
        self._let_alarms_and_events_publish()
        self._let_logs_encrypt()

    def _let_alarms_and_events_publish(self) -> None:
        """Without this, an alarm's message to the encrypted topic, or an event's to an encrypted queue, is lost silently."""
        self.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsAndEvents",
                principals=[iam.ServicePrincipal(f"{service}.amazonaws.com") for service in ("cloudwatch", "events")],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],  # in a key policy, the key itself
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}},
            )
        )

    def _let_logs_encrypt(self) -> None:
        stack = cdk.Stack.of(self)
        groups = stack.format_arn(service="logs", resource="log-group", resource_name="*", arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME)
        self.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Logs",
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"],
                resources=["*"],  # in a key policy, the key itself
                # Logs sends no source account with its requests; the group's ARN holds the account.
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            )
        )
