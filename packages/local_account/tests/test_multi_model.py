"""Multi-model endpoints: models are loaded when a request names them, each in a process of its own, and go when memory is short."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.endpoints import lifecycle
from local_account.endpoints.multi_model import BUSY, MultiModelVariant
from local_account.endpoints.registry import Endpoints

from .endpoint_models import archive, create_configuration, create_endpoint, invoke, variant
from .users import allow, make_user

ROLE = "arn:aws:iam::111122223333:role/Model"
#: One program for all models: what tells them apart is in their archives. "exit" ends the process, "slow" takes a moment.
PROGRAM = """
import os
import time
from pathlib import Path
from sagemaker_inference.errors import GenericInferenceToolkitError

def model_fn(model_dir):
    wanted = Path(model_dir, "factor").read_text()
    if wanted == "broken":
        raise ValueError("no model in there")
    ballast = b"x" * (int(Path(model_dir, "megabytes").read_text()) << 20)
    return float(wanted), ballast

def input_fn(data, content_type):
    if data == "exit":
        os._exit(3)
    if data == "slow":
        time.sleep(0.2)
        return [1.0]
    if data == "refused":
        raise GenericInferenceToolkitError(422, "row 1 is not a number")
    return [float(value) for value in data.split(",")]

def predict_fn(row, model):
    return [model[0] * value for value in row]

def output_fn(prediction, accept):
    return {"scores": prediction, "process": os.getpid()}
"""


def put(account: Account, name: str, factor: str, megabytes: int = 0) -> None:
    account.client("s3").put_object(Bucket="models", Key=f"fleet/{name}", Body=archive({"factor": factor, "megabytes": str(megabytes)}))


def create_multi_model(account: Account, name: str = "fleet") -> str:
    Endpoints.at(account.context).launcher.environment["PYTHONHASHSEED"] = "0"  # as in `create_model`
    s3 = account.client("s3")
    s3.create_bucket(Bucket="models")
    s3.put_object(Bucket="models", Key="program.tar.gz", Body=archive({"program.py": PROGRAM}))
    container = {
        "Image": "xgboost:3.2-0",
        "Mode": "MultiModel",
        "ModelDataUrl": "s3://models/fleet/",
        "Environment": {"SAGEMAKER_PROGRAM": "program.py", "SAGEMAKER_SUBMIT_DIRECTORY": "s3://models/program.tar.gz"},
    }
    account.client("sagemaker").create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    return name


@pytest.fixture(scope="module")
def endpoint(account: Account) -> Iterator[str]:
    """An instance has so much memory that three models of 100 MB do not fit."""
    create_multi_model(account)
    for name, factor in (("a.tar.gz", "2"), ("b/1.tar.gz", "3")):
        put(account, name, factor)
    create_configuration(account, "fleet", variant("fleet"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lifecycle, "memory_bytes", lambda instance_type: 400 << 20)
        described = create_endpoint(account, "fleet", "fleet")
    assert described["EndpointStatus"] == "InService", described
    yield "fleet"


def running(account: Account, endpoint: str = "fleet") -> MultiModelVariant:
    (found,) = Endpoints.at(account.context).by_name[endpoint].variants()
    assert isinstance(found, MultiModelVariant)
    return found


def ask(account: Account, target: str, body: bytes = b"1,2", endpoint: str = "fleet") -> dict[str, Any]:
    answered: dict[str, Any] = json.loads(invoke(account, endpoint, body, TargetModel=target)["Body"])
    return answered


def refusal(account: Account, endpoint: str = "fleet", body: bytes = b"1", **options: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        invoke(account, endpoint, body, **options)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


@pytest.mark.parametrize("before", [None, b"no archive", b""])
def test_a_target_that_was_asked_for_before_it_was_there_is_answered_once_it_is(
    account: Account, endpoint: str, before: bytes | None
) -> None:
    name = f"late-{before!r}.tar.gz".replace("'", "")
    if before is not None:
        account.client("s3").put_object(Bucket="models", Key=f"fleet/{name}", Body=before)
    for _ in range(2):
        assert refusal(account, TargetModel=name)[1].startswith("Failed to download model data")
    put(account, name, "4")
    assert ask(account, name)["scores"] == [4.0, 8.0]


def test_a_target_is_answered_by_its_own_model_in_a_process_of_its_own(account: Account, endpoint: str) -> None:
    first, second = ask(account, "a.tar.gz"), ask(account, "b/1.tar.gz")
    assert (first["scores"], second["scores"]) == ([2.0, 4.0], [3.0, 6.0])
    assert first["process"] != second["process"]
    assert ask(account, "a.tar.gz")["process"] == first["process"]


def test_requests_at_once_for_a_model_that_is_not_loaded_load_it_once(account: Account, endpoint: str) -> None:
    put(account, "together.tar.gz", "1")
    with ThreadPoolExecutor(4) as clients:
        assert len({answer["process"] for answer in clients.map(lambda _: ask(account, "together.tar.gz"), range(4))}) == 1


def test_an_archive_that_is_replaced_is_not_fetched_again(account: Account, endpoint: str) -> None:
    put(account, "kept.tar.gz", "5")
    assert ask(account, "kept.tar.gz")["scores"] == [5.0, 10.0]
    put(account, "kept.tar.gz", "7")
    with pytest.raises(ClientError):
        ask(account, "kept.tar.gz", b"exit")
    assert ask(account, "kept.tar.gz")["scores"] == [5.0, 10.0]  # loaded anew, from what the instance has


def test_without_memory_the_least_recently_used_model_goes_and_comes_back(account: Account, endpoint: str) -> None:
    for name in ("one", "two", "three"):
        put(account, name, "1", megabytes=100)
    first, second = ask(account, "one")["process"], ask(account, "two")["process"]
    assert ask(account, "one")["process"] == first
    ask(account, "three")
    assert ask(account, "one")["process"] == first
    assert ask(account, "two")["process"] != second


def test_a_model_that_no_instance_has_memory_for_is_refused_and_the_others_serve_on(account: Account, endpoint: str) -> None:
    put(account, "huge", "1", megabytes=500)
    code, message = refusal(account, TargetModel="huge")
    assert code == "ModelError" and "server error (507)" in message
    assert ask(account, "a.tar.gz")["scores"] == [2.0, 4.0]


def test_a_request_without_or_with_an_unknown_target_gets_the_services_error(account: Account, endpoint: str) -> None:
    code, message = refusal(account)
    assert code == "ValidationError" and message.endswith("is missing a target model header.")
    code, message = refusal(account, TargetModel="c.tar.gz")
    assert code == "ValidationError" and "Failed to download model data(bucket: models, key: fleet/c.tar.gz)" in message
    assert ask(account, "a.tar.gz")["scores"] == [2.0, 4.0]


def test_errors_are_answered_as_the_multi_model_server_does(account: Account, endpoint: str) -> None:
    code, message = refusal(account, body=b"refused", TargetModel="a.tar.gz")
    assert code == "ModelError" and "client error (422)" in message and "row 1 is not a number" in message
    code, message = refusal(account, body=b"x", TargetModel="a.tar.gz")
    assert code == "ModelError" and "server error (500)" in message and "could not convert string to float" in message


def test_a_model_that_cannot_be_loaded_is_an_error_of_the_model(account: Account, endpoint: str) -> None:
    put(account, "broken", "broken")
    code, message = refusal(account, TargetModel="broken")
    assert code == "ModelError" and "server error (500)" in message


def test_metrics_tell_of_loading(account: Account, endpoint: str) -> None:
    put(account, "measured", "1")
    ask(account, "measured")
    ask(account, "measured")
    account.context.clock.change(now=account.context.clock.now() + timedelta(minutes=3))
    assert 0 < average(account, "ModelCacheHit") < 1
    for name in ("ModelLoadingWaitTime", "ModelDownloadingTime", "ModelLoadingTime", "ModelUnloadingTime"):
        assert average(account, name) > 0, name
    assert average(account, "LoadedModelCount", "/aws/sagemaker/Endpoints") > 0


def average(account: Account, name: str, namespace: str = "AWS/SageMaker") -> float:
    """Of an hour, once the account has published a minute in which there was some: on a busy machine the first has misses only."""
    dimensions = [{"Name": "EndpointName", "Value": "fleet"}, {"Name": "VariantName", "Value": "AllTraffic"}]
    for _ in range(400):
        now = account.context.clock.now()
        times = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(hours=1), "Period": 7200}
        found = account.client("cloudwatch").get_metric_statistics(
            Namespace=namespace, MetricName=name, Dimensions=dimensions, Statistics=["Average"], **times
        )
        if found["Datapoints"] and found["Datapoints"][0]["Average"]:
            return float(found["Datapoints"][0]["Average"])
        time.sleep(0.025)
    raise AssertionError(f"{name} is not published")


def test_a_policy_may_name_the_models_that_a_client_asks(account: Account, endpoint: str) -> None:
    statement = {**allow("sagemaker:InvokeEndpoint"), "Condition": {"StringLike": {"sagemaker:TargetModel": "b/*"}}}
    runtime = make_user(account, "of-b", statement).client("sagemaker-runtime")
    asked = {"EndpointName": endpoint, "ContentType": "text/csv", "Body": b"1"}
    assert runtime.invoke_endpoint(TargetModel="b/1.tar.gz", **asked)["Body"].read()
    for target in ({"TargetModel": "a.tar.gz"}, {}):
        with pytest.raises(ClientError, match="AccessDenied"):
            runtime.invoke_endpoint(**target, **asked)


def test_a_busy_model_is_loaded_on_a_second_instance_and_an_idle_one_stays_on_its_own(account: Account, endpoint: str) -> None:
    create_configuration(account, "two", variant("fleet", count=2))
    assert create_endpoint(account, "two", "two")["EndpointStatus"] == "InService"
    ask(account, "a.tar.gz", endpoint="two")
    found = running(account, "two")
    assert sorted(found.loaded_counts()) == [0, 1]
    assert len({ask(account, "a.tar.gz", endpoint="two")["process"] for _ in range(4)}) == 1
    with ThreadPoolExecutor(BUSY + 2) as clients:
        list(clients.map(lambda _: ask(account, "a.tar.gz", b"slow", endpoint="two"), range(BUSY + 2)))
    assert found.loaded_counts() == [1, 1]
    account.client("sagemaker").delete_endpoint(EndpointName="two")


def test_a_stack_has_such_a_model(account: Account, endpoint: str) -> None:
    container = {
        "Image": "xgboost:3.2-0",
        "Mode": "MultiModel",
        "MultiModelConfig": {"ModelCacheSetting": "Enabled"},
        "ModelDataUrl": "s3://models/fleet/",
    }
    model = {"Type": "AWS::SageMaker::Model", "Properties": {"PrimaryContainer": container, "ExecutionRoleArn": ROLE}}
    template = {"Resources": {"Model": model}, "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Model", "ModelName"]}}}}
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(StackName="models", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="models", WaiterConfig={"Delay": 1})
    name = cloudformation.describe_stacks(StackName="models")["Stacks"][0]["Outputs"][0]["OutputValue"]
    assert account.client("sagemaker").describe_model(ModelName=name)["PrimaryContainer"] == container


def test_what_such_an_endpoint_cannot_have_is_refused(account: Account, endpoint: str) -> None:
    sagemaker = account.client("sagemaker")
    capture = {"DestinationS3Uri": "s3://models/capture", "InitialSamplingPercentage": 100, "CaptureOptions": [{"CaptureMode": "Input"}]}
    for more, reason in (
        ({"DataCaptureConfig": capture}, "data capture"),
        ({"ShadowProductionVariants": [variant("fleet", name="Shadow")]}, "shadow variants"),
        ({"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://models/answers"}}}, "asynchronous inference"),
    ):
        with pytest.raises(ClientError, match=f"does not support {reason}"):
            sagemaker.create_endpoint_config(EndpointConfigName="refused", ProductionVariants=[variant("fleet")], **more)
    serverless = {"VariantName": "AllTraffic", "ModelName": "fleet", "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 2}}
    with pytest.raises(ClientError, match="does not support a multi-model container"):
        sagemaker.create_endpoint_config(EndpointConfigName="refused", ProductionVariants=[serverless])
    container = {"Image": "xgboost:3.2-0", "Mode": "MultiModel", "ModelDataUrl": "s3://models/a.tar.gz"}
    with pytest.raises(ClientError, match="is no prefix; allowed: s3://bucket/prefix/"):
        sagemaker.create_model(ModelName="refused", PrimaryContainer=container, ExecutionRoleArn=ROLE)


def test_an_instance_that_ends_takes_its_models_along_and_is_replaced(account: Account, endpoint: str) -> None:
    """The last test here: it leaves another instance."""
    process = ask(account, "a.tar.gz")["process"]
    (instance,) = running(account).instances
    os.kill(instance.pid, signal.SIGKILL)
    for _ in range(400):
        serving = running(account).instances
        if serving and serving[0].pid != instance.pid:
            break
        time.sleep(0.025)
    assert ask(account, "a.tar.gz")["process"] != process
    account.client("sagemaker").delete_endpoint(EndpointName=endpoint)
