"""The same three scripts as a SageMaker pipeline definition, for the local account's interpreter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_PROCESSING = "/opt/ml/processing"
_COMPUTE = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
_LIMIT = {"MaxRuntimeInSeconds": 600}
_IMAGE = "xgboost:3.2-0"


def definition(bucket: str, role: str, seconds_file: Path) -> str:
    """Prepare -> Train -> Choose over `s3://<bucket>/data/`, with code at `s3://<bucket>/code/`."""
    training = _train(bucket, role, seconds_file)
    outputs = "Steps.Prepare.ProcessingOutputConfig.Outputs"
    choose_inputs = {
        "candidate-linear": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"},
        **{name: {"Get": f"{outputs}['{name}'].S3Output.S3Uri"} for name in ("train", "validation", "preparation")},
    }
    prepare = _script(
        bucket, role, seconds_file, "prepare", {"data": f"s3://{bucket}/data/"}, ["train", "validation", "test", "preparation"]
    )
    choose = _script(bucket, role, seconds_file, "choose", choose_inputs, ["model", "choice"])
    steps = [
        {"Name": "Prepare", "Type": "Processing", "Arguments": prepare},
        {"Name": "Train", "Type": "Training", "Arguments": training},
        {"Name": "Choose", "Type": "Processing", "Arguments": choose},
    ]
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps})


def _environment(seconds_file: Path, script: str) -> dict[str, str]:
    return {"TIMED_SCRIPT": f"{script}.py", "TIMED_SECONDS_FILE": str(seconds_file)}


def _script(bucket: str, role: str, seconds_file: Path, name: str, inputs: dict[str, Any], outputs: list[str]) -> dict[str, Any]:
    arguments = {
        "prepare": ["--data", f"{_PROCESSING}/input/data", "--output", f"{_PROCESSING}/output"],
        "choose": [
            "--candidates",
            f"{_PROCESSING}/input",
            "--preparation",
            f"{_PROCESSING}/input/preparation",
            "--output",
            f"{_PROCESSING}/output",
        ],
    }[name]
    sources = {"code": f"s3://{bucket}/code/steps/", **inputs}
    return {
        "RoleArn": role,
        "AppSpecification": {
            "ImageUri": _IMAGE,
            "ContainerEntrypoint": ["python3", f"{_PROCESSING}/input/code/timed.py"],
            "ContainerArguments": arguments,
        },
        "Environment": _environment(seconds_file, name),
        "ProcessingInputs": [_input(channel, uri) for channel, uri in sources.items()],
        "ProcessingOutputConfig": {"Outputs": [_output(bucket, name, channel) for channel in outputs]},
        "ProcessingResources": {"ClusterConfig": _COMPUTE},
        "StoppingCondition": _LIMIT,
    }


def _input(channel: str, uri: Any) -> dict[str, Any]:
    source = {"S3Uri": uri, "LocalPath": f"{_PROCESSING}/input/{channel}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": channel, "AppManaged": False, "S3Input": source}


def _output(bucket: str, step: str, channel: str) -> dict[str, Any]:
    place = {"S3Uri": f"s3://{bucket}/{step}/{channel}", "LocalPath": f"{_PROCESSING}/output/{channel}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": channel, "AppManaged": False, "S3Output": place}


def _train(bucket: str, role: str, seconds_file: Path) -> dict[str, Any]:
    outputs = "Steps.Prepare.ProcessingOutputConfig.Outputs"
    channels = [
        {
            "ChannelName": channel,
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": {"Get": f"{outputs}['{channel}'].S3Output.S3Uri"}}},
        }
        for channel in ("train", "validation")
    ]
    return {
        "RoleArn": role,
        "AlgorithmSpecification": {"TrainingImage": _IMAGE, "TrainingInputMode": "File"},
        "Environment": _environment(seconds_file, "train"),
        "HyperParameters": {
            "algorithm": "linear",
            "lambda": "1.0",
            "sagemaker_program": json.dumps("timed.py"),
            "sagemaker_submit_directory": json.dumps(f"s3://{bucket}/code/sourcedir.tar.gz"),
        },
        "InputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models"},
        "ResourceConfig": _COMPUTE,
        "StoppingCondition": _LIMIT,
    }
