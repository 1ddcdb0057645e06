"""SageMaker Pipelines through boto3: definitions that this project's own pipeline does not use, really run."""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from . import sagemaker_requests as small

WRITE = """
import pathlib, sys
target = pathlib.Path(sys.argv[1])
(target / "report.json").write_text(sys.argv[2])
print("wrote", sys.argv[2])
"""
FAIL = "import sys; print('about to fail'); sys.exit('column age is missing')"
SLEEP = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)  # left-behind']); time.sleep(60)"
)
REPORT = [{"PropertyFileName": "Report", "OutputName": "out", "FilePath": "report.json"}]


@pytest.fixture(scope="module")
def sagemaker(account: Account) -> Any:
    small.publish(account.client("s3"), {"write.py": WRITE, "fail.py": FAIL, "sleep.py": SLEEP})
    return account.client("sagemaker")


def writes(name: str, text: Any, **more: Any) -> dict[str, Any]:
    """A step that writes `text` into report.json under a prefix of its execution."""
    target = {"Std:Join": {"On": "/", "Values": [f"s3://{small.BUCKET}", {"Get": "Execution.PipelineExecutionId"}, name]}}
    arguments = small.processing("write", "/opt/ml/processing/output/out", text, outputs=[small.s3_output("out", target)])
    return {"Name": name, "Type": "Processing", "Arguments": arguments, "PropertyFiles": REPORT, **more}


def value_of(step: str, path: str) -> dict[str, Any]:
    return {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.{step}.PropertyFiles.Report"}, "Path": path}}


def fails(name: str, message: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def condition(name: str, conditions: list[Any], if_steps: list[Any], else_steps: list[Any]) -> dict[str, Any]:
    return {"Name": name, "Type": "Condition", "Arguments": {"Conditions": conditions, "IfSteps": if_steps, "ElseSteps": else_steps}}


def test_how_many_instances_a_parameter_asks_for_is_judged_when_the_step_runs(sagemaker: Any) -> None:
    cluster = {**small.CLUSTER["ClusterConfig"], "InstanceCount": {"Get": "Parameters.Count"}}
    step = writes("Work", "1")
    step["Arguments"]["ProcessingResources"] = {"ClusterConfig": cluster}
    name = small.create_pipeline(sagemaker, [step], [{"Name": "Count", "Type": "Integer", "DefaultValue": 1}])
    assert small.run_pipeline(sagemaker, name)[0]["PipelineExecutionStatus"] == "Succeeded"
    _, ran = small.run_pipeline(sagemaker, name, {"Count": "9"})
    assert "ClusterConfig.InstanceCount 9" in ran["Work"]["FailureReason"]


def test_a_condition_on_a_property_file_takes_one_branch_only(sagemaker: Any) -> None:
    below = {"Type": "LessThan", "LeftValue": value_of("Score", "a.value"), "RightValue": {"Get": "Parameters.Limit"}}
    refused = {"Std:Join": {"On": " ", "Values": ["value", value_of("Score", "a.value"), "is not below", {"Get": "Parameters.Limit"}]}}
    steps = [writes("Score", '{"a": {"value": 3}}'), condition("Gate", [below], [writes("Good", "{}")], [fails("Bad", refused)])]
    name = small.create_pipeline(sagemaker, steps, [{"Name": "Limit", "Type": "Float", "DefaultValue": 5.0}])

    execution, ran = small.run_pipeline(sagemaker, name)
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    assert set(ran) == {"Score", "Gate", "Good"}
    assert ran["Gate"]["Metadata"]["Condition"]["Outcome"] == "True"

    execution, ran = small.run_pipeline(sagemaker, name, {"Limit": "2"})
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert ran["Bad"]["FailureReason"] == ran["Bad"]["Metadata"]["Fail"]["ErrorMessage"] == "value 3 is not below 2.0"
    assert "Bad: value 3 is not below 2.0" in execution["FailureReason"]
    assert "Good" not in ran


def test_a_file_that_a_step_reads_has_at_most_2_mb(sagemaker: Any, account: Account) -> None:
    for name, size in (("most", 2 * 1024 * 1024), ("larger", 2 * 1024 * 1024 + 1)):
        body = json.dumps({"a": 1, "rest": ""})
        account.client("s3").put_object(Bucket=small.BUCKET, Key=f"{name}.json", Body=body.replace('""', f'"{"x" * (size - len(body))}"'))
        value = {"Std:JsonGet": {"S3Uri": f"s3://{small.BUCKET}/{name}.json", "Path": "a"}}
        read = condition("Read", [{"Type": "Equals", "LeftValue": value, "RightValue": 1}], [], [])
        _, ran = small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, [read]))
        assert ran["Read"]["StepStatus"] == ("Succeeded" if name == "most" else "Failed")
    assert "the file has 2097153 bytes, and the maximum size is 2097152" in ran["Read"]["FailureReason"]


def test_a_reason_keeps_the_lengths_and_the_one_line_of_the_service_s_model(sagemaker: Any) -> None:
    """FailureReason: 1,024 characters; PipelineExecutionFailureReason: 1,300 on one line."""
    message = "\n".join(["no"] * 1000)
    execution, ran = small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, [fails("Long", message)]))
    assert len(ran["Long"]["FailureReason"]) == 1024
    assert "\n" not in execution["FailureReason"]
    assert len(execution["FailureReason"]) <= 1300


def test_properties_of_one_step_are_the_input_of_the_next(sagemaker: Any, account: Account) -> None:
    copy = writes("Second", "seen")
    source = {"Get": "Steps.First.ProcessingOutputConfig.Outputs['out'].S3Output.S3Uri"}
    copy["Arguments"]["ProcessingInputs"].append(small.s3_input("before", source))
    execution, ran = small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, [copy, writes("First", "1")]))
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    job = sagemaker.describe_processing_job(ProcessingJobName=ran["Second"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2])
    identifier = execution["PipelineExecutionArn"].rpartition("/")[2]
    assert job["ProcessingInputs"][1]["S3Input"]["S3Uri"] == f"s3://{small.BUCKET}/{identifier}/First"


def test_independent_steps_run_at_the_same_time(sagemaker: Any) -> None:
    _, ran = small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, [writes("A", "1"), writes("B", "2")]))
    assert max(ran["A"]["StartTime"], ran["B"]["StartTime"]) < min(ran["A"]["EndTime"], ran["B"]["EndTime"])


def test_a_failing_script_fails_the_step_with_its_words_and_the_path_of_its_log(sagemaker: Any) -> None:
    broken = {"Name": "Broken", "Type": "Processing", "Arguments": small.processing("fail")}
    execution, ran = small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, [broken, writes("After", "1", DependsOn=["Broken"])]))
    reason = ran["Broken"]["FailureReason"]
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert "AlgorithmError: column age is missing, exit code: 1" in reason
    log = Path(reason.rpartition("log: ")[2])
    assert log.read_text() == "about to fail\ncolumn age is missing\n"
    assert set(ran) == {"Broken"}


def test_a_missing_input_is_named(sagemaker: Any) -> None:
    lost = {
        "Name": "Lost",
        "Type": "Processing",
        "Arguments": small.processing("write", inputs=[small.s3_input("x", "s3://bucket/nothing/here")]),
    }
    _, ran = small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, [lost]))
    assert 'No S3 objects found under S3 URL "s3://bucket/nothing/here"' in ran["Lost"]["FailureReason"]


def test_a_wrongly_formed_job_fails_its_step_and_says_what_is_missing(sagemaker: Any) -> None:
    arguments = {key: value for key, value in small.processing("write").items() if key != "RoleArn"}
    steps = [{"Name": "NoRole", "Type": "Processing", "Arguments": arguments}]
    _, ran = small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, steps))
    assert "Validation" in ran["NoRole"]["FailureReason"]
    assert "Value null at 'roleArn' failed to satisfy constraint: Member must not be null" in ran["NoRole"]["FailureReason"]


def test_stopping_an_execution_leaves_no_process(sagemaker: Any, account: Account) -> None:
    def left() -> list[int]:
        return [item.pid for item in psutil.process_iter(["cmdline"]) if any("left-behind" in part for part in item.info["cmdline"] or [])]

    name = small.create_pipeline(sagemaker, [{"Name": "Long", "Type": "Processing", "Arguments": small.processing("sleep")}])
    arn = sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
    deadline = time.monotonic() + 30
    while not left():
        assert time.monotonic() < deadline, "the job never started"
        time.sleep(0.05)
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    described = small.wait(lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn), "PipelineExecutionStatus")
    assert described["PipelineExecutionStatus"] == "Stopped"
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert [step["StepStatus"] for step in steps] == ["Stopped"]
    assert left() == []
    with pytest.raises(ClientError, match="Only pipeline executions in executing status"):
        sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)


def test_a_step_that_did_not_change_is_taken_from_the_cache_and_says_from_where(sagemaker: Any) -> None:
    cached = writes("Once", {"Get": "Parameters.Text"}, CacheConfig={"Enabled": True, "ExpireAfter": "30d"})
    steps = [cached, condition("Check", [{"Type": "Equals", "LeftValue": value_of("Once", "v"), "RightValue": 1}], [], [])]
    name = small.create_pipeline(sagemaker, steps, [{"Name": "Text", "Type": "String", "DefaultValue": '{"v": 1}'}])
    first, ran = small.run_pipeline(sagemaker, name)
    assert "CacheHitResult" not in ran["Once"]
    second, again = small.run_pipeline(sagemaker, name)
    assert again["Once"]["CacheHitResult"] == {"SourcePipelineExecutionArn": first["PipelineExecutionArn"]}
    assert again["Once"]["Metadata"] == ran["Once"]["Metadata"]
    assert again["Check"]["Metadata"]["Condition"]["Outcome"] == "True", "the cached step's property file is read"
    _, changed = small.run_pipeline(sagemaker, name, {"Text": '{"v": 2}'})
    assert "CacheHitResult" not in changed["Once"]
    assert second["PipelineExecutionStatus"] == "Succeeded"


def test_a_failed_step_is_not_cached(sagemaker: Any) -> None:
    broken = {"Name": "Broken", "Type": "Processing", "Arguments": small.processing("fail"), "CacheConfig": {"Enabled": True}}
    name = small.create_pipeline(sagemaker, [broken])
    for _ in range(2):
        execution, ran = small.run_pipeline(sagemaker, name)
        assert execution["PipelineExecutionStatus"] == "Failed"
        assert "CacheHitResult" not in ran["Broken"]


def test_a_retry_policy_is_taken_and_a_scripts_own_failure_is_none_that_it_names(sagemaker: Any) -> None:
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR", "Step.THROTTLING"], "IntervalSeconds": 1, "MaxAttempts": 5}
    broken = {"Name": "Broken", "Type": "Processing", "Arguments": small.processing("fail"), "RetryPolicies": [policy]}
    execution, ran = small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, [broken]))
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert "column age is missing" in ran["Broken"]["FailureReason"]


def test_a_repeated_request_token_starts_nothing_new(sagemaker: Any) -> None:
    name = small.create_pipeline(sagemaker, [fails("End", "as asked")])
    token = "t" * 40
    first = sagemaker.start_pipeline_execution(PipelineName=name, ClientRequestToken=token)["PipelineExecutionArn"]
    assert sagemaker.start_pipeline_execution(PipelineName=name, ClientRequestToken=token)["PipelineExecutionArn"] == first
    assert len(sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]) == 1


def test_a_repeated_request_token_keeps_the_first_requests_parameters(sagemaker: Any) -> None:
    """The API's model names no error for it, and says that an idempotent operation completes no more than once."""
    name = small.create_pipeline(sagemaker, [fails("End", "as asked")], [{"Name": "Who", "Type": "String", "DefaultValue": "me"}])
    arns = {
        sagemaker.start_pipeline_execution(
            PipelineName=name, ClientRequestToken="t" * 40, PipelineParameters=[{"Name": "Who", "Value": who}]
        )["PipelineExecutionArn"]
        for who in ("you", "they")
    }
    assert len(arns) == 1
    given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arns.pop())["PipelineParameters"]
    assert given == [{"Name": "Who", "Value": "you"}]


def test_a_request_token_belongs_to_one_pipeline(sagemaker: Any) -> None:
    names = [small.create_pipeline(sagemaker, [fails("End", "as asked")]) for _ in range(2)]
    started = {sagemaker.start_pipeline_execution(PipelineName=name, ClientRequestToken="t" * 40)["PipelineExecutionArn"] for name in names}
    assert len(started) == 2


def test_a_deleted_pipeline_takes_its_runs_and_their_cache_along(sagemaker: Any) -> None:
    steps = [writes("Once", "1", CacheConfig={"Enabled": True, "ExpireAfter": "30d"})]
    name = small.create_pipeline(sagemaker, steps)
    execution, _ = small.run_pipeline(sagemaker, name)
    sagemaker.delete_pipeline(PipelineName=name)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution["PipelineExecutionArn"])
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=small.definition(steps), RoleArn=small.ROLE)
    assert sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"] == []
    assert "CacheHitResult" not in small.run_pipeline(sagemaker, name)[1]["Once"]


def test_an_execution_keeps_the_definition_and_parameters_it_was_started_with(sagemaker: Any) -> None:
    parameters = [{"Name": "Rate", "Type": "Float", "DefaultValue": 0.5}, {"Name": "Who", "Type": "String", "DefaultValue": "me"}]
    name = small.create_pipeline(sagemaker, [fails("End", "one")], parameters)
    execution, _ = small.run_pipeline(sagemaker, name, {"Who": "you"})
    arn = execution["PipelineExecutionArn"]
    sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=small.definition([fails("End", "two")]))
    kept = json.loads(sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)["PipelineDefinition"])
    assert kept["Steps"][0]["Arguments"]["ErrorMessage"] == "one"
    given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
    assert given == [{"Name": "Rate", "Value": "0.5"}, {"Name": "Who", "Value": "you"}]
    assert "two" in small.run_pipeline(sagemaker, name)[0]["FailureReason"]


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        ("not json", "ValidationException", "not JSON"),
        (small.definition([fails("A", {"Get": "Steps.Gone.Arn"})]), "ValidationException", "Gone, which does not exist"),
        (small.definition([{"Name": "A", "Type": "Callback", "Arguments": {}}]), "NotImplemented", "type Callback"),
    ],
)
def test_a_pipeline_that_cannot_run_is_not_created(sagemaker: Any, document: str, code: str, message: str) -> None:
    name = small.new_name("bad")
    with pytest.raises(ClientError, match=message) as caught:
        sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=document, RoleArn=small.ROLE)
    assert caught.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_pipeline(PipelineName=name)


def test_an_empty_text_is_no_value_of_a_parameter(sagemaker: Any) -> None:
    """AWS: `string "" is too short (length: 0, required minimum: 1)`, aws/sagemaker-python-sdk#4016."""
    name = small.create_pipeline(sagemaker, [fails("End", "x")], [{"Name": "Who", "Type": "String", "DefaultValue": "me"}])
    with pytest.raises(ClientError, match="Who is ''; allowed: a text of at least one character") as refusal:
        sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=[{"Name": "Who", "Value": ""}])
    assert refusal.value.response["Error"]["Code"] == "ValidationException"


def test_an_execution_starts_at_the_account_s_time(account: Account, sagemaker: Any) -> None:
    """What a job looks at, such as captured requests, is of that time too."""
    clock = account.context.clock
    clock.change(now=clock.now() + timedelta(hours=5))
    name, before = small.create_pipeline(sagemaker, [fails("End", {"Get": "Execution.StartDateTime"})]), clock.now()
    execution, _ = small.run_pipeline(sagemaker, name)
    (told,) = re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", execution["FailureReason"])
    assert before <= datetime.fromisoformat(told) <= clock.now()


def test_unknown_parameters_and_selective_execution_are_refused(sagemaker: Any) -> None:
    name = small.create_pipeline(sagemaker, [fails("End", "x")])
    with pytest.raises(ClientError, match="unknown parameter Speed"):
        sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=[{"Name": "Speed", "Value": "1"}])
    with pytest.raises(ClientError, match="SelectiveExecutionConfig"):
        sagemaker.start_pipeline_execution(PipelineName=name, SelectiveExecutionConfig={"SelectedSteps": [{"StepName": "End"}]})
    assert sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"] == []


def test_model_and_register_steps_make_what_they_describe(sagemaker: Any) -> None:
    group = small.new_name("group")
    container = {"Image": small.IMAGE, "ModelDataUrl": f"s3://{small.BUCKET}/code.tar.gz"}
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    register = {"ModelPackageGroupName": group, "InferenceSpecification": specification, "ModelApprovalStatus": "PendingManualApproval"}
    model = {"ExecutionRoleArn": small.ROLE, "PrimaryContainer": container}
    told = {"Std:Join": {"On": " ", "Values": [{"Get": "Steps.Model.ModelName"}, {"Get": "Steps.Register.ModelPackageVersion"}]}}
    steps = [{"Name": "Register", "Type": "RegisterModel", "Arguments": register}, {"Name": "Model", "Type": "Model", "Arguments": model}]
    execution, ran = small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, [*steps, fails("Tell", told)]))
    package = sagemaker.describe_model_package(ModelPackageName=ran["Register"]["Metadata"]["RegisterModel"]["Arn"])
    assert package["MetadataProperties"]["GeneratedBy"] == execution["PipelineExecutionArn"]
    assert package["ModelPackageGroupName"] == group
    name = ran["Model"]["Metadata"]["Model"]["Arn"].rpartition("/")[2]
    assert ran["Tell"]["FailureReason"].lower() == f"{name} 1".lower()


def test_executions_tell_of_their_state_as_events(sagemaker: Any, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    lock = threading.Lock()

    def emit(source: str, detail_type: str, detail: Any, resources: Any = ()) -> None:
        with lock:
            told.append((detail_type, dict(detail)))

    monkeypatch.setattr(account.context, "emit", emit)
    small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, [writes("One", "1")]))
    executions = [detail["currentPipelineExecutionStatus"] for kind, detail in told if kind.endswith("Pipeline Execution Status Change")]
    steps = [detail["currentStepStatus"] for kind, detail in told if kind.endswith("Step Status Change")]
    jobs = [detail["ProcessingJobStatus"] for kind, detail in told if kind == "SageMaker Processing Job State Change"]
    assert executions == ["Executing", "Succeeded"]
    assert steps == ["Executing", "Succeeded"]
    assert jobs == ["InProgress", "Completed"]
