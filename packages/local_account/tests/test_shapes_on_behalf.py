"""What pipelines, schedules and clients in other protocols ask for goes through the same check as what a person's client sends."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ParamValidationError

from local_account import targets
from local_account.account import Account
from local_account.api.reading import read
from local_account.api.validation import require_allowed
from local_account.authorization.credentials import ADMINISTRATOR_KEY
from local_account.errors import NotEmulatedError, ServiceError
from local_account.events import _is_temporary
from local_account.sagemaker.pipelines import definition as definitions
from local_account.sagemaker.pipelines import schema
from local_account.signatures import Request

from . import sagemaker_requests as small

ORIGIN = "arn:aws:scheduler:us-east-1:111122223333:schedule/default/s"


def unchecked(account: Account, service: str) -> Any:
    """A client that leaves all checks to the service."""
    settings = account.settings
    session = boto3.Session(aws_access_key_id=ADMINISTRATOR_KEY, aws_secret_access_key=settings.secret, region_name=settings.region)
    config = Config(parameter_validation=False, retries={"max_attempts": 1}, s3={"addressing_style": "path"})
    return session.client(service, endpoint_url=settings.endpoint_url, config=config)


@pytest.mark.parametrize(
    ("service", "operation", "request_", "code", "said"),
    [
        ("sagemaker", "delete_model", {"ModelName": "a_b"}, "ValidationException", "Value 'a_b' at 'modelName'"),  # JSON
        ("scheduler", "get_schedule", {"Name": "a b"}, "ValidationException", "Value 'a b' at 'name'"),  # REST with JSON
        ("lambda", "get_function", {"FunctionName": "a b"}, "ValidationException", "Value 'a b' at 'functionName'"),
        ("s3", "put_bucket_versioning", {"Bucket": "b", "VersioningConfiguration": {"Status": "On"}}, "MalformedXML", "Value 'On'"),
        ("iam", "get_role", {"RoleName": "a b"}, "ValidationError", "Value 'a b' at 'roleName'"),  # query
        ("cloudwatch", "delete_alarms", {"AlarmNames": ["x" * 256]}, "ValidationError", "less than or equal to 255"),  # CBOR
        ("sqs", "send_message", {"QueueUrl": "q"}, "MissingParameter", "Value null at 'messageBody'"),
    ],
)
def test_the_port_refuses_it_in_every_protocol(account: Account, service: str, operation: str, request_: Any, code: str, said: str) -> None:
    with pytest.raises(ClientError) as error:
        getattr(unchecked(account, service), operation)(**request_)

    assert error.value.response["Error"]["Code"] == code
    assert said in error.value.response["Error"]["Message"]
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_members_deep_in_a_rest_request_are_seen_too() -> None:
    target = {"Arn": "arn:aws:sqs:us-east-1:111122223333:q", "RoleArn": "arn:aws:iam::111122223333:role/r", "Arm": "x"}
    body = json.dumps({"Target": target, "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}}).encode()
    headers = {"host": "localhost", "content-type": "application/json"}
    call = read("scheduler", Request(method="POST", path="/schedules/s", query="", headers=headers, body=body))

    assert call is not None
    with pytest.raises(ServiceError, match=r"CreateSchedule has no parameter Target\.Arm"):
        require_allowed(call)


@pytest.mark.parametrize(
    ("endpoint", "options", "said"),
    [
        ("a_b", {}, "Value 'a_b' at 'endpointName'"),
        ("fine", {"InferenceId": "x" * 65}, "less than or equal to 64"),
        ("fine", {"TargetVariant": "a_b"}, "Value 'a_b' at 'targetVariant'"),
        ("fine", {"CustomAttributes": "x" * 1025}, "less than or equal to 1024"),
    ],
)
def test_an_invocation_is_held_to_its_model(account: Account, endpoint: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError) as error:
        unchecked(account, "sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body=b"1", **options)

    assert error.value.response["Error"]["Code"] == "ValidationError"
    assert said in error.value.response["Error"]["Message"]


# ---------------------------------------------------------------------------------------------- pipelines' steps


def processing(**change: Any) -> dict[str, Any]:
    return {"Name": "Work", "Type": "Processing", "Arguments": {**small.processing("write"), **change}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Environment": {"a b": "c"}}, "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: "),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, "at 'stoppingCondition.maxRuntimeInSeconds'"),
        ({"RoleArn": "me"}, "Value 'me' at 'roleArn'"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": "soon"}}, "STRING_VALUE can not be converted to an Integer"),
    ],
)
def test_what_a_definition_says_outright_is_checked_when_it_is_created(change: dict[str, Any], said: str) -> None:
    with pytest.raises(definitions.DefinitionError) as error:
        definitions.read(small.definition([processing(**change)]))

    assert "step Work: " in str(error.value)
    assert said in str(error.value)


def test_what_a_definition_leaves_to_the_run_is_not_judged_before() -> None:
    change = {
        "RoleArn": {"Get": "Parameters.Role"},
        "Environment": {"A": {"Std:Join": {"On": "", "Values": ["x", {"Get": "Execution.PipelineExecutionId"}]}}},
        "StoppingCondition": {"MaxRuntimeInSeconds": {"Get": "Parameters.Seconds"}},
    }
    arguments = {name: value for name, value in processing(**change)["Arguments"].items() if name != "ProcessingResources"}
    assert list(schema.argument_problems("Processing", arguments)) == []


def test_a_value_that_is_known_when_the_step_starts_is_checked_then(account: Account) -> None:
    sagemaker = account.client("sagemaker")
    parameters = [{"Name": "Role", "Type": "String", "DefaultValue": "nobody"}]
    name = small.create_pipeline(sagemaker, [processing(RoleArn={"Get": "Parameters.Role"})], parameters)

    _, ran = small.run_pipeline(sagemaker, name)

    assert "Validation: 2 validation errors detected: Value 'nobody' at 'roleArn'" in ran["Work"]["FailureReason"]


# --------------------------------------------------------------------------------------------- events and schedules


@pytest.mark.parametrize(
    ("target", "payload", "own_input", "said"),
    [
        ("arn:aws:scheduler:::aws-sdk:sqs:sendMessage", {"QueueUrl": "q"}, None, "Value null at 'messageBody'"),
        ("arn:aws:scheduler:::aws-sdk:sagemaker:deleteModel", {"ModelName": 5}, None, "NUMBER_VALUE can not be converted to a String"),
        ("arn:aws:scheduler:::aws-sdk:codebuild:startBuild", {"projectName": "p", "sourceTypeOverride": "FLOPPY"}, None, "Value 'FLOPPY'"),
    ],
)
def test_a_targets_input_is_refused_as_its_service_refuses_it(
    account: Account, target: str, payload: dict[str, Any], own_input: dict[str, Any] | None, said: str
) -> None:
    with pytest.raises(ServiceError) as error:
        targets.send(account.context, ORIGIN, {"Arn": target}, json.dumps(payload), json.dumps(own_input) if own_input else None)

    assert said in error.value.message
    assert not _is_temporary(error.value)  # so it goes to the dead-letter queue, and is not tried again


def test_what_a_client_would_not_even_send_is_not_tried_again() -> None:
    assert not _is_temporary(ParamValidationError(report="no"))
    assert _is_temporary(EndpointConnectionError(endpoint_url="http://localhost"))


def test_a_target_that_no_service_here_has_is_named(account: Account) -> None:
    with pytest.raises(NotEmulatedError, match="dynamodb:PutItem"):
        targets.send(account.context, ORIGIN, {"Arn": "arn:aws:scheduler:::aws-sdk:dynamodb:putItem"}, "{}", None)
    with pytest.raises(NotEmulatedError, match="PutTargets with a target of codebuild"):
        targets.send(account.context, ORIGIN, {"Arn": "arn:aws:codebuild:us-east-1:111122223333:project/p"}, "{}", None)


def test_a_json_body_may_say_null_for_what_it_does_not_say(account: Account) -> None:
    sagemaker = unchecked(account, "sagemaker")
    sagemaker.meta.events.register(
        "before-call.sagemaker.ListModels", lambda params, **_: params.update(body=b'{"NameContains": null, "MaxResults": 5}')
    )
    assert sagemaker.list_models()["Models"] == []
