"""Lambda steps of SageMaker Pipelines through boto3: a function's answer becomes what later steps and the cache go by."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.sagemaker.pipelines.lambda_outputs import OutputError, values

from . import sagemaker_requests as small

ANSWER = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    return {"text": event["given"], "number": len(event["given"]), "asked": context.aws_request_id}
"""
WRITE = "import pathlib, sys; pathlib.Path(sys.argv[1], 'said').write_text(' '.join(sys.argv[2:]))"
ANY = "arn:aws:lambda:us-east-1:111122223333:function:any"
DECLARED = [("text", "String"), ("number", "Integer"), ("asked", "String")]


@pytest.fixture(scope="module")
def sagemaker(account: Account) -> Any:
    small.publish(account.client("s3"), {"write.py": WRITE})
    return account.client("sagemaker")


@pytest.fixture(scope="module")
def function(account: Account) -> str:
    return small.create_function(account, "answers", {"handler.py": ANSWER})


def asks(function: str, given: Any, declared: list[tuple[str, str]] = DECLARED, **more: Any) -> dict[str, Any]:
    outputs = [{"OutputName": name, "OutputType": kind} for name, kind in declared]
    return {"Name": "Ask", "Type": "Lambda", "FunctionArn": function, "Arguments": given, "OutputParameters": outputs, **more}


def writes(*arguments: Any, **more: Any) -> dict[str, Any]:
    target = {"Std:Join": {"On": "/", "Values": [f"s3://{small.BUCKET}", {"Get": "Execution.PipelineExecutionId"}]}}
    job = small.processing("write", "/opt/ml/processing/output/out", *arguments, outputs=[small.s3_output("out", target)])
    return {"Name": "Write", "Type": "Processing", "Arguments": job, **more}


def output(name: str) -> dict[str, str]:
    return {"Get": f"Steps.Ask.OutputParameters['{name}']"}


GIVEN = [{"Name": "Given", "Type": "String", "DefaultValue": "one"}]


def test_what_the_function_answers_is_an_argument_of_the_next_step_and_is_shown(sagemaker: Any, account: Account, function: str) -> None:
    number = {"Std:Join": {"On": "", "Values": ["number ", output("number")]}}
    name = small.create_pipeline(sagemaker, [asks(function, {"given": {"Get": "Parameters.Given"}}), writes(output("text"), number)], GIVEN)
    execution, ran = small.run_pipeline(sagemaker, name, {"Given": "three"})
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    identifier = execution["PipelineExecutionArn"].rpartition("/")[2]
    assert small.read(account.client("s3"), f"s3://{small.BUCKET}/{identifier}/said") == b"three number 5"
    metadata = ran["Ask"]["Metadata"]["Lambda"]
    assert metadata["Arn"] == function
    assert {item["Name"]: item["Value"] for item in metadata["OutputParameters"]}.items() >= {"text": "three", "number": "5"}.items()


def test_a_step_that_takes_an_output_is_cached_as_long_as_the_output_is_the_same(sagemaker: Any, function: str) -> None:
    """What the training relies on: its first step says what the data is, and the cache goes by that."""
    cached = writes(output("text"), CacheConfig={"Enabled": True, "ExpireAfter": "30d"})
    name = small.create_pipeline(sagemaker, [asks(function, {"given": {"Get": "Parameters.Given"}}), cached], GIVEN)
    _, first = small.run_pipeline(sagemaker, name)
    _, again = small.run_pipeline(sagemaker, name)
    _, other = small.run_pipeline(sagemaker, name, {"Given": "two"})
    assert ["CacheHitResult" in ran["Write"] for ran in (first, again, other)] == [False, True, False]
    assert "CacheHitResult" not in again["Ask"], "the function is asked anew each time"


def test_a_lambda_step_with_a_cache_is_asked_again_only_for_something_else(sagemaker: Any, function: str) -> None:
    cached = asks(function, {"given": {"Get": "Parameters.Given"}}, CacheConfig={"Enabled": True})
    name = small.create_pipeline(sagemaker, [cached], GIVEN)
    runs = [small.run_pipeline(sagemaker, name, {"Given": given})[1]["Ask"] for given in ("one", "one", "two")]
    assert ["CacheHitResult" in step for step in runs] == [False, True, False]
    assert runs[0]["Metadata"] == runs[1]["Metadata"]


def test_a_function_that_fails_fails_its_step_with_its_own_words(sagemaker: Any, function: str) -> None:
    name = small.create_pipeline(sagemaker, [asks(function, {"given": "x", "fail": "there is no data at s3://b/"}), writes(output("text"))])
    execution, ran = small.run_pipeline(sagemaker, name)
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert ran["Ask"]["FailureReason"].endswith("failed: there is no data at s3://b/")
    assert "Write" not in ran


def test_a_function_that_does_not_exist_fails_its_step_by_name(sagemaker: Any, function: str) -> None:
    missing = function.replace("answers", "nobody")
    _, ran = small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, [asks(missing, {"given": "x"})]))
    assert "ResourceNotFound" in ran["Ask"]["FailureReason"]
    assert "nobody" in ran["Ask"]["FailureReason"]


def test_an_answer_without_a_declared_output_fails_the_step(sagemaker: Any, function: str) -> None:
    name = small.create_pipeline(sagemaker, [asks(function, {"given": "x"}, [("version", "String")])])
    _, ran = small.run_pipeline(sagemaker, name)
    assert "has no version" in ran["Ask"]["FailureReason"]


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([asks("answers", {})], "allowed: the ARN of a Lambda function"),
        ([asks(ANY, {}, [("x", "Text")])], "OutputType is 'Text'; allowed: String, Integer, Float, Boolean"),
        ([asks(ANY, {}, RetryPolicies=[])], "a step of type Lambda cannot have 'RetryPolicies'"),
        ([asks(ANY, {}) | {"OutputParameters": [{"OutputName": "x"}]}], "'OutputType' is missing in OutputParameters"),
        ([asks(ANY, {}), writes(output("other"))], "which has OutputParameters text, number"),
        ([asks(ANY, {}), writes({"Get": "Steps.Ask"})], "which has OutputParameters text, number"),
        ([asks(ANY, {}), writes({"Get": "Steps.Ask.OutputParameters['text']['more']"})], "which has OutputParameters text, number"),
    ],
)
def test_a_definition_whose_lambda_step_could_never_run_is_refused(sagemaker: Any, steps: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(ClientError, match=says):
        small.create_pipeline(sagemaker, steps)


@pytest.mark.parametrize(
    ("kind", "answered", "value"),
    [
        ("String", "a", "a"),
        ("String", 200, "200"),
        ("String", {"nested": "my-output"}, '{"nested":"my-output"}'),  # the SDK's own example
        ("Integer", 1, 1),
        ("Float", 2, 2),
        ("Float", 2.5, 2.5),
        ("Boolean", False, False),
    ],
)
def test_outputs_have_their_declared_type(kind: str, answered: Any, value: Any) -> None:
    assert values([{"OutputName": "x", "OutputType": kind}], {"x": answered}) == {"x": value}


@pytest.mark.parametrize(
    ("kind", "answered"), [("Integer", "1"), ("Integer", True), ("Float", "2.5"), ("Boolean", 1), ("String", "x" * 1025)]
)
def test_an_output_of_another_type_is_refused(kind: str, answered: Any) -> None:
    with pytest.raises(OutputError, match="the output x"):
        values([{"OutputName": "x", "OutputType": kind}], {"x": answered})


def test_a_function_may_answer_nothing_where_nothing_is_declared(sagemaker: Any, account: Account) -> None:
    silent = small.create_function(account, "silent", {"handler.py": "def handler(event, context):\n    print(event)\n"})
    execution, ran = small.run_pipeline(sagemaker, small.create_pipeline(sagemaker, [asks(silent, {"a": json.dumps([1])}, [])]))
    assert execution["PipelineExecutionStatus"] == "Succeeded"
    assert ran["Ask"]["Metadata"]["Lambda"] == {"Arn": silent, "OutputParameters": []}
