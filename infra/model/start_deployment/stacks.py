"""What is deployed: the version that production's stack has, and which stacks differ from what the build of a commit kept.

The templates that a build keeps are at `code/templates/<commit>/<stack>.template.json`. Next: state.py.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from .state import NEVER, day_of

#: Output of a serving stack (infra/serving/serving_stack.py).
_DEPLOYED = "DeployedModelPackageArn"
#: Parameter of the same, where the model's file has a `rebuild`.
_REBUILT = "Rebuilt"


@dataclass(frozen=True)
class Stack:
    """`role` is assumed to look at it, where it is in another account."""

    name: str
    region: str
    role: str = ""


@functools.cache
def cloudformation(stack: Stack) -> Any:
    """Source: "Switching to an IAM role (AWS API)" of the IAM user guide."""
    if not stack.role:
        return boto3.client("cloudformation", region_name=stack.region)
    assumed = boto3.client("sts").assume_role(RoleArn=stack.role, RoleSessionName="start-deployment")["Credentials"]
    return boto3.client(
        "cloudformation",
        region_name=stack.region,
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )


def deployed(stack: Stack) -> tuple[str, str]:
    """ARN of the version, or of its copy in the stack's region, and the day on which it was made anew.

    Each is empty where the stack has none, is not there or was never made.
    """
    try:
        (described,) = cloudformation(stack).describe_stacks(StackName=stack.name)["Stacks"]
    except ClientError as error:
        _require_missing(error)
        return "", ""
    outputs = {item["OutputKey"]: str(item["OutputValue"]) for item in described.get("Outputs", [])}
    parameters = {item["ParameterKey"]: str(item["ParameterValue"]) for item in described.get("Parameters", [])}
    return outputs.get(_DEPLOYED, ""), day_of(parameters.get(_REBUILT, NEVER))


def changed(s3: Any, bucket: str, stacks: Sequence[Stack], commit: str) -> list[str]:
    """Of which the deployed template is not the one that the build of this commit kept.

    A commit without the model keeps none of its templates, and says nothing about how to deploy it.
    """
    prefix = f"code/templates/{commit}/"
    listed = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    kept = {item["Key"] for page in listed for item in page.get("Contents", [])}
    keys = {stack: f"{prefix}{stack.name}.template.json" for stack in stacks}
    return [stack.name for stack, key in keys.items() if key in kept and _kept(s3, bucket, key) != _deployed(stack)]


def _kept(s3: Any, bucket: str, key: str) -> Any:
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def _deployed(stack: Stack) -> Any:
    """None for a stack that does not exist. botocore parses a template in JSON."""
    try:
        body = cloudformation(stack).get_template(StackName=stack.name, TemplateStage="Original")["TemplateBody"]
    except ClientError as error:
        _require_missing(error)
        return None
    return json.loads(body if isinstance(body, str) else json.dumps(body))


def _require_missing(error: ClientError) -> None:
    """Raises whatever else it is."""
    if "does not exist" not in str(error):
        raise error
