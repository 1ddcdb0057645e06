"""Claims about when training starts, and about what following it says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from build_scripts import publish
from build_scripts.command_line import ProblemError, VerdictError, run
from build_scripts.define_pipeline import file_of
from build_scripts.follow import await_newest, follow, line, numbers
from build_scripts.publish import code_files
from build_scripts.run_pipeline import checked_parameters, data_of, has_data, main, plan, read_definition, upsert
from pipelines.monitoring import code as monitoring_code
from pipelines.published_code import code_prefix
from settings_schema import Model
from tests.example_models import ABALONE, ARRESTS, PROJECT, SETTINGS
from tests.unit import script_account
from tests.unit.script_account import NAMES, S3, Pages, ScriptAccount, refusal

DEFINITION = json.dumps(
    {
        "Version": "2020-12-01",
        "Parameters": [
            {"Name": "InputDataUrl", "Type": "String", "DefaultValue": "s3://data/training/abalone/"},
            {"Name": "MetricThreshold", "Type": "Float", "DefaultValue": 2.4},
            {"Name": "ProcessingInstanceCount", "Type": "Integer", "DefaultValue": 1},
            {"Name": "GitCommit", "Type": "String", "DefaultValue": "unknown"},
            {"Name": "TriggerReason", "Type": "String", "DefaultValue": "manual"},
            {"Name": "ModelApprovalStatus", "Type": "String", "EnumValues": ["Approved", "Rejected"]},
        ],
    }
)
OTHER = json.dumps({"Version": "2020-12-01", "Parameters": []})


def past(status: str, definition: str = DEFINITION) -> dict[str, str]:
    return {"arn": "arn:run", "status": status, "definition": definition}


@pytest.mark.parametrize(
    ("runs", "starts"),
    [
        ([], True),
        ([past("Succeeded")], False),
        ([past("Executing")], False),
        ([past("Failed")], True),
        ([past("Failed"), past("Succeeded")], False),
        ([past("Succeeded", OTHER), past("Succeeded")], True),
    ],
)
def test_only_a_definition_that_did_not_run_well_is_started(runs: list[dict[str, str]], starts: bool) -> None:
    assert plan(DEFINITION, runs, forced=False).start is starts


@pytest.mark.parametrize(
    ("learned_from", "now", "starts"),
    [("a.csv@1", "a.csv@2", True), ("a.csv@1", "a.csv@1", False), ("a.csv@1", "", False)],  # the last: a role that may not look
)
def test_data_that_were_replaced_are_trained_on(learned_from: str, now: str, starts: bool) -> None:
    decision = plan(DEFINITION, [{**past("Succeeded"), "data": learned_from}], forced=False, data=now)
    assert decision.start is starts
    assert ("data have changed" in decision.reason) is starts


def test_the_data_of_a_run_are_those_that_its_first_step_named() -> None:
    class Runs:
        def get_paginator(self, name: str) -> Pages:
            said = {"OutputParameters": [{"Name": "commit", "Value": "abc"}, {"Name": "version", "Value": "a.csv@1"}]}
            steps = [{"StepName": "Prepare", "Metadata": {}}, {"StepName": "DataVersion", "Metadata": {"Lambda": said}}]
            return Pages(lambda **_: {"PipelineExecutionSteps": steps})

    assert data_of(Runs(), "arn:run", "Succeeded") == {"data": "a.csv@1"}
    assert data_of(Runs(), "arn:run", "Executing") == {}


def test_spelling_of_the_definition_does_not_matter() -> None:
    spaced = json.dumps(json.loads(DEFINITION), indent=4, sort_keys=True)
    assert not plan(spaced, [past("Succeeded")], forced=False).start


def test_definition_made_for_other_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "definition.json"
    path.write_text('{"S3Uri": "s3://bucket/code/aaaa/steps/"}')
    assert read_definition(path, "s3://bucket/code/aaaa") == path.read_text()
    with pytest.raises(ProblemError, match="does not use the code at s3://bucket/code/bbbb/"):
        read_definition(path, "s3://bucket/code/bbbb")


def test_running_execution_of_the_same_definition_is_followed_and_force_starts_anyway() -> None:
    assert plan(DEFINITION, [past("Executing")], forced=False).following == "arn:run"
    assert plan(DEFINITION, [past("Succeeded")], forced=True).start


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"Threshold": "1"}, "allowed: InputDataUrl"),
        ({"MetricThreshold": "low"}, "MetricThreshold is 'low'; allowed: numbers"),
        ({"MetricThreshold": "nan"}, "MetricThreshold is 'nan'; allowed: numbers"),
        ({"MetricThreshold": "inf"}, "MetricThreshold is 'inf'; allowed: numbers"),
        ({"MetricThreshold": "1e999"}, "MetricThreshold is '1e999'; allowed for rmse, the model's metric: at least 0"),
        ({"MetricThreshold": "-2.4"}, "MetricThreshold is '-2.4'; allowed for rmse, the model's metric: at least 0"),
        ({"GitCommit": 'a"b'}, "allowed: 1 to 256 letters, numbers, spaces and"),
        ({"TriggerReason": "new, better data"}, "allowed: 1 to 256 letters, numbers, spaces and"),
        ({"TriggerReason": "x" * 257}, "allowed: 1 to 256 letters, numbers, spaces and"),
        ({"ProcessingInstanceCount": "0"}, "ProcessingInstanceCount is '0'; allowed: whole numbers from 1"),
        ({"InputDataUrl": "data.csv"}, "InputDataUrl is 'data.csv'; allowed: s3://bucket/prefix/"),
        ({"ModelApprovalStatus": "Maybe"}, "Approved, Rejected"),
    ],
)
def test_wrong_parameter_is_refused_by_name(given: dict[str, str], named: str) -> None:
    with pytest.raises(ProblemError, match=named):
        checked_parameters(DEFINITION, given, ABALONE.data)


def test_a_threshold_is_checked_against_the_metric_of_the_data_set() -> None:
    assert checked_parameters(DEFINITION, {"MetricThreshold": "1.5"}, ABALONE.data) == {"MetricThreshold": "1.5"}
    with pytest.raises(ProblemError, match=r"MetricThreshold is '1\.5'; allowed for auc, the model's metric: 0 to 1"):
        checked_parameters(DEFINITION, {"MetricThreshold": "1.5"}, ARRESTS.data)


def test_no_data_means_no_start_and_a_marker_is_no_data() -> None:
    s3 = S3()
    s3.put_object(Bucket="data", Key="training/abalone/_SUCCESS", Body=b"")
    assert not has_data(s3, "s3://data/training/abalone/")
    s3.put_object(Bucket="data", Key="training/abalone/abalone.csv", Body=b"a")
    assert has_data(s3, "s3://data/training/abalone/")


class Pipelines:
    def __init__(self, current: dict[str, str] | None) -> None:
        self.current, self.calls = current, []

    def describe_pipeline(self, **_: str) -> dict[str, str]:
        if self.current is None:
            raise refusal("ResourceNotFound", "Pipeline does not exist", "DescribePipeline")
        return self.current

    def create_pipeline(self, **request: Any) -> None:
        self.calls.append("create")
        self.created = request

    def update_pipeline(self, **_: Any) -> None:
        self.calls.append("update")


@pytest.mark.parametrize(
    ("current", "call"),
    [
        (None, ["create"]),
        ({"PipelineDefinition": OTHER, "RoleArn": "role"}, ["update"]),
        ({"PipelineDefinition": DEFINITION, "RoleArn": "old"}, ["update"]),
        ({"PipelineDefinition": DEFINITION, "RoleArn": "role"}, []),
    ],
)
def test_pipeline_is_created_updated_or_left_alone(current: dict[str, str] | None, call: list[str]) -> None:
    pipelines = Pipelines(current)
    upsert(pipelines, NAMES.training_pipeline, DEFINITION, "role", [])
    assert pipelines.calls == call


class Trainings:
    """SageMaker with pipelines by name. What is in `ran_well` has one execution of its definition that succeeded."""

    def __init__(self) -> None:
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.ran_well: set[str] = set()
        self.given: list[dict[str, str]] = []
        self.started: list[str] = []
        self.broken: set[str] = set()

    def run_well(self, name: str, definition: str, role: str) -> None:
        self.pipelines[name] = {"PipelineDefinition": definition, "RoleArn": role}
        self.ran_well.add(name)

    def describe_pipeline(self, PipelineName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        if PipelineName not in self.pipelines:
            raise refusal("ResourceNotFound", "Pipeline does not exist", "DescribePipeline")
        return self.pipelines[PipelineName]

    def create_pipeline(self, PipelineName: str, **request: Any) -> None:  # noqa: N803
        if PipelineName in self.broken:
            raise refusal("ValidationException", "the role may not be assumed", "CreatePipeline")
        self.pipelines[PipelineName] = request

    def list_pipeline_executions(self, PipelineName: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        summary = {"PipelineExecutionArn": f"arn:{PipelineName}", "PipelineExecutionStatus": "Succeeded"}
        return {"PipelineExecutionSummaries": [summary] if PipelineName in self.ran_well else []}

    def describe_pipeline_definition_for_execution(self, PipelineExecutionArn: str) -> dict[str, str]:  # noqa: N803
        return {"PipelineDefinition": self.pipelines[PipelineExecutionArn.removeprefix("arn:")]["PipelineDefinition"]}

    def get_paginator(self, _: str) -> Pages:
        return Pages(lambda **_: {"PipelineExecutionSteps": []})

    def start_pipeline_execution(self, **request: Any) -> dict[str, str]:
        self.given.append({item["Name"]: item["Value"] for item in request["PipelineParameters"]})
        self.started.append(request["PipelineName"])
        return {"PipelineExecutionArn": "arn:new"}


class Runner:
    """Runs the script on definitions that were written before. `account.clients["sagemaker"]` is `trainings`."""

    def __init__(self, account: ScriptAccount, folder: Path) -> None:
        self.account, self.folder, self.trainings = account, folder, Trainings()
        account.clients["sagemaker"] = self.trainings
        for model in SETTINGS.models.values():
            self.account.s3.put_object(Bucket="data", Key=f"training/{model.name}/rows.csv", Body=b"a")
            file_of(folder, model).write_text(definition_of(model))

    def __call__(self, *arguments: str) -> list[dict[str, str]]:
        """The parameters of every execution that was started so far."""
        assert run(main, ["--definitions", str(self.folder), *arguments]) == 0
        return self.trainings.given

    def ran_well(self, model: Model) -> None:
        names = model.names(PROJECT)
        role = f"arn:aws:iam::111122223333:role/{names.pipeline_role}"
        self.trainings.run_well(names.training_pipeline, definition_of(model), role)


def definition_of(model: Model) -> str:
    """What define_pipeline.py writes, as far as this script reads it."""
    parameters = [*json.loads(DEFINITION)["Parameters"], {"Name": "CacheKey", "Type": "String", "DefaultValue": "shared"}]
    parameters[0] = {**parameters[0], "DefaultValue": f"s3://data/training/{model.name}/"}
    code = f"s3://artifacts/{code_prefix(code_files(model))}/steps/"
    return json.dumps({**json.loads(DEFINITION), "Parameters": parameters, "Steps": [code]})


@pytest.fixture(autouse=True)
def short_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script instead of a hundred, which test_publish.py publishes."""
    for module in (publish, monitoring_code):
        monkeypatch.setattr(module, "files_of", lambda folder: {f"of_{folder.parent.name}.py": b"pass\n"})


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Two models, of which nothing was ever started; a build of all of them."""
    account = script_account.install(monkeypatch)
    monkeypatch.delenv("MODEL")
    return Runner(account, tmp_path)


@pytest.fixture
def started(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """One model, whose pipeline has run well with the definition that is published now."""
    monkeypatch.setenv("MODEL", ABALONE.name)
    runner.ran_well(ABALONE)
    return runner


# ------------------------------------------------------------------------------------------ a build of several models


def test_a_build_starts_each_model_that_has_changed_and_no_other(runner: Runner) -> None:
    runner.ran_well(ARRESTS)
    runner()
    assert runner.trainings.started == [NAMES.training_pipeline]


def test_one_model_s_failure_keeps_no_other_from_starting_and_is_named_at_the_end(
    runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    runner.trainings.broken.add(NAMES.training_pipeline)
    assert run(main, ["--definitions", str(runner.folder)]) == 2
    assert runner.trainings.started == [ARRESTS.names(PROJECT).training_pipeline]
    complaint = capsys.readouterr().err
    assert complaint.startswith("error: 1 of 2 models could not be started: abalone: CreatePipeline: ValidationException: the role may not")
    assert complaint.count("\n") == 1


def test_a_definition_that_is_missing_keeps_no_other_from_starting(runner: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    file_of(runner.folder, ABALONE).unlink()
    assert run(main, ["--definitions", str(runner.folder)]) == 2
    assert runner.trainings.started == [ARRESTS.names(PROJECT).training_pipeline]
    assert "abalone" in capsys.readouterr().err


@pytest.mark.parametrize("status", ["", "CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE", "DELETE_IN_PROGRESS"])
def test_a_model_whose_stack_is_not_there_is_published_and_not_started(
    runner: Runner, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """It may come later than its push: its stack then starts the build again."""
    stacks, stack = runner.account.cloudformation, ARRESTS.names(PROJECT).stack
    there = stacks.describe_stacks
    if status:
        answers = {stack: {"Stacks": [{"StackStatus": status}]}}
        monkeypatch.setattr(stacks, "describe_stacks", lambda StackName: answers.get(StackName) or there(StackName=StackName))  # noqa: N803
    else:
        stacks.names.remove(stack)
    runner()
    assert runner.trainings.started == [NAMES.training_pipeline]
    assert list(runner.trainings.pipelines) == [NAMES.training_pipeline]
    assert f"not started: stack {stack} is not deployed; `npx cdk deploy --all`" in capsys.readouterr().out
    assert f"{code_prefix(code_files(ARRESTS))}/sourcedir.tar.gz" in runner.account.s3.writes


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_model_whose_stack_is_updated_is_there(runner: Runner, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    monkeypatch.setattr(runner.account.cloudformation, "describe_stacks", lambda **_: {"Stacks": [{"StackStatus": status}]})
    runner()
    assert len(runner.trainings.started) == 2


def test_a_model_without_data_waits_for_it_and_the_others_do_not(runner: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    del runner.account.s3.objects["data/training/arrests/rows.csv"]
    runner()
    assert runner.trainings.started == [NAMES.training_pipeline]
    assert "`python -m build_scripts.upload_data --model arrests` uploads it" in capsys.readouterr().out


def test_each_model_runs_as_its_own_role_and_is_tagged_with_its_name(runner: Runner) -> None:
    """Studio and the cost report would else show one."""
    runner()
    for model in (ABALONE, ARRESTS):
        names = model.names(PROJECT)
        made = runner.trainings.pipelines[names.training_pipeline]
        assert made["RoleArn"] == f"arn:aws:iam::111122223333:role/{names.pipeline_role}"
        assert {tag["Key"]: tag["Value"] for tag in made["Tags"]} == names.tags


def test_what_only_one_model_can_be_asked_is_refused_for_all(runner: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, ["--definitions", str(runner.folder), "--wait"]) == 2
    assert "for one model; name it with --model" in capsys.readouterr().err


def test_by_hand_a_model_is_named_where_there_are_several(runner: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, []) == 2
    assert "--model is missing; allowed: abalone, arrests" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------- one model


def test_what_has_run_well_is_not_started_and_the_line_says_how_it_would_be(started: Runner, capsys: pytest.CaptureFixture[str]) -> None:
    assert started() == []
    said = capsys.readouterr().out
    assert "not started: the same definition has succeeded" in said
    assert "new data" in said and "--force" in said


def test_force_takes_nothing_from_the_cache_and_each_time_anew(started: Runner) -> None:
    keys = [given["CacheKey"] for given in (started("--force"), started("--force"))[-1]]
    assert len({"shared", *keys}) == 3


def test_a_version_says_whether_a_build_or_a_person_started_its_training(started: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    assert started("--force")[-1]["TriggerReason"] == "manual"
    assert started("--force", "--reason", "fix")[-1]["TriggerReason"] == "fix"
    monkeypatch.setenv("CODEBUILD_RESOLVED_SOURCE_VERSION", "0123456789abcdef")
    assert started("--force")[-1]["TriggerReason"] == "push"


def test_a_parameter_alone_shares_the_cache(started: Runner) -> None:
    (given,) = started("--parameter", "ProcessingInstanceCount=2")
    assert "CacheKey" not in given
    assert given["ProcessingInstanceCount"] == "2"


def test_who_forces_with_a_cache_key_gets_that_one(started: Runner) -> None:
    (given,) = started("--force", "--parameter", "CacheKey=mine")
    assert given["CacheKey"] == "mine"


class Execution:
    """An execution that ends after two looks."""

    def __init__(self, final: str, steps: list[dict[str, Any]]) -> None:
        self._final, self._steps, self._looks = final, steps, 0

    def describe_pipeline_execution(self, **_: str) -> dict[str, Any]:
        self._looks += 1
        return {"PipelineExecutionStatus": self._final if self._looks > 1 else "Executing"}

    def get_paginator(self, _: str) -> Pages:
        return Pages(lambda **_: {"PipelineExecutionSteps": self._steps})


def step(name: str, status: str = "Succeeded", **more: Any) -> dict[str, Any]:
    times = {"StartTime": datetime(2026, 1, 1, 0, 0, 0, tzinfo=UTC), "EndTime": datetime(2026, 1, 1, 0, 0, 4, tzinfo=UTC)}
    return {"StepName": name, "StepStatus": status, **times, **more}


def test_each_step_is_shown_once_with_its_seconds_and_its_result(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [step("Prepare"), step("Register", Metadata={"RegisterModel": {"Arn": "arn:package/1"}})]
    assert follow(Execution("Succeeded", steps), "arn:run", poll_seconds=0) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [text.split() for text in lines] == [
        ["Prepare", "4.0", "s", "Succeeded"],
        ["Register", "4.0", "s", "Succeeded", "arn:package/1"],
    ]


def test_cached_step_says_so() -> None:
    assert "(cached)" in line(step("Prepare", CacheHitResult={"SourcePipelineExecutionArn": "arn:old"}), "")


def test_the_first_step_says_which_data_it_is() -> None:
    outputs = [{"Name": "version", "Value": "abalone.csv@v1"}]
    assert numbers(None, step("DataVersion", Metadata={"Lambda": {"Arn": "arn:f", "OutputParameters": outputs}})) == "abalone.csv@v1"


def test_failed_execution_ends_with_the_steps_reason() -> None:
    steps = [step("Refuse", "Failed", Metadata={"Fail": {"ErrorMessage": "Not registered: rmse 3.1 is above 2.4"}})]
    with pytest.raises(VerdictError, match=r"Refuse: Not registered: rmse 3\.1 is above 2\.4"):
        follow(Execution("Failed", steps), "arn:run", poll_seconds=0)


class Builds:
    """CodePipeline whose build runs for a number of looks."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    def get_pipeline_state(self, name: str) -> dict[str, Any]:
        self._looks -= 1
        return {"stageStates": [{"latestExecution": {"status": "InProgress" if self._looks >= 0 else "Succeeded"}}]}


class Runs:
    """SageMaker with one execution more at every look."""

    def __init__(self, *arns: str) -> None:
        self._arns = list(arns)

    def list_pipeline_executions(self, **_: Any) -> dict[str, Any]:
        arn = self._arns.pop(0) if len(self._arns) > 1 else self._arns[0]
        return {"PipelineExecutionSummaries": [{"PipelineExecutionArn": arn}] if arn else []}


def test_without_a_run_there_is_nothing_to_follow() -> None:
    with pytest.raises(ProblemError, match="has not run yet; push a change"):
        await_newest(Runs(""), Builds(0), NAMES, poll_seconds=0)


def test_while_a_build_runs_its_own_training_is_waited_for() -> None:
    assert await_newest(Runs("old", "old", "new"), Builds(5), NAMES, poll_seconds=0) == "new"


def test_a_build_that_starts_nothing_leaves_the_last_run_to_follow() -> None:
    assert await_newest(Runs("old"), Builds(2), NAMES, poll_seconds=0) == "old"


def test_a_bucket_that_does_not_exist_is_named() -> None:
    class NoBucket:
        def get_paginator(self, _: str) -> Pages:
            return Pages(self.list_objects_v2)

        def list_objects_v2(self, **_: Any) -> None:
            raise refusal("NoSuchBucket", "The specified bucket does not exist", "ListObjectsV2")

    with pytest.raises(ProblemError, match="'s3://nowhere/x/', but there is no bucket 'nowhere'"):
        has_data(NoBucket(), "s3://nowhere/x/")
