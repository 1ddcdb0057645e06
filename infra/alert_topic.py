"""Where every alarm of a place speaks."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from settings_schema import Project


class AlertTopic(sns.Topic):
    """Encrypted, TLS only. `Project.notification_email` subscribes a person, who confirms once by mail."""

    def __init__(self, scope: Construct, construct_id: str, *, project: Project, key: kms.IKey) -> None:
        super().__init__(scope, construct_id, master_key=key, enforce_ssl=True)
        account = cdk.Stack.of(self).account
        self.grant_publish(iam.ServicePrincipal("cloudwatch.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": account}}))
        if project.notification_email:
            self.add_subscription(subscriptions.EmailSubscription(project.notification_email))
