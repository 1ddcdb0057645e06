"""A log group whose events expire, encrypted with the project's key. Every construct that logs uses it."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct


class RetainedLogGroup(logs.LogGroup):
    """`retention_days` is one of the values CloudWatch Logs accepts (checked in settings.py). `name` only where a service fixes it."""

    def __init__(self, scope: Construct, construct_id: str, *, retention_days: int, key: kms.IKey, name: str | None = None) -> None:
        super().__init__(
            scope,
            construct_id,
            log_group_name=name,
            encryption_key=key,
            # The enum's members are words (THREE_MONTHS); L1 takes the number itself.
            retention=logs.RetentionDays.INFINITE,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        self.node.default_child.retention_in_days = retention_days
