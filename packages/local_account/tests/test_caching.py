"""Step caching, without an account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_account.sagemaker.pipelines.caching import CachedStep, StepCache, lifetime, signature

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def processing(**changes: Any) -> dict[str, Any]:
    arguments = {
        "AppSpecification": {"ImageUri": "image", "ContainerArguments": ["--rows", "1"]},
        "Environment": {"MODE": "a"},
        "ProcessingInputs": [{"InputName": "code", "S3Input": {"S3Uri": "s3://bucket/code/abc/"}}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": "s3://bucket/1"}}]},
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large"}},
    }
    return {**arguments, **changes}


@pytest.mark.parametrize(
    "changed",
    [
        {"Environment": {"MODE": "b"}},
        {"AppSpecification": {"ImageUri": "other"}},
        {"ProcessingInputs": [{"InputName": "code", "S3Input": {"S3Uri": "s3://bucket/code/def/"}}]},
    ],
)
def test_a_changed_input_environment_or_command_is_another_step(changed: dict[str, Any]) -> None:
    assert signature("Processing", processing()) != signature("Processing", processing(**changed))


def test_where_outputs_go_and_on_what_instance_does_not_matter() -> None:
    elsewhere = processing(ProcessingOutputConfig={"Outputs": []}, ProcessingResources={"ClusterConfig": {"InstanceType": "ml.m5.4xlarge"}})
    assert signature("Processing", processing()) == signature("Processing", elsewhere)


def test_of_a_tuning_step_the_static_hyperparameters_matter_but_not_the_output_path() -> None:
    def tuning(**definition: Any) -> str | None:
        return signature("Tuning", {"HyperParameterTuningJobConfig": {"Strategy": "Random"}, "TrainingJobDefinition": definition})

    base = {"StaticHyperParameters": {"rounds": "10"}, "OutputDataConfig": {"S3OutputPath": "s3://bucket/a"}}
    assert tuning(**base) == tuning(**{**base, "OutputDataConfig": {"S3OutputPath": "s3://bucket/b"}})
    assert tuning(**base) != tuning(**{**base, "StaticHyperParameters": {"rounds": "11"}})


@pytest.mark.parametrize("kind", ["RegisterModel", "Model", "Condition", "Fail"])
def test_steps_that_make_no_job_are_not_cached(kind: str) -> None:
    assert signature(kind, {}) is None


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30d", timedelta(days=30)),
        ("P30D", timedelta(days=30)),
        ("PT1H", timedelta(hours=1)),
        ("T16m", timedelta(minutes=16)),
        ("30dT5h", timedelta(days=30, hours=5)),
        ("1y2m", timedelta(days=425)),
        ("P2W", timedelta(weeks=2)),
        (None, None),
    ],
)
def test_expiry_is_read_as_sagemaker_writes_it(text: str | None, duration: timedelta | None) -> None:
    assert lifetime(text) == duration


@pytest.mark.parametrize("text", ["soon", "30", "P", "T"])
def test_a_malformed_expiry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        lifetime(text)


def test_an_entry_is_found_until_it_expires_and_only_for_its_own_step() -> None:
    cache = StepCache()
    entry = CachedStep("execution", NOW, {}, {})
    cache.keep("pipeline", "Prepare", "key", entry)
    assert cache.find("pipeline", "Prepare", "key", NOW + timedelta(days=9), timedelta(days=10)) is entry
    assert cache.find("pipeline", "Prepare", "key", NOW + timedelta(days=11), timedelta(days=10)) is None
    assert cache.find("pipeline", "Prepare", "key", NOW + timedelta(days=9999), None) is entry
    assert cache.find("pipeline", "Other", "key", NOW, None) is None
    assert cache.find("other", "Prepare", "key", NOW, None) is None


def test_the_latest_run_replaces_an_earlier_one() -> None:
    cache = StepCache()
    for execution in ("first", "second"):
        cache.keep("pipeline", "Prepare", "key", CachedStep(execution, NOW, {}, {}))
    found = cache.find("pipeline", "Prepare", "key", NOW, None)
    assert found is not None
    assert found.execution_arn == "second"
