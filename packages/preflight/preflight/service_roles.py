"""Service-linked roles that the templates' resources need: there already, or somebody in the deployment may make them.

Source: Application Auto Scaling user guide, "Service-linked roles": the role is made when a target is registered, with the permissions of
who registers it (`iam:CreateServiceLinkedRole`). An interface VPC endpoint, a schedule or a flow log of the template needs none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from preflight.finding import Finding, failed, passed
from preflight.situation import Situation

_TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
#: Namespace of a scalable target -> the service that its role is linked to, and the role's name.
_ROLES = {"sagemaker": ("sagemaker.application-autoscaling.amazonaws.com", "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint")}


def check_service_roles(situation: Situation) -> Iterator[Finding]:
    namespaces = {properties["ServiceNamespace"] for _, _, properties in situation.resources(_TARGET)}
    for service, name in (_ROLES[namespace] for namespace in sorted(namespaces)):
        if situation.account.find("iam", "get_role", RoleName=name) is not None:
            yield passed("scaling role", f"{name} is there")
        elif may_make(situation, service):
            yield passed("scaling role", f"{name} is not there yet; the first deployment of an endpoint makes it, and may")
        else:
            command = f"aws iam create-service-linked-role --aws-service-name {service}"
            yield failed("scaling role", f"{name} is not there, and no role of the templates may make it", "make it once", command)


def may_make(situation: Situation, service: str) -> bool:
    """Whether a role of the templates is allowed to make this service's role."""
    for _, _, properties in situation.resources("AWS::IAM::Policy", "AWS::IAM::Role"):
        documents = [properties.get("PolicyDocument"), *(item["PolicyDocument"] for item in properties.get("Policies", []))]
        statements = [statement for document in documents if document for statement in document["Statement"]]
        if any(_allows(statement, service) for statement in statements):
            return True
    return False


def _allows(statement: dict[str, Any], service: str) -> bool:
    actions = statement.get("Action", [])
    actions = [actions] if isinstance(actions, str) else actions
    named = statement.get("Condition", {}).get("StringEquals", {}).get("iam:AWSServiceName", service)
    return statement["Effect"] == "Allow" and "iam:CreateServiceLinkedRole" in actions and service in named
