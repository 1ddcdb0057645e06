"""Whatever a client sends to SageMaker, it gets an answer that AWS's model has, or an error that AWS's clients understand."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.api.reading import Call, input_shape, model
from local_account.api.validation import require_allowed
from local_account.authorization.credentials import ADMINISTRATOR_KEY
from local_account.errors import ServiceError
from local_account.sagemaker.api import Api

from . import sagemaker_requests as small

ODD: tuple[Any, ...] = (None, "", "x", -1, 1.5, True, [], {}, [{}], {"a": 1}, "arn:aws:sagemaker:us-east-1:111122223333:model/x", "é" * 300)


def ask(account: Account, operation: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a signed request that no client of AWS has looked at."""
    settings = account.settings
    headers = {"x-amz-target": f"SageMaker.{operation}", "content-type": "application/x-amz-json-1.1"}
    request = AWSRequest("POST", f"{settings.endpoint_url}/", headers, data=body)
    SigV4Auth(Credentials(ADMINISTRATOR_KEY, settings.secret), "sagemaker", settings.region).add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=30)
    connection.request("POST", "/", body=body, headers=dict(request.headers.items()))
    response = connection.getresponse()
    status, text = response.status, response.read()
    connection.close()
    answer: dict[str, Any] = json.loads(text)
    return status, answer


def ask_directly(account: Account, operation: str, request: Any) -> tuple[int, dict[str, Any]]:
    """The same without a connection, for many requests."""
    call = Call("sagemaker", operation, request)
    try:
        require_allowed(call)
        response = Api.at(account.context).answer(call)
    except ServiceError as error:
        return error.status, {"__type": error.code, "message": error.message}
    answer: dict[str, Any] = json.loads(response.body)
    return response.status, answer


def acceptable(operation: str, status: int, answer: dict[str, Any]) -> bool:
    if status == 200:
        shape = model("sagemaker").operation_model(operation).output_shape
        return set(answer) <= set(shape.members if shape else ())
    # 501 names what the account has not.
    return (400 <= status < 500 or (status == 501 and answer["__type"] == "NotImplemented")) and bool(answer["message"])


def smallest(shape: Any, depth: int = 0) -> Any:
    """A value with the required members only."""
    if shape.type_name == "structure":
        return {name: smallest(shape.members[name], depth + 1) for name in shape.required_members}
    if shape.type_name == "list":
        return [smallest(shape.member, depth + 1)]
    if shape.type_name == "map":
        return {"k": smallest(shape.value, depth + 1)}
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "x"
    return {"boolean": True, "timestamp": 0}.get(shape.type_name, shape.metadata.get("min", 1))


def paths(shape: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every member of a request, those inside others too; a shape within itself once."""
    for name, member in shape.members.items():
        inner = member.member if member.type_name == "list" else member
        yield (*above, name)
        if inner.type_name == "structure" and len(above) < 5:
            yield from paths(inner, (*above, name))


def having(shape: Any, path: tuple[str, ...], value: Any) -> Any:
    """The smallest request that has `value` at `path`."""
    name, *rest = path
    member = shape.members[name]
    inner = member.member if member.type_name == "list" else member
    put = having(inner, tuple(rest), value) if rest else value
    return {**smallest(shape), name: [put] if rest and member.type_name == "list" else put}


def requests_of(operation: str) -> Iterator[Any]:
    """The smallest request, and each member alone with it: as it should be, and with odd values."""
    shape = input_shape("sagemaker", operation)
    yield {}
    yield smallest(shape)
    yield {**smallest(shape), "NoSuchMember": 1}
    for path in paths(shape):
        member = shape
        for name in path:
            member = (member.member if member.type_name == "list" else member).members[name]
        yield having(shape, path, smallest(member))
        for odd in ODD if len(path) == 1 else ODD[:3]:
            yield having(shape, path, odd)


@pytest.fixture(scope="module")
def busy(account: Account) -> Account:
    """An account in which the names that the requests use are names of something."""
    sagemaker = account.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="x")
    sagemaker.create_model(ModelName="x", PrimaryContainer={"Image": "x"})
    small.create_pipeline(sagemaker, [{"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "over"}}])
    return account


def test_every_operation_answers_any_request_as_aws_would(busy: Account) -> None:
    wrong = []
    operations = sorted(Api.at(busy.context).operations)
    for operation in operations:
        for request in requests_of(operation):
            status, answer = ask_directly(busy, operation, request)
            if not acceptable(operation, status, answer):
                wrong.append((operation, request, status, answer))
    assert len(operations) > 50
    assert wrong == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"a":' + b"[" * 100_000])
def test_a_body_that_is_no_request_is_refused_in_json(account: Account, body: bytes) -> None:
    status, answer = ask(account, "CreateModel", body)
    assert (status, answer["__type"]) == (400, "ValidationException" if body == b"" else "SerializationException")


def test_an_operation_that_aws_does_not_have_is_refused_by_name(account: Account) -> None:
    assert ask(account, "CreateMagic", b"{}") == (
        501,
        {"__type": "NotImplemented", "message": "The local account does not implement sagemaker:CreateMagic."},
    )


def test_an_operation_that_would_only_be_recorded_is_refused(account: Account) -> None:
    with pytest.raises(ClientError, match=r"NotImplemented.*CreateNotebookInstance"):
        account.client("sagemaker").create_notebook_instance(
            NotebookInstanceName="n", InstanceType="ml.t3.medium", RoleArn="arn:aws:iam::111122223333:role/x"
        )


def test_an_unknown_member_is_a_validation_exception_that_names_it(account: Account) -> None:
    status, answer = ask(account, "ListModels", b'{"NameContain": "x"}')
    assert (status, answer["__type"]) == (400, "ValidationException")
    assert "NameContain" in answer["message"]


@pytest.mark.parametrize("token", ["nonsense", "-1", "99999", "1.5"])
def test_a_token_that_nobody_gave_is_a_validation_exception(account: Account, token: str) -> None:
    sagemaker = account.client("sagemaker")
    for listing in ("list_models", "list_endpoints", "list_training_jobs", "list_pipelines", "list_model_packages"):
        with pytest.raises(ClientError, match=r"ValidationException.*Invalid pagination token") as error:
            getattr(sagemaker, listing)(NextToken=token)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_version_has_no_tags_of_its_own(account: Account) -> None:
    sagemaker = account.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="tagless")
    arn = sagemaker.create_model_package(ModelPackageGroupName="tagless")["ModelPackageArn"]
    tags = [{"Key": "k", "Value": "v"}]
    calls = (
        lambda: sagemaker.list_tags(ResourceArn=arn),
        lambda: sagemaker.add_tags(ResourceArn=arn, Tags=tags),
        lambda: sagemaker.create_model_package(ModelPackageGroupName="tagless", Tags=tags),
    )
    for call in calls:
        with pytest.raises(ClientError, match=r"ValidationException.*not supported in Model Package versions"):
            call()


def test_tags_go_with_what_they_are_of(account: Account) -> None:
    sagemaker = account.client("sagemaker")
    arn = sagemaker.create_model_package_group(ModelPackageGroupName="gone", Tags=[{"Key": "k", "Value": "v"}])["ModelPackageGroupArn"]
    sagemaker.delete_model_package_group(ModelPackageGroupName="gone")
    with pytest.raises(ClientError, match=r"ValidationException.*does not exist"):
        sagemaker.list_tags(ResourceArn=arn)


def test_a_resource_has_at_most_fifty_tags(account: Account) -> None:
    sagemaker = account.client("sagemaker")
    many = [{"Key": f"k{number:03d}", "Value": "v"} for number in range(50)]
    arn = sagemaker.create_model_package_group(ModelPackageGroupName="tagged", Tags=many)["ModelPackageGroupArn"]

    with pytest.raises(ClientError, match="would have 51 tags; allowed: 50"):
        sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "more", "Value": "v"}])

    assert len(sagemaker.list_tags(ResourceArn=arn)["Tags"]) == 50
