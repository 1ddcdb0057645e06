"""The key of a place: it encrypts the data, artifacts, logs, queues and alerts there."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.permissions import Permission
from infra.places import Place
from settings_schema import Project

#: Condition of `kms:CreateGrant`: only for a service that acts for the caller, such as for a job's volume.
FOR_AWS_RESOURCES: dict[str, object] = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
#: What reading encrypted objects takes: "Create a pipeline that uses resources from another AWS account" of the CodePipeline user guide.
TO_READ = ("kms:Decrypt", "kms:DescribeKey")


class EncryptionKey(kms.Key):
    """Rotated yearly. Roles of its account get its use from their own policies; only services that act without a role are named here."""

    def __init__(self, scope: Construct, construct_id: str, *, project: Project, alias: str, description: str) -> None:
        super().__init__(
            scope,
            construct_id,
            alias=alias,
            description=description,
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.RETAIN if project.retain_data else cdk.RemovalPolicy.DESTROY,
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


def by_alias(sid: str, place: Place, alias: str, actions: Sequence[str]) -> Permission:
    """Use of a key of another stack or account, whose id nobody knows before it is there.

    An alias is no resource of such a permission, so it is a condition on the account's keys: "Use aliases to control access to KMS keys" of
    the KMS developer guide.
    """
    return Permission(sid, actions, [place.arn("kms", "key/*")], {"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}})
