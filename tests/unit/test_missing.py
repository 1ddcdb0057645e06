"""What counts as "there is no such thing" is what AWS's services say, in their own words; everything else is an error."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from build_scripts.missing import found, found_object, is_missing
from tests.unit.script_account import refusal


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationException", 'Could not find endpoint "arn:aws:sagemaker:us-east-1:111122223333:endpoint/x".'),
        ("ValidationException", "ModelPackage arn:aws:sagemaker:us-east-1:111122223333:model-package/m/1 does not exist."),
        ("ResourceNotFound", "Pipeline does not exist."),
        ("ValidationError", "Stack with id mlops-foundation does not exist"),
        ("PipelineNotFoundException", "The account with id '111122223333' does not include a pipeline with the name 'x'"),
        ("NoSuchKey", "The specified key does not exist."),
        ("404", "Not Found"),
    ],
)
def test_each_service_s_words_are_known(code: str, message: str) -> None:
    def call() -> None:
        raise refusal(code, message, "Describe")

    assert found(call) is None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationException", "1 validation error detected: Value 'a b' at 'endpointName' failed to satisfy constraint"),
        ("AccessDeniedException", "User is not authorized to perform: sagemaker:DescribeEndpoint"),
        ("ThrottlingException", "Rate exceeded"),
        ("ResourceInUse", "Cannot update in-progress endpoint"),
    ],
)
def test_another_refusal_is_not_taken_for_it(code: str, message: str) -> None:
    def call() -> None:
        raise refusal(code, message, "Describe")

    assert not is_missing(refusal(code, message, "Describe"))
    with pytest.raises(ClientError):
        found(call)


@pytest.mark.parametrize(("code", "message"), [("AccessDenied", "User is not authorized to perform: s3:ListBucket"), ("403", "Forbidden")])
def test_an_object_that_may_not_be_read_is_as_one_that_is_not_there(code: str, message: str) -> None:
    def call() -> None:
        raise refusal(code, message, "GetObject")

    assert found_object(call) is None
    with pytest.raises(ClientError):
        found(call)


def test_what_is_there_is_answered() -> None:
    assert found(lambda Name: {"Name": Name}, Name="x") == {"Name": "x"}  # noqa: N803 - boto3 spells its arguments so
