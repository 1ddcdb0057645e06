"""The pipelines' definitions and the role they run with: every job by its name and tag, every address that is read or written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from build_scripts.project_environment import ProjectEnvironment
from local_account.sagemaker.pipelines.steps import job_name, tuning_job_name
from pipelines.batch import pipeline as batch
from pipelines.tabular import pipeline as tabular
from tests.example_models import ABALONE, PROJECT
from tests.infra.cases import ONE
from tests.infra.grants import Role, is_met_without_tags, only, roles

BUCKETS = {kind: f"shop--{kind}-111122223333-us-east-1" for kind in ("data", "artifacts")}
PLACE = ProjectEnvironment(
    PROJECT,
    {
        "AWS_REGION": "us-east-1",
        "ARTIFACT_BUCKET": BUCKETS["artifacts"],
        "DATA_BUCKET": BUCKETS["data"],
        "KMS_KEY_ARN": "arn:aws:kms:us-east-1:111122223333:key/0",
    },
)
#: One of whose name another's begins with; and one that SageMaker's room for a job's name cuts.
MODELS = [ABALONE, ONE.models["abalone-large"]]
EXECUTION = "abcdefghijkl"
#: Step type -> action, resource kind and where its request has the job's name.
JOBS = {
    "Processing": ("CreateProcessingJob", "processing-job", "ProcessingJobName"),
    "Tuning": ("CreateHyperParameterTuningJob", "hyper-parameter-tuning-job", None),
    "Transform": ("CreateTransformJob", "transform-job", "TransformJobName"),
    "Model": ("CreateModel", "model", "ModelName"),
}


@pytest.fixture(scope="session", params=MODELS, ids=[model.name for model in MODELS])
def model(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="session")
def role(templates: Any, model: Any) -> Role:
    return only(roles(templates), f"shop--{model.name}/TrainingRole")


@pytest.fixture(scope="session")
def steps(model: Any) -> list[dict[str, Any]]:
    definitions = (
        tabular.get_pipeline(PROJECT, model, PLACE, code_uri=f"s3://{BUCKETS['artifacts']}/code/0123456789abcdef"),
        batch.get_pipeline(model.names(PROJECT), PLACE),
    )
    return [step for definition in definitions for step in json.loads(definition.definition())["Steps"]]


@pytest.fixture(scope="session")
def jobs(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [step for step in steps if step["Type"] in JOBS]


def name_of(step: dict[str, Any]) -> str:
    """As SageMaker names the step's job."""
    _, _, member = JOBS[step["Type"]]
    if member is None:
        return tuning_job_name(EXECUTION, step["Name"])
    return job_name(EXECUTION, step["Name"], step["Arguments"].get(member) or "")


def test_every_kind_of_job_is_there(jobs: list[dict[str, Any]]) -> None:
    assert {job["Type"] for job in jobs} == set(JOBS)


def test_a_tuning_job_s_name_has_32_characters_at_most_and_begins_with_the_execution() -> None:
    name = tuning_job_name("abcdefghijkl", "TuneGradientBoosting")
    assert name.startswith("abcdefghijkl-TuneGra-")
    assert len(name) <= 32


def test_the_role_may_start_every_job_by_the_name_that_sagemaker_gives_it(role: Role, jobs: list[dict[str, Any]]) -> None:
    for step in jobs:
        action, kind, _ = JOBS[step["Type"]]
        for name in (name_of(step), name_of(step).lower()):  # ARNs are in small letters
            arn = f"arn:aws:sagemaker:us-east-1:111122223333:{kind}/{name}"
            for needed in (action, action.replace("Create", "Describe"), "AddTags", "ListTags"):
                assert role.may(f"sagemaker:{needed}", arn), f"{needed} on {arn}"


def test_every_job_has_the_tags_by_which_the_role_knows_it(role: Role, jobs: list[dict[str, Any]], model: Any) -> None:
    (own,) = {
        tuple(sorted(statement.condition["StringEquals"].items()))
        for job, _, _ in JOBS.values()
        for statement in role.allowing(f"sagemaker:{job}")
    }
    assert dict(own) == {"aws:RequestTag/model": model.name, "aws:RequestTag/sagemaker:project-name": "shop"}
    for step in jobs:
        tags = {tag["Key"]: tag["Value"] for tag in step["Arguments"]["Tags"]}
        assert {key: tags[key.removeprefix("aws:RequestTag/")] for key, _ in own} == dict(own), step["Name"]


def test_a_job_without_the_tags_is_not_ours_to_stop(role: Role, model: Any) -> None:
    for kind in ("ProcessingJob", "HyperParameterTuningJob", "TransformJob"):
        for statement in role.allowing(f"sagemaker:Stop{kind}"):
            own = {"aws:ResourceTag/model": model.name, "aws:ResourceTag/sagemaker:project-name": "shop"}
            assert statement.condition == {"StringEquals": own}


def test_a_job_is_followed_before_its_tags_count(role: Role, jobs: list[dict[str, Any]]) -> None:
    """SageMaker's tags count in IAM minutes after a job was made at times; it is described at once."""
    for step in jobs:
        action, kind, _ = JOBS[step["Type"]]
        arn = f"arn:aws:sagemaker:us-east-1:111122223333:{kind}/{name_of(step)}"
        for needed in (action.replace("Create", "Describe"), "ListTags"):
            assert any(is_met_without_tags(statement.condition) for statement in role.allowing(f"sagemaker:{needed}", arn)), (
                f"{needed} on {arn}"
            )


def addresses(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Member and address of every S3 URI of a request; variables of other steps and parameters are left out."""
    if isinstance(value, dict):
        if set(value) == {"Std:Join"}:
            parts = [part if isinstance(part, str) else EXECUTION for part in value["Std:Join"]["Values"]]
            yield from addresses(value["Std:Join"]["On"].join(parts), place)
            return
        for name, item in value.items():
            yield from addresses(item, f"{place}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from addresses(item, place)
    elif isinstance(value, str) and value.startswith("s3://"):
        yield place, value


def test_the_role_may_read_and_write_every_address_of_the_definitions(role: Role, jobs: list[dict[str, Any]]) -> None:
    seen = set()
    for step in jobs:
        for place, address in addresses(step["Arguments"]):
            writes, reads = "Output" in place or "Checkpoint" in place, "Output" not in place
            arn = f"arn:aws:s3:::{address.removeprefix('s3://')}/file"
            for action in ["s3:PutObject"] * writes + ["s3:GetObject"] * reads:
                seen.add(action)
                assert role.may(action, arn), f"{step['Name']}{place}: {action} on {address}"
    assert seen == {"s3:PutObject", "s3:GetObject"}


def test_only_a_model_whose_trials_can_be_interrupted_keeps_checkpoints_and_only_its_own(templates: Any) -> None:
    own, other = (f"arn:aws:s3:::{BUCKETS['artifacts']}/checkpoints/{name}/linear/job/file" for name in ("abalone-large", "abalone"))
    spot, steady = (only(roles(templates), f"shop--{name}/TrainingRole") for name in ("abalone-large", "abalone"))
    assert spot.may("s3:PutObject", own) and not spot.may("s3:PutObject", other)
    assert not steady.may("s3:PutObject", other)


def test_checkpoints_go_after_the_longest_that_a_trial_may_wait_and_run(templates: Any) -> None:
    resources = templates["shop--foundation"]["Resources"].values()
    rules = [rule for item in resources for rule in item.get("Properties", {}).get("LifecycleConfiguration", {}).get("Rules", [])]
    (days,) = {rule["ExpirationInDays"] for rule in rules if rule.get("Prefix") == "checkpoints/"}
    assert days > 28


def test_evaluation_may_ask_what_its_own_run_s_steps_and_trials_took_and_of_no_other_model_s_runs(role: Role, model: Any) -> None:
    here = "arn:aws:sagemaker:us-east-1:111122223333"
    run = f"pipeline/shop--{model.name}--training/execution/{EXECUTION}"
    assert role.may("sagemaker:ListPipelineExecutionSteps", f"{here}:{run}")
    assert not role.may("sagemaker:ListPipelineExecutionSteps", f"{here}:{run.replace(model.name, 'other')}")
    trial = f"{tuning_job_name(EXECUTION, 'TuneLinear')}-001-0123abcd"
    for name in (trial, trial.lower()):
        assert role.may("sagemaker:DescribeTrainingJob", f"{here}:training-job/{name}")
    assert not role.may("sagemaker:DescribeTrainingJob", f"{here}:training-job/someone-s")
