"""Asks a batch model as its schedule will: a transform job with the deployed model scores the version's golden rows.

Input: the environment's place, the deployed SageMaker model, the golden rows. Output: its answers, for checks.py. The rows lie where the
model may read (`batch/<model>/`) without the `_SUCCESS` by which a folder is scored, and are overwritten by the next verification.
Source of the request: CreateTransformJob of the SageMaker API reference; like pipelines/batch/pipeline.py. Used by verify.py.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from build_scripts import batch_rows
from build_scripts.command_line import VerdictError, with_pointer
from build_scripts.golden import Golden
from build_scripts.invocation import CSV, Answer, Rows, csv_body
from build_scripts.objects import bucket_and_key
from build_scripts.version_contract import Contract
from deploy_scripts.environment_place import EnvironmentPlace
from settings_schema import Batch, Problem, ServingNames
from settings_schema.serving import has_own_disk

_FOLDER = "verification"
_FILE = "golden.csv"
_MAX_PAYLOAD_MB = 6  # what the serving container accepts
_FIRST_POLL_SECONDS, _POLL_SECONDS = 0.25, 5.0  # minutes in AWS, a moment in the local account


def answers(place: EnvironmentPlace, names: ServingNames, serving: Batch, model_name: str, golden: Golden, contract: Contract) -> Answer:
    """Raises VerdictError with SageMaker's reason if the job fails, and for answers to other rows."""
    s3, sagemaker, sent = place.client("s3"), place.client("sagemaker"), csv_body(golden.rows)
    s3.put_object(Bucket=place.bucket, Key=f"{names.batch_input}{_FOLDER}/{_FILE}", Body=sent)
    made = request(place, names, serving, model_name)
    sagemaker.create_transform_job(**made)
    print(f"batch: transform job {made['TransformJobName']} scores {len(golden.rows)} golden rows", flush=True)
    _follow(sagemaker, made["TransformJobName"])
    _, key = bucket_and_key(made["TransformOutput"]["S3OutputPath"])
    received = s3.get_object(Bucket=place.bucket, Key=f"{key}/{_FILE}.out")["Body"].read()
    return read(batch_rows.answers(sent, received), contract)


def request(place: EnvironmentPlace, names: ServingNames, serving: Batch, model_name: str) -> dict[str, Any]:
    """Each job has answers of its own, so that none are taken for another's."""
    job, key = f"{names.verification_job_prefix}{secrets.token_hex(4)}", place.names.key_alias
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{place.bucket}/{names.batch_input}{_FOLDER}/{_FILE}"}
    disk = {} if has_own_disk(serving.instance_type) else {"VolumeKmsKeyId": key}
    return {
        "TransformJobName": job,
        "ModelName": model_name,
        "BatchStrategy": "MultiRecord",
        "MaxPayloadInMB": _MAX_PAYLOAD_MB,
        "TransformInput": {"DataSource": {"S3DataSource": source}, "ContentType": CSV, "SplitType": "Line"},
        "TransformOutput": {
            "S3OutputPath": f"s3://{place.bucket}/{names.predictions}{_FOLDER}/{job}",
            "Accept": CSV,
            "AssembleWith": "Line",
            "KmsKeyId": key,
        },
        "TransformResources": {"InstanceType": serving.instance_type, "InstanceCount": serving.instance_count, **disk},
        "DataProcessing": {"JoinSource": "Input"},
        "Tags": [{"Key": name, "Value": value} for name, value in names.tags.items()],
    }


def _follow(sagemaker: Any, job: str) -> None:
    wait = _FIRST_POLL_SECONDS
    while (found := sagemaker.describe_transform_job(TransformJobName=job))["TransformJobStatus"] in ("InProgress", "Stopping"):
        time.sleep(wait)
        wait = min(_POLL_SECONDS, 2 * wait)
    if found["TransformJobStatus"] != "Completed":
        reason = with_pointer(found.get("FailureReason", "no reason given"))
        raise VerdictError(f"transform job {job} is {found['TransformJobStatus']}: {reason}")


def read(predictions: Rows, contract: Contract) -> Answer:
    """What each row got: a value, or the decided class and its probability (batch_rows.prediction_names). Raises VerdictError."""
    try:
        if contract.problem is Problem.REGRESSION:
            return Answer([float(value) for (value,) in predictions], [])
        return Answer([max(map(float, likely)) for _, *likely in predictions], [label for label, *_ in predictions])
    except ValueError as error:
        raise VerdictError(f"the answers of the job are not those of a {contract.problem} version: {error}") from error
