"""Trials on spare capacity: what the newest search of each model with `use_spot` was billed, and where its checkpoints lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from build_scripts.follow import newest_run, steps_of
from build_scripts.objects import bucket_and_key, keys
from build_scripts.project_environment import ProjectEnvironment
from settings_schema.reading import Settings


@pytest.fixture(scope="module")
def trials(settings: Settings, project: ProjectEnvironment) -> list[dict[str, Any]]:
    models = [model for model in settings.models.values() if model.training.use_spot]
    found = [trial for model in models for trial in _trials(project, model.names(settings.project).training_pipeline)]
    if not found:
        pytest.skip("no model has Training(use_spot=True), or none was trained since")
    return found


def _trials(project: ProjectEnvironment, pipeline: str) -> Iterator[dict[str, Any]]:
    sagemaker = project.client("sagemaker")
    newest = newest_run(sagemaker, pipeline)
    for step in steps_of(sagemaker, newest["PipelineExecutionArn"]) if newest else ():
        search = (step.get("Metadata") or {}).get("TuningJob")
        if search:
            request = {"HyperParameterTuningJobName": search["Arn"].rsplit("/", 1)[-1], "MaxResults": 100}
            for summary in sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**request)["TrainingJobSummaries"]:
                yield sagemaker.describe_training_job(TrainingJobName=summary["TrainingJobName"])


def test_a_trial_runs_on_spare_capacity_and_is_billed_no_more_than_it_ran(trials: list[dict[str, Any]]) -> None:
    for trial in trials:
        assert trial["EnableManagedSpotTraining"] is True
        assert trial["StoppingCondition"]["MaxWaitTimeInSeconds"] >= trial["StoppingCondition"]["MaxRuntimeInSeconds"]
        if "BillableTimeInSeconds" in trial:
            assert trial["BillableTimeInSeconds"] <= trial["TrainingTimeInSeconds"]


def test_the_checkpoints_of_all_trials_of_an_algorithm_lie_in_one_place_each_in_a_folder_of_its_own(
    trials: list[dict[str, Any]], project: ProjectEnvironment
) -> None:
    for trial in trials:
        bucket, prefix = bucket_and_key(trial["CheckpointConfig"]["S3Uri"])
        folders = {key.removeprefix(f"{prefix}/").split("/")[0] for key in keys(project.client("s3"), bucket, prefix)}
        names = {other["TrainingJobName"] for other in trials if other["CheckpointConfig"] == trial["CheckpointConfig"]}
        assert not folders or folders & names, f"no folder of {sorted(names)} in {sorted(folders)}"
