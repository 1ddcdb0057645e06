"""Roles whose permissions are part of them: a role and what it may do are there at once, so nothing that is made with it comes too early.

CDK's own constructs add to them by the same way, so that subclasses can narrow what these ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.permissions import Permission, Permissions, Statement, allowing, as_json


class Grantee(Protocol):
    """A role, or what has one of its own."""

    def allow(self, sid: str, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, object] | None = None) -> None: ...

    def allow_all(self, permissions: Sequence[Permission]) -> None: ...


class NamedRole(iam.Role):
    """`role_name` is given where another account, or a stack that is deployed apart, has to know it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, assumed_by: iam.IPrincipal, description: str, role_name: str | None = None
    ) -> None:
        self._permissions = Permissions()
        super().__init__(
            scope,
            construct_id,
            assumed_by=assumed_by,
            description=description,
            role_name=role_name,
            inline_policies={"Permissions": self._permissions},
        )

    def add_to_principal_policy(self, statement: iam.PolicyStatement) -> iam.AddToPrincipalPolicyResult:
        """Overrides the CDK's, which makes a policy of its own; CDK's own constructs call this."""
        for narrowed in self.narrowed(as_json(statement)):
            self._permissions.add(narrowed)
        return iam.AddToPrincipalPolicyResult(statement_added=True, policy_dependable=self)

    def narrowed(self, asked: Statement) -> Sequence[Statement]:
        """What a role gets of what the CDK asks for. Subclasses give less."""
        return [asked]

    def allow(self, sid: str, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, object] | None = None) -> None:
        """Just so, which is not narrowed."""
        self._permissions.add(allowing(actions, resources, sid=sid, conditions=conditions))

    def allow_all(self, permissions: Sequence[Permission]) -> None:
        for permission in permissions:
            self.allow(*permission)


class ServiceRole(NamedRole):
    """A role that one AWS service assumes. Whoever may pass it, may pass it to that service only.

    `service` is a principal such as sagemaker.amazonaws.com. `own_account_only` guards against the confused deputy: the service may
    assume the role only on behalf of this account. Not every service sends `aws:SourceAccount`, so it is a choice.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        service: str,
        description: str,
        role_name: str | None = None,
        own_account_only: bool = False,
    ) -> None:
        conditions = {"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}} if own_account_only else None
        principal = iam.ServicePrincipal(service, conditions=conditions)
        super().__init__(scope, construct_id, assumed_by=principal, description=description, role_name=role_name)
        self._service = service

    def grant_pass_role(self, identity: iam.IPrincipal) -> iam.Grant:
        """Overrides the CDK's grant, which would allow to pass the role to any service. CDK's own constructs call this too."""
        return iam.Grant.add_to_principal(
            grantee=identity,
            actions=["iam:PassRole"],
            resource_arns=[self.role_arn],
            conditions=passed_to(self._service),
        )


def passed_to(service: str) -> dict[str, object]:
    """Condition of `iam:PassRole`."""
    return {"StringEquals": {"iam:PassedToService": service}}
