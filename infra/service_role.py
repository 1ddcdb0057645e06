"""A role that one AWS service assumes. Whoever may pass it, may pass it to that service only."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct


class ServiceRole(iam.Role):
    """`service` is a principal such as sagemaker.amazonaws.com.

    `own_account_only` guards against the confused deputy: the service may assume the role only on behalf of this
    account. Not every service sends `aws:SourceAccount`, so it is a choice.
    """

    def __init__(self, scope: Construct, construct_id: str, *, service: str, description: str, own_account_only: bool = False) -> None:
        account = cdk.Stack.of(scope).account
        conditions = {"StringEquals": {"aws:SourceAccount": account}} if own_account_only else None
        principal = iam.ServicePrincipal(service, conditions=conditions)
        super().__init__(scope, construct_id, assumed_by=principal, description=description)
        self._service = service

    def grant_pass_role(self, identity: iam.IPrincipal) -> iam.Grant:
        """Overrides the CDK's grant, which would allow to pass the role to any service. CDK's own constructs call this too."""
        return iam.Grant.add_to_principal(
            grantee=identity,
            actions=["iam:PassRole"],
            resource_arns=[self.role_arn],
            conditions={"StringEquals": {"iam:PassedToService": self._service}},
        )

    def allow(self, sid: str, actions: list[str], resources: list[str], conditions: Mapping[str, object] | None = None) -> None:
        """One named statement, so that a reader of the role sees what each permission is for."""
        self.add_to_policy(iam.PolicyStatement(sid=sid, actions=actions, resources=resources, conditions=conditions))
