"""Build and test actions: start a build of the project with the execution's artifacts, and wait for it.

The artifacts are handed over as S3 sources, and the output is stored where the execution expects it.
https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from local_account.codebuild.service import CodeBuild
from local_account.codepipeline.actions.job import ActionError, Job
from local_account.codepipeline.records import Artifact

CONFIGURATION, REQUIRED = ("ProjectName", "PrimarySource", "EnvironmentVariables"), ("ProjectName",)


def run(job: Job) -> None:
    if len(job.run.outputs) > 1:
        raise ActionError("ConfigurationError", "The local account implements one output artifact per build (no secondary artifacts)")
    codebuild = job.role.client("codebuild")
    try:
        build = codebuild.start_build(**_request(job))["build"]
    except (ClientError, ValueError) as error:
        raise ActionError("ConfigurationError", f"build of {job.configuration['ProjectName']} cannot start: {error}") from error
    job.run.external_id, job.run.external_url = build["id"], build["logs"]["deepLink"]
    job.run.log_stream_arn = build["logs"]["cloudWatchLogsArn"]

    builds = CodeBuild.at(job.role.place)
    while (current := codebuild.batch_get_builds(ids=[build["id"]])["builds"][0])["buildStatus"] == "IN_PROGRESS":
        job.wait_until(lambda: builds.has_ended(build["id"]))
    if current["buildStatus"] != "SUCCEEDED":
        raise ActionError("JobFailed", _reason(current))
    job.run.output_variables = {variable["name"]: variable["value"] for variable in current.get("exportedEnvironmentVariables", [])}


def _request(job: Job) -> dict[str, Any]:
    inputs = list(job.run.inputs)
    primary_name = job.configuration.get("PrimarySource") or inputs[0].name
    primary = next((artifact for artifact in inputs if artifact.name == primary_name), None)
    if primary is None:
        raise ValueError(f"PrimarySource {primary_name!r} is not an input artifact")
    output = job.run.outputs[0] if job.run.outputs else None
    folder, _, name = output.key.rpartition("/") if output else ("", "", "")
    return {
        "projectName": job.configuration["ProjectName"],
        "sourceTypeOverride": "S3",
        "sourceLocationOverride": f"{primary.bucket}/{primary.key}",
        "secondarySourcesOverride": [_secondary(artifact) for artifact in inputs if artifact is not primary],
        "artifactsOverride": (
            {"type": "S3", "location": output.bucket, "path": folder, "name": name, "packaging": "ZIP", "namespaceType": "NONE"}
            if output
            else {"type": "NO_ARTIFACTS"}
        ),
        "environmentVariablesOverride": json.loads(job.configuration.get("EnvironmentVariables") or "[]"),
        "idempotencyToken": job.run.action_execution_id,
    }


def _secondary(artifact: Artifact) -> dict[str, str]:
    return {"type": "S3", "location": f"{artifact.bucket}/{artifact.key}", "sourceIdentifier": artifact.name}


def _reason(build: dict[str, Any]) -> str:
    """The first phase that failed, its message, and the file with the whole output."""
    failed = next((phase for phase in build["phases"] if phase.get("phaseStatus") not in (None, "SUCCEEDED")), None)
    if failed is None:
        return f"Build {build['id']} ended as {build['buildStatus']}. Log: {build['logs']['deepLink']}"
    return f"Build {build['id']} failed in {failed['phaseType']}: {failed['contexts'][0]['message']}"
