"""Lambda, an action of the deploy pipeline: whether those who approved are different people, none of whom pushed or wrote the commit.

Input: the event `CodePipeline.job` with `{"execution": id, "approvals": how many}`. Output: PutJobSuccessResult, or PutJobFailureResult
with the reason. Who approved is what CodePipeline recorded (`updatedBy` of ActionExecutionDetail), whatever they approved with; who pushed
is a variable of the execution that built the commit (infra/build/route_push/). Environment: infra/model/approvers_check.py.
Next: people.py, which judges.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import boto3

from .people import Author, judge

PUSHED_BY, UNKNOWN, PACKAGE = "PushedBy", "unknown", "ModelPackageArn"
_LONGEST_MESSAGE = 5000  # of FailureDetails


def handler(event: Mapping[str, Any], context: object) -> None:
    job, codepipeline = event["CodePipeline.job"], boto3.client("codepipeline")
    given = json.loads(job["data"]["actionConfiguration"]["configuration"]["UserParameters"])
    try:
        refused = refusal(codepipeline, given["execution"], int(given["approvals"]))
    except Exception as error:  # the job has to be answered, or the stage waits for twenty minutes; and nothing that is not known passes
        refused = f"who approved cannot be checked: {type(error).__name__} {error}"
    print(refused or f"{given['approvals']} approval(s) by different people")
    if refused:
        details = {"type": "JobFailed", "message": refused[:_LONGEST_MESSAGE]}
        codepipeline.put_job_failure_result(jobId=job["id"], failureDetails=details)
    else:
        codepipeline.put_job_success_result(jobId=job["id"])


def refusal(codepipeline: Any, execution: str, approvals: int) -> str:
    """Empty where the approvals of the execution stand."""
    pipeline = os.environ["DEPLOY_PIPELINE_NAME"]
    detail = codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution)["pipelineExecution"]
    authors = [author for commit in _commits(detail) for author in _authors(codepipeline, commit)]
    return judge(dict(_approvers(codepipeline, pipeline, execution, approvals)), authors, approvals)


def _approvers(codepipeline: Any, pipeline: str, execution: str, approvals: int) -> Iterator[tuple[str, str]]:
    """Name of the approval -> ARN of who gave it; of one that was asked again, the last.

    Of the first so many: where the whole stage runs again, the later ones were given before it, and are asked anew.
    """
    names = os.environ["APPROVAL_NAMES"].split(",")[:approvals]
    asked = {"pipelineName": pipeline, "filter": {"pipelineExecutionId": execution}}
    pages = codepipeline.get_paginator("list_action_executions").paginate(**asked)
    actions = [action for page in pages for action in page["actionExecutionDetails"]]
    for action in sorted(actions, key=lambda item: item["startTime"]):
        if action["stageName"] == os.environ["STAGE_NAME"] and action["actionName"] in names and action["status"] == "Succeeded":
            yield action["actionName"], action.get("updatedBy") or ""


def _commits(execution: Mapping[str, Any]) -> set[str]:
    """The commit that deploys, which is CodePipeline's word, and the one that the version says it is of, which is its maker's."""
    deployed = {str(revision["revisionId"]) for revision in execution.get("artifactRevisions", []) if revision.get("revisionId")}
    variables = {item["name"]: item.get("resolvedValue", "") for item in execution.get("variables", [])}
    package = variables.get(PACKAGE, "")
    if not package.startswith("arn:"):
        return deployed
    described = boto3.client("sagemaker").describe_model_package(ModelPackageName=package)
    made = (described.get("CustomerMetadataProperties") or {}).get("git-commit", "")
    return deployed | ({made} if made not in ("", UNKNOWN) else set())


def _authors(codepipeline: Any, commit: str) -> Iterator[Author]:
    """Who pushed it, as AWS knows them, and who wrote it, as git does. Of a commit that was never built only the latter."""
    build = os.environ["BUILD_PIPELINE_NAME"]
    for page in codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=build):
        for summary in page["pipelineExecutionSummaries"]:
            if any(revision.get("revisionId") == commit for revision in summary.get("sourceRevisions", [])):
                yield from _of_build(codepipeline, build, summary["pipelineExecutionId"], commit)
    if os.environ["REPOSITORY_NAME"]:
        found = boto3.client("codecommit").get_commit(repositoryName=os.environ["REPOSITORY_NAME"], commitId=commit)["commit"]
        for person in (found.get("author") or {}, found.get("committer") or {}):
            yield Author(commit, email=person.get("email", ""))


def _of_build(codepipeline: Any, build: str, execution: str, commit: str) -> Iterator[Author]:
    """Of a repository of our own who pushed; of a connection the author's address, a variable of its source action."""
    detail = codepipeline.get_pipeline_execution(pipelineName=build, pipelineExecutionId=execution)["pipelineExecution"]
    pushed = next((item.get("resolvedValue", "") for item in detail.get("variables", []) if item["name"] == PUSHED_BY), "")
    if pushed not in ("", UNKNOWN):
        yield Author(commit, arn=pushed)
    if os.environ["REPOSITORY_NAME"]:
        return
    asked = {"pipelineName": build, "filter": {"pipelineExecutionId": execution}}
    for action in codepipeline.list_action_executions(**asked)["actionExecutionDetails"]:
        if action["actionName"] == os.environ["SOURCE_ACTION_NAME"]:
            yield Author(commit, email=((action.get("output") or {}).get("outputVariables") or {}).get("AuthorEmail", ""))
