"""Data capture writes what was asked and answered, in SageMaker's format and places."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any

import pytest

from local_account.account import Account
from local_account.endpoints import data_capture

from .endpoint_models import create_configuration, create_endpoint, create_model, invoke, variant

CSV_AND_JSON = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}


@pytest.mark.parametrize(
    ("content_type", "headers", "expected"),
    [
        ("text/csv", CSV_AND_JSON, ("1,2", "CSV")),
        ("text/csv; charset=utf-8", CSV_AND_JSON, ("1,2", "CSV")),
        ("text/csv; model-version=12; charset=utf-8", CSV_AND_JSON, ("1,2", "CSV")),
        ("application/json", CSV_AND_JSON, ("1,2", "JSON")),
        ("application/json; model-version=12", CSV_AND_JSON, ("1,2", "JSON")),
        ("application/x-npy", CSV_AND_JSON, (base64.b64encode(b"1,2").decode(), "BASE64")),
        ("text/csv", {}, (base64.b64encode(b"1,2").decode(), "BASE64")),
    ],
)
def test_the_encoding_follows_the_configured_content_types(content_type: str, headers: dict[str, Any], expected: tuple[str, str]) -> None:
    assert data_capture.encode(b"1,2", content_type, headers) == expected


def configuration(percentage: int = 100, **changes: Any) -> dict[str, Any]:
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": percentage,
        "DestinationS3Uri": "s3://models/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": CSV_AND_JSON,
        **changes,
    }


def captured(account: Account, endpoint: str) -> dict[str, list[Any]]:
    """S3 key -> the records in it."""
    s3 = account.client("s3")
    listed = s3.list_objects_v2(Bucket="models", Prefix=f"capture/{endpoint}/").get("Contents", [])
    bodies = {entry["Key"]: s3.get_object(Bucket="models", Key=entry["Key"])["Body"].read().decode() for entry in listed}
    return {key: [json.loads(line) for line in body.splitlines()] for key, body in bodies.items()}


def endpoint(account: Account, name: str, capture: dict[str, Any]) -> str:
    create_model(account, name)
    create_configuration(account, name, variant(name), capture=capture)
    assert create_endpoint(account, name, name)["EndpointStatus"] == "InService"
    return name


def test_a_captured_invocation_is_a_line_of_the_documented_shape(account: Account) -> None:
    endpoint(account, "captured", configuration())
    invoke(account, "captured", b"1,2", InferenceId="row-7", CustomAttributes="trace=9")
    for _ in range(200):
        if files := captured(account, "captured"):
            break
        time.sleep(0.025)
    ((key, (record,)),) = files.items()
    assert re.fullmatch(r"capture/captured/AllTraffic/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl", key)
    assert record["captureData"] == {
        "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2", "encoding": "CSV"},
        "endpointOutput": {"observedContentType": "application/json", "mode": "OUTPUT", "data": "[2.0, 4.0]", "encoding": "JSON"},
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["eventMetadata"]["inferenceTime"])
    assert (record["eventMetadata"]["inferenceId"], record["eventMetadata"]["customAttributes"]) == ("row-7", ["trace=9"])
    assert record["eventVersion"] == "0"


def test_the_observed_type_of_an_answer_keeps_its_parameters(account: Account) -> None:
    """As in AWS's own example, whose output is `text/csv; charset=utf-8` in the encoding CSV ("Capture data" of SageMaker's guide)."""
    create_model(account, "named", code="def model_fn(d): return 1\ndef transform_fn(m, data, ct, accept): return data, 'text/csv; v=12'\n")
    create_configuration(account, "named", variant("named"), capture=configuration())
    create_endpoint(account, "named", "named")
    assert invoke(account, "named")["ContentType"] == "text/csv; v=12; charset=utf-8"
    account.client("sagemaker").delete_endpoint(EndpointName="named")
    (record,) = next(iter(captured(account, "named").values()))
    output = record["captureData"]["endpointOutput"]
    assert (output["observedContentType"], output["encoding"], output["data"]) == ("text/csv; v=12; charset=utf-8", "CSV", "1,2")


def test_what_was_not_written_yet_is_written_when_the_endpoint_is_deleted(account: Account) -> None:
    endpoint(account, "deleted", configuration(CaptureOptions=[{"CaptureMode": "Input"}]))
    invoke(account, "deleted")
    account.client("sagemaker").delete_endpoint(EndpointName="deleted")
    (record,) = next(iter(captured(account, "deleted").values()))
    assert set(record["captureData"]) == {"endpointInput"}, "only what the options name"


def test_the_sample_is_about_the_configured_percentage(account: Account) -> None:
    endpoint(account, "sampled", configuration(30))
    for _ in range(100):
        invoke(account, "sampled")
    account.client("sagemaker").delete_endpoint(EndpointName="sampled")
    assert 10 <= sum(len(records) for records in captured(account, "sampled").values()) <= 55


def test_refused_requests_and_disabled_capture_leave_nothing(account: Account) -> None:
    endpoint(account, "silent", configuration(EnableCapture=False))
    invoke(account, "silent")
    endpoint(account, "refusing", configuration())
    with pytest.raises(account.client("sagemaker-runtime").exceptions.ModelError):
        invoke(account, "refusing", b"1", "image/png")
    for name in ("silent", "refusing"):
        account.client("sagemaker").delete_endpoint(EndpointName=name)
        assert captured(account, name) == {}
