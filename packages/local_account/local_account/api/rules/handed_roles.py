"""Roles that are handed to a service when something is made: the service must be able to assume each at once.

Sources of the words: Lambda developer guide, "Troubleshoot execution issues"; CodeBuild user guide, "Troubleshooting", "CodeBuild is not
authorized to perform: sts:AssumeRole"; CodePipeline and EventBridge Scheduler say them in the console and in CloudFormation's events.
SageMaker's jobs and models ask when
they are made (`roles.py`), as steps of a pipeline make them, too. An IAM change is seen at once here; AWS takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.api.rules.rule import rule
from local_account.context import Context
from local_account.errors import ServiceError
from local_account.roles import Role, build_role, pipeline_role


@rule("lambda", "CreateFunction", "UpdateFunctionConfiguration")
def _of_a_function(context: Context, request: Mapping[str, Any]) -> None:
    name = str(request["FunctionName"]).rsplit(":", 1)[-1]
    said = "The role defined for the function cannot be assumed by Lambda."
    if "Role" in request:
        arn = context.arn("lambda", f"function:{name}")
        _require(Role(context, request["Role"], "lambda.amazonaws.com", name, arn), ServiceError("InvalidParameterValueException", said))


@rule("lambda", "CreateFunction", "UpdateFunctionConfiguration")
def _dead_letters(context: Context, request: Mapping[str, Any]) -> None:
    """Lambda writes them as the function's role. Lambda developer guide, "Adding a dead-letter queue"."""
    target = str((request.get("DeadLetterConfig") or {}).get("TargetArn") or "")
    name = str(request["FunctionName"]).rsplit(":", 1)[-1]
    if not target:
        return
    role_arn = request.get("Role") or context.client("lambda").get_function_configuration(FunctionName=name)["Role"]
    role = Role(context, role_arn, "lambda.amazonaws.com", name, context.arn("lambda", f"function:{name}"))
    service, operation, member = ("sns", "Publish", "TopicArn") if ":sns:" in target else ("sqs", "SendMessage", "QueueUrl")
    try:
        role.require(service, operation, {member: target})
    except ServiceError as refused:
        said = f"The provided execution role does not have permissions to call {operation} on {service.upper()}"
        raise ServiceError("InvalidParameterValueException", said) from refused


@rule("codebuild", "CreateProject", "UpdateProject")
def _of_a_project(context: Context, request: Mapping[str, Any]) -> None:
    if request.get("serviceRole"):
        role = build_role(context, request, "creation:creation")
        said = f"CodeBuild is not authorized to perform: sts:AssumeRole on {role.arn}"
        _require(role, ServiceError("InvalidInputException", said))


@rule("codepipeline", "CreatePipeline", "UpdatePipeline")
def _of_a_pipeline(context: Context, request: Mapping[str, Any]) -> None:
    role = pipeline_role(context, request["pipeline"], "creation")
    _require(role, ServiceError("InvalidStructureException", f"CodePipeline is not authorized to perform AssumeRole on role {role.arn}"))


@rule("scheduler", "CreateSchedule", "UpdateSchedule")
def _of_a_schedule(context: Context, request: Mapping[str, Any]) -> None:
    said = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    group = context.arn("scheduler", f"schedule-group/{request.get('GroupName') or 'default'}")
    role = Role(context, str(request["Target"].get("RoleArn") or ""), "scheduler.amazonaws.com", "creation", group)
    _require(role, ServiceError("ValidationException", said))


def _require(role: Role, error: ServiceError) -> None:
    if not role.may_be_assumed:
        raise error
