"""Preparation on several instances: what the newest run of each model with `Processing(spark=True)` left in its bucket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from build_scripts.follow import newest_run, steps_of
from build_scripts.objects import bucket_and_key, content, keys
from build_scripts.project_environment import ProjectEnvironment
from settings_schema.reading import Settings


@pytest.fixture(scope="module")
def jobs(settings: Settings, project: ProjectEnvironment) -> list[dict[str, Any]]:
    sagemaker, found = project.client("sagemaker"), []
    for model in settings.models.values():
        newest = newest_run(sagemaker, model.names(settings.project).training_pipeline) if model.processing.spark else None
        for step in steps_of(sagemaker, newest["PipelineExecutionArn"]) if newest else ():
            if step["StepName"] == "Prepare" and "ProcessingJob" in (step.get("Metadata") or {}):
                name = step["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[-1]
                found.append(sagemaker.describe_processing_job(ProcessingJobName=name))
    if not found:
        pytest.skip("no model has Processing(spark=True), or none was prepared since")
    return found


def test_the_shards_of_all_hosts_are_there_once_and_about_json_counts_them(jobs: list[dict[str, Any]], project: ProjectEnvironment) -> None:
    s3 = project.client("s3")
    for job in jobs:
        outputs = {output["OutputName"]: output["S3Output"]["S3Uri"] for output in job["ProcessingOutputConfig"]["Outputs"]}
        for part in ("train", "validation"):
            bucket, prefix = bucket_and_key(outputs[part])
            names = {key.removeprefix(f"{prefix}/") for key in keys(s3, bucket, f"{prefix}/")}
            about = json.loads(content(s3, f"{outputs[part]}/about.json") or b"{}")
            assert names == {"about.json", *(f"shard-{number:05d}.npz" for number in range(about["shards"]))}, part
