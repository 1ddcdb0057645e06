"""What the account answers is what the model of the operation has: tests fail on anything else, and emulators' answers are worded so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local_account.account import Account
from local_account.api.reading import Call
from local_account.api.wording import worded

from . import answers

JSON = {"content-type": "application/x-amz-json-1.1"}
XML = {"content-type": "text/xml"}
DESCRIBED = {"ModelName": "m", "ModelArn": "arn:aws:sagemaker:us-east-1:111122223333:model/m", "CreationTime": 1.5}


def wrong(service: str, operation: str, body: Any, headers: dict[str, str] = JSON, status: int = 200) -> str:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return "; ".join(answers.problems(Call(service, operation, {}), status, headers, content))


def test_an_answer_of_the_model_has_no_problems() -> None:
    assert wrong("sagemaker", "DescribeModel", DESCRIBED) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Colour": "red"}, "Colour, which the model does not have"),
        ({"ModelArn": None}, "Value null at 'modelArn'"),
        ({"ModelName": "a_b"}, "Value 'a_b' at 'modelName'"),
        ({"CreationTime": "2026-01-01T00:00:00Z"}, "CreationTime as a text"),
        ({"EnableNetworkIsolation": "yes"}, "STRING_VALUE can not be converted to a Boolean"),
        ({"PrimaryContainer": {"Mode": "DualModel"}}, "Value 'DualModel' at 'primaryContainer.mode'"),
        ({"PrimaryContainer": {"Colour": "red"}}, "PrimaryContainer.Colour, which the model does not have"),
    ],
)
def test_each_kind_of_wrong_answer_is_found(change: dict[str, Any], said: str) -> None:
    assert said in wrong("sagemaker", "DescribeModel", {**DESCRIBED, **change})


def test_an_error_is_no_answer_of_the_operation() -> None:
    assert wrong("sagemaker", "DescribeModel", {"__type": "ValidationException", "message": "no"}, status=400) == ""


def test_elements_of_xml_that_the_model_does_not_have_are_found() -> None:
    stack = b"<member><StackName>s</StackName><Colour>red</Colour></member>"
    body = b"<R><DescribeStacksResult><Stacks>" + stack + b"</Stacks></DescribeStacksResult></R>"
    said = wrong("cloudformation", "DescribeStacks", body, XML)
    assert "Stacks.Colour, which the model does not have" in said
    assert "Value null at 'stacks.1.member.creationTime'" in said


def test_a_file_is_no_document() -> None:
    assert wrong("s3", "GetObject", b"\xff\x00", {"content-type": "application/xml", "content-length": "2"}) == ""


def test_an_account_writes_down_what_aws_would_not_have_answered(account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from local_account.sagemaker.api import Api

    file = tmp_path / "wrong.txt"
    monkeypatch.setenv(answers.SWITCH, str(file))
    monkeypatch.setitem(Api.at(account.context).operations, "DescribeModel", lambda request: {**DESCRIBED, "ModelName": "a_b"})

    account.client("sagemaker").describe_model(ModelName="m")
    account.client("sagemaker").list_models()  # answered after the one before was written down

    assert file.read_text().startswith("sagemaker:DescribeModel answered Value 'a_b' at 'modelName' failed to satisfy constraint: ")


# ------------------------------------------------------------------------------------------------ emulators' answers


def said_of(service: str, operation: str, body: bytes) -> bytes:
    change = worded(service, operation)
    assert change is not None
    return change(body)


def test_members_of_an_emulators_own_and_hollow_ones_are_left_out() -> None:
    given = {"FunctionName": "f", "_secret": 1, "StateReasonCode": "", "StateReason": "", "LastUpdateStatusReasonCode": "Painting"}
    assert json.loads(said_of("lambda", "GetFunctionConfiguration", json.dumps(given).encode())) == {"FunctionName": "f", "StateReason": ""}


def test_times_are_written_as_the_protocol_writes_them() -> None:
    given = {"repositoryMetadata": {"repositoryName": "r", "creationDate": "1970-01-01T00:01:00+00:00"}}
    assert json.loads(said_of("codecommit", "GetRepository", json.dumps(given).encode()))["repositoryMetadata"]["creationDate"] == 60.0


def test_of_xml_too() -> None:
    inside = b"<StackName>s</StackName><Description></Description><Colour>red</Colour><Reason/>"
    body = b'<DescribeStacksResponse xmlns="x"><DescribeStacksResult><Stacks><member>%s</member></Stacks></DescribeStacksResult>'
    assert said_of("cloudformation", "DescribeStacks", body % inside) == body % b"<StackName>s</StackName>"


@pytest.mark.parametrize(
    ("service", "operation"), [("s3", "GetObject"), ("s3", "ListObjectsV2"), ("lambda", "Invoke"), ("logs", "CreateLogGroup")]
)
def test_a_file_and_an_empty_answer_go_through_as_they_are(service: str, operation: str) -> None:
    assert worded(service, operation) is None


def test_what_ministack_and_moto_answer_reaches_a_client_in_that_form(account: Account) -> None:
    created = account.client("codecommit").create_repository(repositoryName="r")["repositoryMetadata"]
    assert created["creationDate"] == created["lastModifiedDate"]
    account.client("cloudformation").create_stack(
        StackName="s", TemplateBody=json.dumps({"Resources": {"W": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})
    )
    assert "Description" not in account.client("cloudformation").describe_stacks(StackName="s")["Stacks"][0]
