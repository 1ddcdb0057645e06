"""Lambda: puts a version into production's shadow, and takes it out again. What builds run is pushed code, which may not change production.

Input: `{"package": <ARN>}` puts one in, `{"package": ""}` takes it out (deploy_scripts/shadow.py). Whatever else wakes it, the end of a
deployment or the clock, takes out what no deployment compares any more: one that was stopped or rejected, or whose build died.
It changes parameters of the stack that is there and nothing else, neither template nor version.
Output: `{"changed": bool, "reason": text}`. Environment: see `Names`. Next: plan.py.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from .plan import Pipelines, Production, changes, request, why_not_in, why_not_out

_OUTPUT = "DeployedModelPackageArn"
_COPY_OF = "copy of "  # deploy_scripts/regional_copy.py
_ON = ("InProgress", "Stopping")


@dataclass(frozen=True)
class Names:
    """`role`: assumed where production is another account. `action`, `stage`: of the deploy pipeline. `percent`: of the instances there."""

    group: str
    stack: str
    endpoint: str
    region: str
    role: str
    deploy_pipeline: str
    return_pipeline: str
    action: str
    stage: str
    percent: int

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Names:
        return cls(
            group=variables["MODEL_PACKAGE_GROUP"],
            stack=variables["STACK_NAME"],
            endpoint=variables["ENDPOINT_NAME"],
            region=variables["REGION"],
            role=variables["ROLE_ARN"],
            deploy_pipeline=variables["DEPLOY_PIPELINE_NAME"],
            return_pipeline=variables["RETURN_PIPELINE_NAME"],
            action=variables["SHADOW_ACTION_NAME"],
            stage=variables["PRODUCTION_STAGE_NAME"],
            percent=int(variables["SHADOW_PERCENT"]),
        )


def handler(event: Mapping[str, Any], context: object) -> dict[str, object]:
    names = Names.of(os.environ)
    there = _clients(names)
    production, pipelines = look(names, there), _pipelines(names)
    package = event.get("package")
    if package:
        return _said(*_put_in(names, there, production, pipelines, str(package)))
    reason = why_not_out(production, pipelines, asked=package is not None)
    if not reason:
        _update(there, names.stack, production, changes())
    return _said(not reason, reason or f"version {production.shadow.rsplit('/', 1)[-1]} leaves the shadow")


def _put_in(names: Names, there: Mapping[str, Any], production: Production, pipelines: Pipelines, package: str) -> tuple[bool, str]:
    registry = boto3.client("sagemaker")
    live = _original(names, production.live) if production.live else ""
    known = Production(production.status, production.parameters, live, production.instances)
    reason = why_not_in(known, pipelines, package, _approval(registry, names, package), _approval(registry, names, live) if live else "")
    if reason:
        return False, reason
    instances = math.ceil(production.instances * names.percent / 100)
    copied = _copy(names, package)
    number = package.rsplit("/", 1)[-1]
    _update(there, names.stack, production, changes(package=copied, version=number, instances=instances))
    return True, f"version {number} goes into the shadow on {instances} instances"


def look(names: Names, there: Mapping[str, Any]) -> Production:
    stacks = _unless_gone(there["cloudformation"].describe_stacks, StackName=names.stack)
    if stacks is None:
        return Production()
    (stack,) = stacks["Stacks"]
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
    parameters = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
    endpoint = _unless_gone(there["sagemaker"].describe_endpoint, EndpointName=names.endpoint)
    variants = (endpoint or {}).get("ProductionVariants") or [{}]
    return Production(stack["StackStatus"], parameters, outputs.get(_OUTPUT, ""), int(variants[0].get("DesiredInstanceCount", 0)))


def _pipelines(names: Names) -> Pipelines:
    client = boto3.client("codepipeline")
    stages = client.get_pipeline_state(name=names.deploy_pipeline)["stageStates"]
    in_production = [stage.get("latestExecution", {}).get("status") for stage in stages if stage["stageName"] == names.stage]
    actions = [action for stage in stages for action in stage.get("actionStates", []) if action["actionName"] == names.action]
    compares = any(action.get("latestExecution", {}).get("status") == "InProgress" for action in actions)
    returns = client.list_pipeline_executions(pipelineName=names.return_pipeline)["pipelineExecutionSummaries"]
    deploys = any(status in _ON for status in [*in_production, *(item["status"] for item in returns)])
    return Pipelines(compares, deploys)


def _update(there: Mapping[str, Any], stack: str, production: Production, changed: Mapping[str, str]) -> None:
    """As the role that the stack has (CloudFormation user guide, "CloudFormation service role"), with its own template."""
    parameters = request(production.parameters or {}, changed)
    there["cloudformation"].update_stack(StackName=stack, UsePreviousTemplate=True, Parameters=parameters)


def _approval(registry: Any, names: Names, arn: str) -> str:
    """SageMaker's word; in words, where there is no such version."""
    if f":model-package/{names.group}/" not in arn:
        return "no version of this model"
    package = _unless_gone(registry.describe_model_package, ModelPackageName=arn)
    return str(package["ModelApprovalStatus"]) if package else "deleted"


def _original(names: Names, arn: str) -> str:
    """The version that a copy in production's region is of."""
    client = boto3.client("sagemaker", region_name=names.region)
    if arn.split(":")[3] == boto3.client("sagemaker").meta.region_name:
        return arn
    package = _unless_gone(client.describe_model_package, ModelPackageName=arn) or {}
    return str(package.get("ModelPackageDescription", "")).removeprefix(_COPY_OF)


def _copy(names: Names, arn: str) -> str:
    """ARN of the version in production's region, where render.py has registered it. Raises LookupError if it has not."""
    if arn.split(":")[3] == names.region:
        return arn
    pages = boto3.client("sagemaker", region_name=names.region).get_paginator("list_model_packages")
    found = (item for page in pages.paginate(ModelPackageGroupName=names.group) for item in page["ModelPackageSummaryList"])
    copied = next((item["ModelPackageArn"] for item in found if item.get("ModelPackageDescription") == f"{_COPY_OF}{arn}"), None)
    if copied is None:
        raise LookupError(f"{arn} has no copy in {names.region}")
    return str(copied)


def _clients(names: Names) -> dict[str, Any]:
    """Where production is. Source: "Switching to an IAM role (AWS API)" of the IAM user guide."""
    given: dict[str, str] = {"region_name": names.region}
    if names.role:
        assumed = boto3.client("sts").assume_role(RoleArn=names.role, RoleSessionName="change-shadow")["Credentials"]
        given["aws_access_key_id"], given["aws_secret_access_key"] = assumed["AccessKeyId"], assumed["SecretAccessKey"]
        given["aws_session_token"] = assumed["SessionToken"]
    return {service: boto3.client(service, **given) for service in ("cloudformation", "sagemaker")}


def _unless_gone(call: Any, **asked: str) -> Any:
    """None where the service says that there is no such thing: SageMaker and CloudFormation have no error of their own for it."""
    try:
        return call(**asked)
    except ClientError as error:
        message = error.response["Error"]["Message"].lower()
        if "not exist" in message or "could not find" in message:
            return None
        raise


def _said(changed: bool, reason: str) -> dict[str, object]:
    print(f"{'changed' if changed else 'nothing changed'}: {reason}")
    return {"changed": changed, "reason": reason}
