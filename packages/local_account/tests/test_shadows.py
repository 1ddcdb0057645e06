"""A shadow gets copies of requests: its answers are counted and captured, and reach nobody."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.endpoints.fleet import Fleet
from local_account.endpoints.registry import Endpoints

from .endpoint_models import create_endpoint, create_model, invoke, variant, wait_until_settled

CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://models/shadows",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
}


def configure(account: Account, name: str, shadow: str | None, weight: float = 1.0, **more: Any) -> str:
    shadows = {"ShadowProductionVariants": [variant(shadow, name="Shadow", weight=weight)]} if shadow else {}
    given = {"ProductionVariants": [variant("live")], **shadows, "DataCaptureConfig": CAPTURE, **more}
    account.client("sagemaker").create_endpoint_config(EndpointConfigName=name, **given)
    return name


@pytest.fixture(scope="module")
def endpoint(account: Account) -> str:
    """`live` doubles, its shadow triples."""
    create_model(account, "live", 2.0)
    create_model(account, "next", 3.0)
    assert create_endpoint(account, "shadowed", configure(account, "with-shadow", "next"))["EndpointStatus"] == "InService"
    return "shadowed"


def until(found: Callable[[], Any]) -> Any:
    for _ in range(400):
        if value := found():
            return value
        time.sleep(0.025)
    raise AssertionError("it did not come")


def captured(account: Account, name: str) -> dict[str, list[str]]:
    """Variant -> answers."""
    s3 = account.client("s3")
    answers: dict[str, list[str]] = {}
    for item in s3.list_objects_v2(Bucket="models", Prefix=f"shadows/{name}/").get("Contents", []):
        lines = s3.get_object(Bucket="models", Key=item["Key"])["Body"].read().decode().splitlines()
        for line in lines:
            answers.setdefault(item["Key"].split("/")[2], []).append(json.loads(line)["captureData"]["endpointOutput"]["data"])
    return answers


def test_clients_get_the_answer_of_the_variant_in_production(account: Account, endpoint: str) -> None:
    answers = [invoke(account, endpoint, b"1") for _ in range(10)]
    assert {json.loads(answer["Body"])[0] for answer in answers} == {2.0}
    assert {answer["InvokedProductionVariant"] for answer in answers} == {"AllTraffic"}
    with pytest.raises(ClientError, match="Variant Shadow not found"):
        invoke(account, endpoint, b"1", TargetVariant="Shadow")


def test_both_answers_are_captured_below_their_variants(account: Account, endpoint: str) -> None:
    invoke(account, endpoint, b"7")
    expected = {"AllTraffic": "[14.0]", "Shadow": "[21.0]"}
    until(lambda: all(answer in captured(account, endpoint).get(name, []) for name, answer in expected.items()))
    assert set(captured(account, endpoint)) == set(expected)


def test_a_request_that_the_shadow_fails_is_answered(account: Account, endpoint: str) -> None:
    """It is counted as the shadow's 5xx, not as the other's."""
    create_model(account, "failing", code="def model_fn(d):\n    return 1\ndef transform_fn(*_):\n    raise RuntimeError('no')\n")
    create_endpoint(account, "half-broken", configure(account, "with-failing", "failing"))
    traffic = Endpoints.at(account.context).by_name["half-broken"].traffic
    assert [json.loads(invoke(account, "half-broken", b"1")["Body"]) for _ in range(5)] == [[2.0]] * 5
    minutes: dict[str, list[int]] = {"AllTraffic": [0, 0], "Shadow": [0, 0]}

    def counted() -> bool:
        for (name, _), counts in traffic.take_before(2**40).items():
            minutes[name][0] += counts.invocations
            minutes[name][1] += counts.server_errors
        return minutes["Shadow"][0] == 5

    until(counted)
    assert minutes == {"AllTraffic": [5, 0], "Shadow": [5, 5]}


def test_describe_endpoint_tells_the_shadow_and_an_update_takes_it_away(account: Account, endpoint: str) -> None:
    sagemaker = account.client("sagemaker")
    described = sagemaker.describe_endpoint(EndpointName=endpoint)
    (shadow,) = described["ShadowProductionVariants"]
    assert (shadow["VariantName"], shadow["CurrentInstanceCount"], shadow["CurrentWeight"]) == ("Shadow", 1, 1.0)
    assert [item["VariantName"] for item in described["ProductionVariants"]] == ["AllTraffic"]
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=configure(account, "without-shadow", None))
    assert "ShadowProductionVariants" not in wait_until_settled(account, endpoint)
    assert [each.name for each in Endpoints.at(account.context).by_name[endpoint].variants()] == ["AllTraffic"]


def test_a_shadow_gets_the_share_that_its_weight_is_of_the_others() -> None:
    fleet, answering, shadow = Fleet("any", {}), type("V", (), {"weight": 2.0})(), type("V", (), {"weight": 0.5})()
    assert fleet.shadow_of(answering) is None  # type: ignore[arg-type]
    fleet.shadows = {"Shadow": shadow}  # type: ignore[dict-item]
    copied = sum(fleet.shadow_of(answering) is shadow for _ in range(4000))  # type: ignore[arg-type]
    assert 850 <= copied <= 1150, "a quarter of them"
    shadow.weight = 2.0
    assert all(fleet.shadow_of(answering) is shadow for _ in range(100))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"ProductionVariants": [variant("live"), variant("live", name="Other")]}, "one variant in ProductionVariants"),
        ({"ShadowProductionVariants": [variant("live", name="A"), variant("live", name="B")]}, "one variant in ProductionVariants"),
        ({"ShadowProductionVariants": [variant("live")]}, "VariantName is there twice: AllTraffic, AllTraffic"),
        ({"ShadowProductionVariants": [{**variant("live", name="S"), "InstanceType": "ml.inf1.xlarge"}]}, "nor on Inf1"),
        ({"ShadowProductionVariants": [variant("no-such-model", name="Shadow")]}, "Could not find model"),
    ],
)
def test_what_sagemaker_refuses_is_refused(account: Account, endpoint: str, change: dict[str, Any], error: str) -> None:
    with pytest.raises(ClientError, match=error):
        configure(account, "refused", "next", **change)
