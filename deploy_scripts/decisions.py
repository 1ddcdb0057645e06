"""Who decided what about a version, when, and with which words: what was kept, and what nobody has kept yet.

Kept with the version, in the artifact bucket below `deployments/<model>/decisions/<version>/`, where no build and no job may write:
infra/model/start_deployment/decisions.py writes there what SageMaker's registry says last and CodePipeline for twelve months.
Input: versions. Output: `Decision`s, oldest first. Used by approve.py and status.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError
from build_scripts.missing import found
from build_scripts.objects import keys
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, number_of
from deploy_scripts.releases import History
from settings_schema import ModelNames

REGISTRY = "registry"


class Decision(NamedTuple):
    """`at` in UTC, to the second; `what`: Approved or Rejected; `where`: the registry, or stage and action; `who`: an ARN."""

    version: int
    at: str
    what: str
    where: str
    who: str
    words: str


def decisions(project: ProjectEnvironment, names: ModelNames, versions: Iterable[Version], *, every: bool = False) -> list[Decision]:
    """What is kept, with what the services say of these versions. Who may not read one of them sees the others.

    `every`: also of others, which were deleted.
    """
    wanted = {version.number: version for version in versions}
    found_ones = {*_kept(project, names), *_in_registry(project, wanted.values()), *_in_pipeline(project, names)}
    return sorted(item for item in found_ones if every or item.version in wanted)


def _kept(project: ProjectEnvironment, names: ModelNames) -> list[Decision]:
    s3, bucket = project.client("s3"), project.artifact_bucket
    try:
        return [Decision(**json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())) for key in keys(s3, bucket, names.decisions)]
    except ClientError:
        return []


def _in_registry(project: ProjectEnvironment, versions: Iterable[Version]) -> list[Decision]:
    sagemaker = project.client("sagemaker")
    packages = [found(sagemaker.describe_model_package, ModelPackageName=version.arn) for version in versions]
    return [decision for package in packages if package and (decision := of_registry(package))]


def of_registry(package: Mapping[str, Any]) -> Decision | None:
    """None of a version that nobody has decided about. DescribeModelPackage says who changed it last, and when."""
    at, status = package.get("LastModifiedTime"), package["ModelApprovalStatus"]
    if status == "PendingManualApproval" or at is None:
        return None
    who = (package.get("LastModifiedBy") or {}).get("IamIdentity", {}).get("Arn", "")
    words = package.get("ApprovalDescription") or ""
    return Decision(package["ModelPackageVersion"], _time(at), status, REGISTRY, who, words)


def _in_pipeline(project: ProjectEnvironment, names: ModelNames) -> list[Decision]:
    codepipeline = project.client("codepipeline")
    history = History(codepipeline, names)
    try:
        pages = codepipeline.get_paginator("list_action_executions").paginate(pipelineName=names.deploy_pipeline)
        actions = [action for page in pages for action in page["actionExecutionDetails"] if is_review(action)]
        return [decision for action in actions if (decision := of_pipeline(action, _number(history, names, action)))]
    except (ClientError, ProblemError):
        return []


def _number(history: History, names: ModelNames, action: Mapping[str, Any]) -> int | None:
    return number_of(history.package(names.deploy_pipeline, action["pipelineExecutionId"]))


def is_review(action: Mapping[str, Any]) -> bool:
    return bool(((action.get("input") or {}).get("actionTypeId") or {}).get("category") == "Approval")


def of_pipeline(action: Mapping[str, Any], version: int | None) -> Decision | None:
    """None of a review that is open, or that nobody answered in time: ActionExecutionDetail names who answered (`updatedBy`)."""
    decided = {"Succeeded": "Approved", "Failed": "Rejected"}.get(action["status"])
    who = action.get("updatedBy") or ""
    if decided is None or version is None or not who:
        return None
    words = ((action.get("output") or {}).get("executionResult") or {}).get("externalExecutionSummary") or ""
    return Decision(version, _time(action["lastUpdateTime"]), decided, f"{action['stageName']}/{action['actionName']}", who, words)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
