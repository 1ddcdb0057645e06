"""Endpoints are real: processes answer, fail, are replaced, and go with their endpoint."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.endpoints.registry import Endpoints

from .endpoint_models import (
    ENVIRONMENT,
    create_configuration,
    create_endpoint,
    create_model,
    invoke,
    variant,
    wait_until_settled,
)


@pytest.fixture(scope="module")
def endpoint(account: Account) -> str:
    """An endpoint with one instance that doubles numbers."""
    create_model(account, "doubling", 2.0)
    create_configuration(account, "one-instance", variant("doubling"))
    described = create_endpoint(account, "doubler", "one-instance")
    assert described["EndpointStatus"] == "InService", described
    return "doubler"


def pids(account: Account, endpoint: str) -> list[int]:
    return [instance.pid for each in Endpoints.at(account.context).by_name[endpoint].variants() for instance in each.instances]


def test_an_invocation_runs_the_package_code(account: Account, endpoint: str) -> None:
    answer = invoke(account, endpoint, b"1,2.5")
    assert json.loads(answer["Body"]) == [2.0, 5.0]
    assert answer["ContentType"] == "application/json"
    assert answer["InvokedProductionVariant"] == "AllTraffic"


@pytest.mark.parametrize(("body", "content_type", "status"), [(b"1", "image/png", 415), (b"1,boom", "text/csv", 500)])
def test_what_the_model_refuses_is_a_model_error_with_its_own_status(
    account: Account, endpoint: str, body: bytes, content_type: str, status: int
) -> None:
    with pytest.raises(ClientError) as caught:
        invoke(account, endpoint, body, content_type)
    response: Any = caught.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == status
    assert "/aws/sagemaker/Endpoints/doubler" in response["LogStreamArn"]
    assert json.loads(invoke(account, endpoint)["Body"]) == [2.0, 4.0], "the server lives after a bad request"


def test_the_message_of_a_model_error_names_a_log_that_has_the_traceback(account: Account, endpoint: str) -> None:
    with pytest.raises(ClientError) as caught:
        invoke(account, endpoint, b"not a number")
    path = caught.value.response["Error"]["Message"].split("See ")[1].split(" for more")[0]
    with open(path) as log:  # noqa: PTH123 - a path out of a message is a string
        assert "could not convert string to float: 'not a number'" in log.read()


def test_seven_megabytes_are_refused_and_the_endpoint_lives(account: Account, endpoint: str) -> None:
    with pytest.raises(ClientError) as caught:
        invoke(account, endpoint, b"1" * 7_000_000)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert "6291456" in str(caught.value)
    assert invoke(account, endpoint)["InvokedProductionVariant"] == "AllTraffic"


def test_an_unknown_endpoint_is_a_validation_error(account: Account) -> None:
    with pytest.raises(ClientError, match="Endpoint nowhere of account 111122223333 not found"):
        invoke(account, "nowhere")


def test_scaling_changes_the_number_of_processes(account: Account, endpoint: str) -> None:
    sagemaker = account.client("sagemaker")
    wanted = {"VariantName": "AllTraffic", "DesiredInstanceCount": 3}
    sagemaker.update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=[wanted])
    described = wait_until_settled(account, endpoint)["ProductionVariants"][0]
    assert (described["CurrentInstanceCount"], described["DesiredInstanceCount"]) == (3, 3)
    three = pids(account, endpoint)
    assert len(set(three)) == 3 and all(psutil.pid_exists(pid) for pid in three)

    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint, DesiredWeightsAndCapacities=[{**wanted, "DesiredInstanceCount": 1}]
    )
    wait_until_settled(account, endpoint)
    assert [pid for pid in three if psutil.pid_exists(pid)] == pids(account, endpoint) and len(pids(account, endpoint)) == 1


def test_scaling_to_zero_is_refused(account: Account, endpoint: str) -> None:
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 0}]
    with pytest.raises(ClientError, match="allowed: at least 1"):
        account.client("sagemaker").update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=wanted)


def test_an_instance_that_crashes_is_replaced(account: Account, endpoint: str) -> None:
    before = pids(account, endpoint)
    with pytest.raises(ClientError, match=r"Received server error \(500\).*Worker died"):
        invoke(account, endpoint, b"exit")
    for _ in range(200):
        if pids(account, endpoint) and pids(account, endpoint) != before:
            break
        time.sleep(0.02)
    assert len(pids(account, endpoint)) == 1 and pids(account, endpoint) != before
    assert json.loads(invoke(account, endpoint)["Body"]) == [2.0, 4.0]


def test_variants_share_traffic_by_weight_and_can_be_targeted(account: Account, endpoint: str) -> None:
    create_model(account, "tripling", 3.0)
    create_configuration(account, "two-variants", variant("doubling", name="Old", weight=1.0), variant("tripling", name="New", weight=3.0))
    create_endpoint(account, "mixed", "two-variants")
    drawn = [invoke(account, "mixed", b"1")["InvokedProductionVariant"] for _ in range(60)]
    assert 25 <= drawn.count("New") <= 59, "three of four on average"
    assert json.loads(invoke(account, "mixed", b"1", TargetVariant="Old")["Body"]) == [2.0]
    with pytest.raises(ClientError, match="Variant Other not found"):
        invoke(account, "mixed", TargetVariant="Other")


def test_variants_come_and_go_without_guardrails_only(account: Account, endpoint: str) -> None:
    sagemaker = account.client("sagemaker")
    create_configuration(account, "one", variant("doubling", name="Old"))
    create_configuration(account, "both", variant("doubling", name="Old"), variant("tripling", name="New", weight=0.25))
    create_endpoint(account, "tried", "one")
    policy = {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}}
    guarded = {"DeploymentConfig": {"BlueGreenUpdatePolicy": policy}}
    with pytest.raises(ClientError, match="needs the variants that are there"):
        sagemaker.update_endpoint(EndpointName="tried", EndpointConfigName="both", **guarded)
    sagemaker.update_endpoint(EndpointName="tried", EndpointConfigName="both")
    assert [item["VariantName"] for item in wait_until_settled(account, "tried")["ProductionVariants"]] == ["Old", "New"]
    wanted = [{"VariantName": "New", "DesiredWeight": 0.0}]
    sagemaker.update_endpoint_weights_and_capacities(EndpointName="tried", DesiredWeightsAndCapacities=wanted)
    wait_until_settled(account, "tried")
    assert {invoke(account, "tried", b"1")["InvokedProductionVariant"] for _ in range(20)} == {"Old"}


def test_a_model_that_cannot_load_fails_the_endpoint_and_names_the_log(account: Account) -> None:
    create_model(account, "broken", code="def model_fn(model_dir):\n    raise RuntimeError('no such weights')\n")
    create_configuration(account, "broken", variant("broken"))
    described = create_endpoint(account, "broken", "broken")
    assert described["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in described["FailureReason"]
    with open(described["FailureReason"].split(": ")[-1]) as log:  # noqa: PTH123 - a path out of a message is a string
        assert "no such weights" in log.read()
    with pytest.raises(ClientError, match="can only be deleted"):
        account.client("sagemaker").update_endpoint(EndpointName="broken", EndpointConfigName="broken")
    account.client("sagemaker").delete_endpoint(EndpointName="broken")


def fails_to_start(account: Account, name: str) -> str:
    """The log of an endpoint's instance that did not start."""
    create_configuration(account, name, variant(name))
    described = create_endpoint(account, name, name)
    assert described["EndpointStatus"] == "Failed"
    account.client("sagemaker").delete_endpoint(EndpointName=name)
    return Path(described["FailureReason"].split(": ")[-1]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "without"),
    [("isolated", {"EnableNetworkIsolation": True}), ("in-a-vpc", {"VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}})],
)
def test_without_a_network_a_program_that_pip_would_fetch_setuptools_for_does_not_start(
    account: Account, name: str, without: dict[str, Any]
) -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != "PIP_NO_BUILD_ISOLATION"}
    create_model(account, name, environment=environment, **without)
    log = fails_to_start(account, name)
    assert "ERROR: No matching distribution found for setuptools>=40.8.0" in log
    assert 'InstallModuleError:\nCommand "/opt/venv/bin/python3 -m pip install ."' in log


def test_the_program_is_imported_from_where_the_image_copies_it_to(account: Account) -> None:
    """/opt/ml/code: what lies beside its folder in the archive is not beside it there."""
    code = "from pathlib import Path\nFOUND = (Path(__file__).parents[1] / 'weights').exists()\n"
    create_model(account, "moved", code=f"{code}def model_fn(model_dir):\n    return Path(__file__).as_posix()\n"
                 "def transform_fn(model, data, kind, accept):\n    return model.split('/')[-2] + str(FOUND), 'text/plain'\n")  # fmt: skip
    create_configuration(account, "moved", variant("moved"))
    create_endpoint(account, "moved", "moved")
    assert invoke(account, "moved")["Body"] == b"codeFalse"


def test_a_model_that_names_no_folder_of_its_program_does_not_start(account: Account) -> None:
    create_model(account, "nowhere", environment={"SAGEMAKER_PROGRAM": "inference.py"})
    assert "there is no inference.py in /opt/ml/code" in fails_to_start(account, "nowhere")


def test_a_second_endpoint_of_the_same_name_is_refused(account: Account, endpoint: str) -> None:
    with pytest.raises(ClientError, match="already existing endpoint"):
        account.client("sagemaker").create_endpoint(EndpointName=endpoint, EndpointConfigName="one-instance")


def test_deleting_an_endpoint_leaves_no_process(account: Account, endpoint: str) -> None:
    create_configuration(account, "to-be-deleted", variant("doubling", count=2))
    create_endpoint(account, "short-lived", "to-be-deleted")
    running = pids(account, "short-lived")
    assert len(running) == 2
    account.client("sagemaker").delete_endpoint(EndpointName="short-lived")
    assert not any(psutil.pid_exists(pid) for pid in running)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        account.client("sagemaker").describe_endpoint(EndpointName="short-lived")
    with pytest.raises(ClientError, match="not found"):
        invoke(account, "short-lived")
