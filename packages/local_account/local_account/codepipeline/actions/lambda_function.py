"""Invoke action: calls a Lambda function with a `CodePipeline.job` event; the function reports back itself.

The function must call PutJobSuccessResult or PutJobFailureResult with the job's id, as in the service.
https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Lambda.html
"""

from __future__ import annotations

import json
from typing import Any

from local_account.codepipeline.actions.job import ActionError, Job
from local_account.codepipeline.records import Artifact

_TIMEOUT_SECONDS = 20 * 60.0  # of a job whose function never reports

#: job id -> result of PutJobSuccessResult or PutJobFailureResult; None while the function works on it.
results: dict[str, dict[str, Any] | None] = {}


CONFIGURATION, REQUIRED = ("FunctionName", "UserParameters"), ("FunctionName",)


def run(job: Job) -> None:
    job_id = job.run.action_execution_id
    job.run.external_id = job_id
    results[job_id] = None
    try:
        answer = job.role.client("lambda").invoke(
            FunctionName=job.configuration["FunctionName"], Payload=json.dumps({"CodePipeline.job": _event(job)}).encode()
        )
        if answer.get("FunctionError"):
            raise ActionError(
                "JobFailed", f"function {job.configuration['FunctionName']} failed: {answer['Payload'].read().decode()[:500]}"
            )
        result = job.wait_until(lambda: results[job_id], _TIMEOUT_SECONDS)
    finally:
        results.pop(job_id, None)
    if "failureDetails" in result:
        raise ActionError(result["failureDetails"].get("type", "JobFailed"), result["failureDetails"].get("message", "no reason given"))
    job.run.output_variables = {key: str(value) for key, value in (result.get("outputVariables") or {}).items()}
    job.run.summary = (result.get("executionDetails") or {}).get("summary")


def _event(job: Job) -> dict[str, Any]:
    return {
        "id": job.run.action_execution_id,
        "accountId": job.context.settings.account_id,
        "data": {
            "actionConfiguration": {"configuration": job.configuration},
            "inputArtifacts": [_artifact(artifact) for artifact in job.run.inputs],
            "outputArtifacts": [_artifact(artifact) for artifact in job.run.outputs],
        },
    }


def _artifact(artifact: Artifact) -> dict[str, Any]:
    location = {"type": "S3", "s3Location": {"bucketName": artifact.bucket, "objectKey": artifact.key}}
    return {"name": artifact.name, "revision": artifact.revision or None, "location": location}
