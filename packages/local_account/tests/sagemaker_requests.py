"""Small SageMaker requests and scripts for the tests of this directory. No test here needs more than the standard library in a job."""

from __future__ import annotations

import io
import json
import tarfile
import time
import uuid
import zipfile
from typing import Any

ROLE = "arn:aws:iam::111122223333:role/jobs"
IMAGE = "111122223333.dkr.ecr.us-east-1.amazonaws.com/xgboost:3.2-0"
BUCKET = "bucket"
CLUSTER = {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}}


def s3_input(name: str, uri: Any, distribution: str = "FullyReplicated") -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": f"/opt/ml/processing/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": distribution,
        },
    }


def s3_output(name: str, uri: Any, mode: str = "EndOfJob") -> dict[str, Any]:
    return {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/output/{name}", "S3UploadMode": mode}}


def processing(
    script: str, *arguments: Any, inputs: list[Any] | None = None, outputs: list[Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Arguments of a processing job that runs `code/<script>.py` of the bucket."""
    return {
        "ProcessingResources": CLUSTER,
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": ["python3", f"/opt/ml/processing/input/code/{script}.py"],
            "ContainerArguments": list(arguments) or ["none"],
        },
        "RoleArn": ROLE,
        "ProcessingInputs": [s3_input("code", f"s3://{BUCKET}/code/"), *(inputs or [])],
        "ProcessingOutputConfig": {"Outputs": outputs or []},
        **more,
    }


def training_definition(script: str = "train.py", **more: Any) -> dict[str, Any]:
    """A training job in script mode without name and hyperparameters of its own."""
    return {
        "RoleArn": ROLE,
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        },
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/"}},
            }
        ],
        **more,
    }


def script_mode(script: str) -> dict[str, str]:
    return {"sagemaker_program": json.dumps(script), "sagemaker_submit_directory": json.dumps(f"s3://{BUCKET}/code.tar.gz")}


def publish(s3: Any, scripts: dict[str, str]) -> None:
    """Put scripts where `processing` and `script_mode` expect them, and two small data files."""
    s3.create_bucket(Bucket=BUCKET)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in scripts.items():
            s3.put_object(Bucket=BUCKET, Key=f"code/{name}", Body=text)
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    s3.put_object(Bucket=BUCKET, Key="code.tar.gz", Body=archive.getvalue())
    s3.put_object(Bucket=BUCKET, Key="data/one.csv", Body="1,2\n3,4\n")
    s3.put_object(Bucket=BUCKET, Key="data/two.csv", Body="5,6\n")


def create_function(account: Any, name: str, files: dict[str, str], handler: str = "handler.handler") -> str:
    """A Lambda function of these files; its ARN."""
    created = account.client("lambda").create_function(
        FunctionName=name, Runtime="python3.14", Role=ROLE, Handler=handler, Code={"ZipFile": zipped(files)}, Timeout=60
    )
    return str(created["FunctionArn"])


def zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return packed.getvalue()


def new_name(stem: str) -> str:
    return f"{stem}-{uuid.uuid4().hex[:8]}"


def wait(describe: Any, status_field: str, timeout_seconds: float = 60) -> dict[str, Any]:
    """The description once the job or execution has ended."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        described: dict[str, Any] = describe()
        if described[status_field] not in ("InProgress", "Stopping", "Executing"):
            return described
        assert time.monotonic() < deadline, f"still {described[status_field]} after {timeout_seconds} s"
        time.sleep(0.02)


def run_pipeline(sagemaker: Any, name: str, parameters: dict[str, str] | None = None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Start an execution and wait: its description, and its steps by name."""
    given = [{"Name": key, "Value": value} for key, value in (parameters or {}).items()]
    arn = sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=given)["PipelineExecutionArn"]
    described = wait(lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn), "PipelineExecutionStatus")
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return described, {step["StepName"]: step for step in steps}


def definition(steps: list[dict[str, Any]], parameters: list[dict[str, Any]] | None = None) -> str:
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters or [], "Steps": steps})


def create_pipeline(sagemaker: Any, steps: list[dict[str, Any]], parameters: list[dict[str, Any]] | None = None) -> str:
    name = new_name("pipeline")
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=definition(steps, parameters), RoleArn=ROLE)
    return name


def read(s3: Any, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body
