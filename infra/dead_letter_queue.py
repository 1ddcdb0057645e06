"""Where an event waits that could not be delivered or handled. Its depth is an alarm: failure_alarms.py."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

#: What a producer needs of an encrypted queue's key: "Key management" of the SQS developer guide. The CDK's grant gives more.
TO_SEND = ("kms:GenerateDataKey", "kms:Decrypt")


class DeadLetterQueue(sqs.Queue):
    """Keeps a message for 14 days, the longest that SQS allows: time for someone to read why and to send it again."""

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )

    def take_from(self, rule_arns: str) -> None:
        """EventBridge's dead letters of rules by a pattern of ARNs, which another stack makes later."""
        sender = iam.ServicePrincipal("events.amazonaws.com", conditions={"ArnLike": {"aws:SourceArn": rule_arns}})
        self.add_to_resource_policy(iam.PolicyStatement(principals=[sender], actions=["sqs:SendMessage"], resources=[self.queue_arn]))

    def add_to_resource_policy(self, statement: iam.PolicyStatement) -> iam.AddToResourcePolicyResult:
        """Whoever may send does it for this account: also where the CDK's own constructs allow it."""
        if statement.effect == iam.Effect.ALLOW:
            statement.add_conditions({"StringEquals": {"aws:SourceAccount": cdk.Stack.of(self).account}})
        return super().add_to_resource_policy(statement)
