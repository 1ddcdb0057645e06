"""What someone pushes who wants their own version in production: it tries, with whatever role runs it, all that would get it there.

Run inside the account by a build, a job, Render and Verify, where `test_the_loop.py` has put it with `aims.json`, which says what to try
it on. Output: a line for each attempt, `attack <role>: <what>: <code of the refusal, or done>`.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError


def attempts(aims: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
    s3, sagemaker, pipelines = boto3.client("s3"), boto3.client("sagemaker"), boto3.client("codepipeline")
    functions, bucket = boto3.client("lambda"), aims["bucket"]

    def put(key: str, **options: str) -> Callable[[], object]:
        return lambda: s3.put_object(Bucket=bucket, Key=key, Body=b"forged", **options)

    back = {name: aims[of] for name, of in (("ModelPackageArn", "pending"), ("Leaving", "pending"))}
    returning = {"name": aims["return_pipeline"], "variables": [{"name": name, "value": value} for name, value in back.items()]}
    answer = {
        "pipelineName": aims["deploy_pipeline"],
        "stageName": "Staging",
        "actionName": "Approve",
        "token": str(uuid.UUID(int=0)),
    }
    return {
        "approve": lambda: sagemaker.update_model_package(ModelPackageArn=aims["pending"], ModelApprovalStatus="Approved"),
        "mark": lambda: sagemaker.update_model_package(
            ModelPackageArn=aims["pending"], CustomerMetadataProperties={"served-production": "2026-01-01"}
        ),
        "register as approved": lambda: sagemaker.create_model_package(**aims["approved_version"]),
        "answer the approval": lambda: pipelines.put_approval_result(**answer, result={"status": "Approved", "summary": "x"}),
        "start a deployment": lambda: pipelines.start_pipeline_execution(name=aims["deploy_pipeline"]),
        "start a return": lambda: pipelines.start_pipeline_execution(**returning),
        "wake what starts deployments": lambda: functions.invoke(FunctionName=aims["start_function"], Payload=b"{}"),
        "replace what starts deployments": lambda: functions.update_function_code(FunctionName=aims["start_function"], ZipFile=b"PK"),
        "replace a template": put(aims["template"]),
        "replace a template once": put(aims["template"], IfNoneMatch="*"),
        "replace code": put(aims["code"]),
        "add to code": put(f"{aims['code']}.py", IfNoneMatch="*"),
        "replace the newest build": put("newest-build"),
        "replace a deployment's artifact": put(aims["artifact"]),
        "replace a model": put(aims["model"]),
    }


def main(role: str, aims_file: Path) -> None:
    inherited = "is here" if os.environ.get("LOOP_TEST_RUN") else "is not here"
    print(f"attack {role}: the caller's environment: {inherited}", flush=True)
    aims = json.loads(aims_file.read_text(encoding="utf-8"))
    for what, attempt in attempts(aims).items():
        try:
            attempt()
        except ClientError as error:
            outcome = error.response["Error"]["Code"]
        else:
            outcome = "done"
        print(f"attack {role}: {what}: {outcome}", flush=True)
    if role == "build":
        forge_a_pipeline(aims)


def forge_a_pipeline(aims: Mapping[str, Any]) -> None:
    """A definition that registers a version as approved, without a training. Whoever builds may upsert and start it."""
    sagemaker = boto3.client("sagemaker")
    step = {"Name": "Forge", "Type": "RegisterModel", "Arguments": aims["approved_version"]}
    definition = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [step]})
    given = {"PipelineName": aims["pipeline"], "PipelineDefinition": definition, "RoleArn": aims["pipeline_role"]}
    sagemaker.update_pipeline(**given)
    started = sagemaker.start_pipeline_execution(PipelineName=aims["pipeline"])
    print(f"attack pipeline: started: {started['PipelineExecutionArn']}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(__file__).with_name("aims.json"))
