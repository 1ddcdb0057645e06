"""Service-linked roles that the templates' resources need: there already, or who deploys the stack may make them.

Source: Application Auto Scaling user guide, "Service-linked roles": the role is made when a target is registered, with the permissions of
who registers it (`iam:CreateServiceLinkedRole`). That is the role that a pipeline's CloudFormation action names, if it is one of the
templates; else the bootstrap's, an administrator by default, of which IAM's simulation says what it may.
An interface VPC endpoint, a schedule or a flow log of the template needs none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from preflight.assembly import UNKNOWN, Stack
from preflight.finding import Finding, NotSeenError, failed, not_seen, passed, unseen
from preflight.situation import Situation

_TARGET, _POLICIES = "AWS::ApplicationAutoScaling::ScalableTarget", ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
#: Namespace of a scalable target -> what its role's name ends with. Source: the guide's "Services that integrate", each service's page.
_ROLES = {
    "cassandra": "CassandraTable",
    "custom-resource": "CustomResource",
    "dynamodb": "DynamoDBTable",
    "ecs": "ECSService",
    "kafka": "KafkaCluster",
    "lambda": "LambdaConcurrency",
    "rds": "RDSCluster",
    "sagemaker": "SageMakerEndpoint",
}
_MAKE, _WHAT = "iam:CreateServiceLinkedRole", "scaling role"
_ADMINISTRATOR = ":iam::aws:policy/AdministratorAccess"


def check_service_roles(situation: Situation) -> Iterator[Finding]:
    """A line for each service whose resources scale."""
    scaled: dict[str, list[Stack]] = {}
    for stack, _, properties in situation.resources(_TARGET):
        scaled.setdefault(situation.place.text(properties.get("ServiceNamespace")) or "?", []).append(stack)
    for namespace, stacks in sorted(scaled.items()):
        if namespace in _ROLES:
            yield _role(situation, namespace, stacks)
        else:
            yield unseen(
                _WHAT, f"which role scales resources of '{namespace}' is not known here", "its first deployment says whether it may"
            )


def _role(situation: Situation, namespace: str, stacks: list[Stack]) -> Finding:
    service, name = f"{namespace}.application-autoscaling.amazonaws.com", f"AWSServiceRoleForApplicationAutoScaling_{_ROLES[namespace]}"
    if situation.account.find("iam", "get_role", RoleName=name) is not None:
        return passed(_WHAT, f"{name} is there")
    command = f"aws iam create-service-linked-role --aws-service-name {service}"
    unknown = ""
    for stack in stacks:
        role = _deploying_role(situation, stack)
        if role is not None and not may_make(*role, service):
            found = f"{name} is not there, and the role of the templates that deploys {stack.name} may not make it"
            return failed(_WHAT, found, "make it once", command)
        if role is None:
            try:
                unknown = unknown or _bootstrap_lacks(situation, stack, service, name)
            except NotSeenError as error:
                return not_seen(_WHAT, error, f"an administrator, as the bootstrap's role is by default, may make {name}")
    if unknown:
        return unseen(_WHAT, f"{name} is not there, and {unknown}", "if it may not, make it once", command)
    return passed(_WHAT, f"{name} is not there yet; the first deployment of what scales makes it, and may")


def _deploying_role(situation: Situation, stack: Stack) -> tuple[Stack, str] | None:
    """The role of the templates with which a pipeline of the templates deploys this stack: its own stack and logical id."""
    for home in situation.everywhere:
        for pipeline in home.resources("AWS::CodePipeline::Pipeline").values():
            for action in (action for stage in pipeline["Stages"] for action in stage["Actions"]):
                given = action.get("Configuration", {})
                deploys = (
                    action["ActionTypeId"]["Provider"] == "CloudFormation" and situation.place.text(given.get("StackName")) == stack.name
                )
                if deploys and (role := _found(situation, home, given.get("RoleArn"))):
                    return role
    return None


def _found(situation: Situation, home: Stack, arn: Any) -> tuple[Stack, str] | None:
    """The role that an action names: by reference in its own stack, or by name in a stack of this account."""
    logical_id = arn["Fn::GetAtt"][0] if isinstance(arn, Mapping) and "Fn::GetAtt" in arn else None
    if logical_id in home.resources("AWS::IAM::Role"):
        return home, logical_id
    name = situation.place.loosely(arn).rsplit("/", 1)[-1]
    for stack in situation.everywhere:
        for role, properties in stack.resources("AWS::IAM::Role").items():
            if stack.account in (UNKNOWN, situation.place.account) and situation.place.text(properties.get("RoleName")) == name:
                return stack, role
    return None


def may_make(stack: Stack, role: str, service: str) -> bool:
    """Whether a role of a template (its logical id) is allowed to make this service's role, by its own and its stack's policies."""
    properties = stack.resources("AWS::IAM::Role")[role]
    if any(_ADMINISTRATOR in str(arn) for arn in properties.get("ManagedPolicyArns", [])):
        return True
    attached = [
        policy for policy in stack.resources(*_POLICIES).values() if {"Ref": role} in [*policy.get("Roles", []), policy.get("RoleName")]
    ]
    documents = [policy["PolicyDocument"] for policy in (*properties.get("Policies", []), *attached)]
    return any(_allows(statement, service) for document in documents for statement in document["Statement"])


def _allows(statement: Mapping[str, Any], service: str) -> bool:
    actions = statement.get("Action", [])
    actions = [actions] if isinstance(actions, str) else actions
    named = statement.get("Condition", {}).get("StringEquals", {}).get("iam:AWSServiceName", service)
    return statement["Effect"] == "Allow" and any(fnmatchcase(_MAKE.lower(), item.lower()) for item in actions) and service in named


def _bootstrap_lacks(situation: Situation, stack: Stack, service: str, name: str) -> str:
    """Why it is not sure that who deploys the stack may make the role; empty if the bootstrap's role may."""
    arn = situation.place.filled(str(stack.properties.get("cloudFormationExecutionRoleArn", "")))
    if not arn:
        return f"what deploys {stack.name} is not of the templates, so that its permissions were not looked at"
    answer = situation.account.find(
        "iam",
        "simulate_principal_policy",
        PolicySourceArn=arn,
        ActionNames=[_MAKE],
        ResourceArns=[f"arn:{arn.split(':')[1]}:iam::{situation.place.account}:role/aws-service-role/{service}/{name}"],
        ContextEntries=[{"ContextKeyName": "iam:AWSServiceName", "ContextKeyValues": [service], "ContextKeyType": "string"}],
    )
    allowed = answer and any(item["EvalDecision"] == "allowed" for item in answer["EvaluationResults"])
    role = arn.rsplit("/", 1)[-1]
    return "" if allowed else f"the simulation of IAM does not say that {role}, which deploys {stack.name}, may make it"
