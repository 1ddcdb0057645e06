"""Deploy action: creates, updates, replaces or deletes a stack from a template artifact, and waits for it.

Modes: CREATE_UPDATE, REPLACE_ON_FAILURE, DELETE_ONLY. The stack's outputs become the action's output variables.
https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CloudFormation.html
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_account.cloudformation import operations
from local_account.codepipeline.actions.job import ActionError, Job

CONFIGURATION = (
    *("ActionMode", "StackName", "TemplatePath", "TemplateConfiguration"),
    *("ParameterOverrides", "Capabilities", "RoleArn", "OutputFileName"),
)
REQUIRED = ("ActionMode", "StackName")
VALUES = {"ActionMode": ("CREATE_UPDATE", "REPLACE_ON_FAILURE", "DELETE_ONLY")}
#: REPLACE_ON_FAILURE deletes a stack that is in one of these states.
_FAILED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")


def run(job: Job) -> None:
    mode, stack_name = job.configuration["ActionMode"], job.configuration["StackName"]
    job.run.external_id = stack_name
    try:
        if mode == "DELETE_ONLY":
            _delete(job, stack_name)
        else:
            _deploy(job, stack_name, replace=mode == "REPLACE_ON_FAILURE")
    except ClientError as error:
        raise ActionError("JobFailed", f"stack {stack_name}: {error.response['Error']['Message']}") from error


def _deploy(job: Job, stack_name: str, *, replace: bool) -> None:
    cloudformation = job.role.client("cloudformation")
    request = _request(job, stack_name)
    stack = _describe(cloudformation, stack_name)
    if stack and replace and stack["StackStatus"] in _FAILED:
        _delete(job, stack_name)
        stack = None
    if stack is None or not _is_as_asked_for(job, stack, request):
        stack = _changed(job, stack, request)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    job.run.output_variables = outputs
    if job.configuration.get("OutputFileName"):
        job.put_output(_output_artifact(job.configuration["OutputFileName"], outputs))


def _is_as_asked_for(job: Job, stack: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Start the update. True if there is nothing to update, which is a success whatever update brought the stack there: also one that
    was rolled back to what is asked for now.
    """
    job.run.external_id = stack["StackId"]
    try:
        job.role.client("cloudformation").update_stack(**request)
    except ClientError as error:
        if "No updates are to be performed" not in error.response["Error"]["Message"]:
            raise
        job.run.summary = "No updates are to be performed."
        return True
    return False


def _changed(job: Job, stack: Mapping[str, Any] | None, request: Mapping[str, Any]) -> dict[str, Any]:
    """The stack once its creation or its update, which has begun, has succeeded."""
    cloudformation = job.role.client("cloudformation")
    if stack is None:
        job.run.external_id = cloudformation.create_stack(**request)["StackId"]
    ended = _wait(job, request["StackName"])
    if ended is None or ended["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        status = ended["StackStatus"] if ended else "gone"
        reason = _first_failure(cloudformation, job.run.external_id)
        raise ActionError("JobFailed", f"stack {request['StackName']} is {status}: {reason}")
    return ended


def _delete(job: Job, stack_name: str) -> None:
    cloudformation = job.role.client("cloudformation")
    if _describe(cloudformation, stack_name) is None:
        return
    cloudformation.delete_stack(StackName=stack_name)
    left = _wait(job, stack_name)
    if left and left["StackStatus"] != "DELETE_COMPLETE":
        raise ActionError("JobFailed", f"stack {stack_name} cannot be deleted: {left.get('StackStatusReason', left['StackStatus'])}")


def _request(job: Job, stack_name: str) -> dict[str, Any]:
    configuration_file = job.configuration.get("TemplateConfiguration")
    configuration = json.loads(job.read_file(configuration_file)) if configuration_file else {}
    unknown = sorted(set(configuration) - {"Parameters", "Tags", "StackPolicy"})
    if unknown:
        raise ActionError("ConfigurationError", f"template configuration has {', '.join(unknown)}; allowed: Parameters, Tags, StackPolicy")
    overrides = _overrides(job, json.loads(job.configuration.get("ParameterOverrides") or "{}"))
    parameters = {**configuration.get("Parameters", {}), **overrides}
    request: dict[str, Any] = {
        "StackName": stack_name,
        "TemplateBody": job.read_file(job.configuration.get("TemplatePath", "")).decode(),
        "Parameters": [{"ParameterKey": key, "ParameterValue": str(value)} for key, value in parameters.items()],
        "Tags": [{"Key": key, "Value": str(value)} for key, value in configuration.get("Tags", {}).items()],
        "Capabilities": [item.strip() for item in job.configuration.get("Capabilities", "").split(",") if item.strip()],
    }
    if configuration.get("StackPolicy"):
        request["StackPolicyBody"] = json.dumps(configuration["StackPolicy"])
    if job.configuration.get("RoleArn"):
        request["RoleARN"] = job.configuration["RoleArn"]
    return request


def _overrides(job: Job, overrides: dict[str, Any]) -> dict[str, str]:
    """Values, `Fn::GetArtifactAtt` (BucketName, ObjectKey, URL) and `Fn::GetParam` (a key of a JSON file in an artifact)."""
    resolved: dict[str, str] = {}
    for key, value in overrides.items():
        if isinstance(value, dict) and "Fn::GetArtifactAtt" in value:
            name, attribute = value["Fn::GetArtifactAtt"]
            artifact = next(artifact for artifact in job.run.inputs if artifact.name == name)
            url = f"https://{artifact.bucket}.s3.amazonaws.com/{artifact.key}"
            resolved[key] = {"BucketName": artifact.bucket, "ObjectKey": artifact.key, "URL": url}[attribute]
        elif isinstance(value, dict) and "Fn::GetParam" in value:
            name, path, member = value["Fn::GetParam"]
            resolved[key] = str(json.loads(job.read_file(f"{name}::{path}"))[member])
        else:
            resolved[key] = str(value)
    return resolved


def _describe(cloudformation: Any, stack_name: str) -> dict[str, Any] | None:
    try:
        stack: dict[str, Any] = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return None if stack["StackStatus"] in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS") else stack


def _wait(job: Job, stack_name: str) -> dict[str, Any] | None:
    cloudformation = job.role.client("cloudformation")
    while (stack := _describe(cloudformation, stack_name)) and stack["StackStatus"].endswith("_IN_PROGRESS"):
        job.wait_until(lambda: operations.is_settled(job.role.place, stack_name))
    return stack


def _first_failure(cloudformation: Any, stack_id: str | None) -> str:
    """The resource that failed first in the latest operation, and why; later failures are usually its consequence."""
    failures = []
    for event in cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]:  # newest first
        if event["ResourceStatus"].endswith("_FAILED"):
            failures.append(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', event['ResourceStatus'])}")
        if event["ResourceType"] == "AWS::CloudFormation::Stack" and event["ResourceStatus"] in (
            "CREATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS",
        ):
            break
    return failures[-1] if failures else "no resource says why"


def _output_artifact(file_name: str, outputs: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr(file_name, json.dumps(outputs))
    return buffer.getvalue()
