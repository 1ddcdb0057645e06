"""Small models for the endpoint tests: packages whose code needs no library, put into S3 as SageMaker expects them."""

from __future__ import annotations

import io
import tarfile
import time
from typing import Any

from local_account.endpoints.registry import Endpoints

#: Multiplies the numbers of a CSV row; `FACTOR` tells models apart. "boom" is a bug in the code, "exit" a crash.
INFERENCE = """
import json, os, sys
import flask

def model_fn(model_dir):
    return FACTOR

def input_fn(data, content_type):
    if content_type != "text/csv":
        return flask.Response(f"content type {content_type} is not supported", 415, mimetype="text/plain")
    if data == "exit":
        os._exit(3)
    return [float(value) for value in data.split(",")]

def predict_fn(row, model):
    if isinstance(row, flask.Response):
        return row
    return [model * value for value in row]

def output_fn(prediction, accept):
    if isinstance(prediction, flask.Response):
        return prediction
    return json.dumps(prediction), "application/json"
"""

ENVIRONMENT = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "PIP_NO_BUILD_ISOLATION": "0",  # as every model needs that serves without a network
}


def archive(files: dict[str, str]) -> bytes:
    """A model.tar.gz with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            content = text.encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def create_model(
    account: Any, name: str, factor: float = 2.0, code: str | None = None, environment: dict[str, str] = ENVIRONMENT, **more: Any
) -> str:
    """Put a model into the bucket `models` and create it in SageMaker; returns its name."""
    # These models need no library. A variable that the warm containers cannot take in makes instances ordinary processes,
    # which saves the seconds that importing the libraries takes.
    Endpoints.at(account.context).launcher.environment["PYTHONHASHSEED"] = "0"
    s3 = account.client("s3")
    s3.create_bucket(Bucket="models")
    source = (INFERENCE if code is None else code).replace("FACTOR", repr(factor))
    s3.put_object(Bucket="models", Key=f"{name}/model.tar.gz", Body=archive({"code/inference.py": source}))
    container = {"Image": "xgboost:3.2-0", "ModelDataUrl": f"s3://models/{name}/model.tar.gz", "Environment": environment}
    account.client("sagemaker").create_model(
        ModelName=name, PrimaryContainer=container, ExecutionRoleArn="arn:aws:iam::111122223333:role/Model", **more
    )
    return name


def variant(model: str, count: int = 1, name: str = "AllTraffic", weight: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": count,
        "InitialVariantWeight": weight,
        **more,
    }


def create_configuration(account: Any, name: str, *variants: dict[str, Any], capture: dict[str, Any] | None = None, **more: Any) -> str:
    more |= {"DataCaptureConfig": capture} if capture else {}
    account.client("sagemaker").create_endpoint_config(EndpointConfigName=name, ProductionVariants=list(variants), **more)
    return name


def wait_until_settled(account: Any, endpoint: str) -> dict[str, Any]:
    """DescribeEndpoint once nothing is changing any more."""
    for _ in range(600):
        described: dict[str, Any] = account.client("sagemaker").describe_endpoint(EndpointName=endpoint)
        if described["EndpointStatus"] in ("InService", "Failed"):
            return described
        time.sleep(0.02)
    raise AssertionError(f"endpoint {endpoint} is still {described['EndpointStatus']}")


def create_endpoint(account: Any, name: str, configuration: str) -> dict[str, Any]:
    account.client("sagemaker").create_endpoint(EndpointName=name, EndpointConfigName=configuration)
    return wait_until_settled(account, name)


def invoke(account: Any, endpoint: str, body: bytes = b"1,2", content_type: str = "text/csv", **options: Any) -> dict[str, Any]:
    """InvokeEndpoint; the answer's `Body` is read."""
    answer: dict[str, Any] = account.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, Body=body, ContentType=content_type, **options
    )
    answer["Body"] = answer["Body"].read()
    return answer
