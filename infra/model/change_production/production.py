"""The stack that serves, as functions see it that change its parameters and nothing else: neither its template nor its version.

Used by shadow.py and experiment.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

APPROVED = "Approved"
#: Parameters of every such stack (settings_schema/rollout.py).
UPDATE, AT_ONCE = "Update", "at-once"
#: Another one, where production scales. After another instance type it is "given", and would set the fleet back to what it had then.
CAPACITY, KEPT = "Capacity", "kept"
_STACK = "AWS::CloudFormation::Stack"
_OUTPUT = "DeployedModelPackageArn"
_COPY_OF = "copy of "  # deploy_scripts/regional_copy.py


_ON = ("InProgress", "Stopping")


@dataclass(frozen=True)
class Names:
    """What both functions know. `role`: assumed where production is another account. `release`: the stage that deploys to production."""

    group: str
    stack: str
    endpoint: str
    region: str
    role: str
    deploy_pipeline: str
    return_pipeline: str
    release: str

    @staticmethod
    def known(variables: Mapping[str, str]) -> dict[str, str]:
        return {
            "group": variables["MODEL_PACKAGE_GROUP"],
            "stack": variables["STACK_NAME"],
            "endpoint": variables["ENDPOINT_NAME"],
            "region": variables["REGION"],
            "role": variables["ROLE_ARN"],
            "deploy_pipeline": variables["DEPLOY_PIPELINE_NAME"],
            "return_pipeline": variables["RETURN_PIPELINE_NAME"],
            "release": variables["PRODUCTION_STAGE_NAME"],
        }


def is_on(execution: Mapping[str, Any]) -> bool:
    """Of a pipeline, or of a stage: whether it goes on, as CodePipeline describes it."""
    return execution.get("status") in _ON


def clients(region: str, role: str, *services: str, session: str) -> dict[str, Any]:
    """Where production is. `role`: assumed where that is another account; else empty.

    Source: "Switching to an IAM role (AWS API)" of the IAM user guide.
    """
    given: dict[str, str] = {"region_name": region}
    if role:
        assumed = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName=session)["Credentials"]
        given["aws_access_key_id"], given["aws_secret_access_key"] = assumed["AccessKeyId"], assumed["SecretAccessKey"]
        given["aws_session_token"] = assumed["SessionToken"]
    return {service: boto3.client(service, **given) for service in services}


def described(cloudformation: Any, stack: str) -> Mapping[str, Any] | None:
    """None if there is no such stack."""
    stacks = unless_gone(cloudformation.describe_stacks, StackName=stack)
    return dict(stacks["Stacks"][0]) if stacks else None


def parameters_of(stack: Mapping[str, Any]) -> dict[str, str]:
    return {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}


def deployed(stack: Mapping[str, Any]) -> str:
    """ARN of its version, which in another region is a copy; empty without one."""
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
    return str(outputs.get(_OUTPUT, ""))


def failure(cloudformation: Any, stack: str) -> str:
    """Why the last update of the stack was taken back: what failed in it first. Its own status has no reason then, and an endpoint that
    serves on has none, either. Newest first (DescribeStackEvents).
    """
    reason = ""
    for event in cloudformation.describe_stack_events(StackName=stack)["StackEvents"]:
        if event["ResourceType"] == _STACK and event["ResourceStatus"] == "UPDATE_IN_PROGRESS":
            break
        if event["ResourceStatus"].endswith("_FAILED"):
            reason = str(event.get("ResourceStatusReason") or reason)
    return reason or "no reason given"


def update(cloudformation: Any, stack: str, parameters: Mapping[str, str], changed: Mapping[str, str]) -> None:
    """As the role that the stack has (CloudFormation user guide, "CloudFormation service role"), with its own template."""
    cloudformation.update_stack(StackName=stack, UsePreviousTemplate=True, Parameters=request(parameters, changed))


def request(parameters: Mapping[str, str], changed: Mapping[str, str]) -> list[dict[str, object]]:
    """`Parameters` of UpdateStack: all others as they are, so that nothing else changes, whatever was deployed meanwhile.

    And as many instances as scaling has made meanwhile (deploy_scripts/type_change.py). A template of an earlier release may have fewer
    parameters, and CloudFormation refuses those that there are not.
    """
    changed = {name: value for name, value in {**changed, CAPACITY: KEPT}.items() if name in parameters}
    kept: list[dict[str, object]] = [{"ParameterKey": name, "UsePreviousValue": True} for name in parameters if name not in changed]
    return kept + [{"ParameterKey": name, "ParameterValue": value} for name, value in changed.items()]


def approval(registry: Any, group: str, arn: str) -> str:
    """SageMaker's word; in words, where there is no such version."""
    if f":model-package/{group}/" not in arn:
        return "no version of this model"
    package = unless_gone(registry.describe_model_package, ModelPackageName=arn)
    return str(package["ModelApprovalStatus"]) if package else "deleted"


def original(region: str, arn: str) -> str:
    """The version that a copy in production's region is of."""
    client = boto3.client("sagemaker", region_name=region)
    if arn.split(":")[3] == boto3.client("sagemaker").meta.region_name:
        return arn
    package = unless_gone(client.describe_model_package, ModelPackageName=arn) or {}
    return str(package.get("ModelPackageDescription", "")).removeprefix(_COPY_OF)


def copy(group: str, region: str, arn: str) -> str:
    """ARN of the version in production's region, where render.py has registered it. Raises LookupError if it has not."""
    if arn.split(":")[3] == region:
        return arn
    pages = boto3.client("sagemaker", region_name=region).get_paginator("list_model_packages")
    found = (item for page in pages.paginate(ModelPackageGroupName=group) for item in page["ModelPackageSummaryList"])
    copied = next((item["ModelPackageArn"] for item in found if item.get("ModelPackageDescription") == f"{_COPY_OF}{arn}"), None)
    if copied is None:
        raise LookupError(f"{arn} has no copy in {region}")
    return str(copied)


def unless_gone(call: Any, **asked: str) -> Any:
    """None where the service says that there is no such thing: SageMaker and CloudFormation have no error of their own for it."""
    try:
        return call(**asked)
    except ClientError as error:
        message = error.response["Error"]["Message"].lower()
        if "not exist" in message or "could not find" in message:
            return None
        raise
