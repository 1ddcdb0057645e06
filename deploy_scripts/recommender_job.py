"""A job of Inference Recommender: what it is asked with, whether it is offered, how it ends, and what it may cost.

Input: a version with its golden rows, and instance types. Output: the answer of DescribeInferenceRecommendationsJob, which `capacity`
reads. Used by `recommend.py`. Source: "Create an inference recommendation" of SageMaker's guide; the service model of
CreateInferenceRecommendationsJob.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, VerdictError, explain
from build_scripts.invocation import CSV, csv_body
from build_scripts.missing import found
from build_scripts.objects import encryption
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version
from build_scripts.step_modules import load
from build_scripts.version_contract import Contract
from settings_schema import ModelNames, Prices, Problem

#: A job of the default kind is complete within 45 minutes: "Recommendation jobs with Amazon SageMaker Inference Recommender" of the guide.
LONGEST_HOURS = 0.75
POLL_SECONDS = 30.0
ENDED = ("COMPLETED", "FAILED", "STOPPED", "DELETING", "DELETED")
#: An operation that the place does not have: of AWS in a region, and of the local account.
_NOT_THERE = ("UnknownOperationException", "NotImplemented")
#: In what words AWS closes a service to an account.
_CLOSED = re.compile(r"new customers|not (?:available|supported|offered)|no longer (?:available|supported|offered)", re.IGNORECASE)
_IMAGE = re.compile(r"/sagemaker-xgboost:(\d\.[\w.-]+)$")


@dataclass(frozen=True)
class Job:
    """What is measured. `rows`: the golden rows, one a request. `instance_types`: each is tried."""

    name: str
    version: Version
    contract: Contract
    rows: Sequence[Sequence[str]]
    instance_types: Sequence[str]

    @property
    def payload(self) -> bytes:
        """One file a request in a tar.gz, as `SamplePayloadUrl` wants it."""
        files = {f"row-{number:03}.csv": csv_body([row]) for number, row in enumerate(self.rows, 1)}
        return bytes(load("archive").pack(files))

    @property
    def container(self) -> dict[str, Any]:
        """`ContainerConfig`: it wins over what the version was registered with, which has no requests to send."""
        regression = self.contract.problem is Problem.REGRESSION
        image = _IMAGE.search(self.version.image or "")
        framework = {"Framework": "XGBOOST", "FrameworkVersion": image[1]} if image else {}
        described = {"Domain": "MACHINE_LEARNING", "Task": "REGRESSION" if regression else "CLASSIFICATION", **framework}
        return {**described, "SupportedInstanceTypes": list(self.instance_types), "SupportedEndpointType": "RealTime"}


def not_offered(sagemaker: Any) -> str | None:
    """Why there is no Inference Recommender here, in the service's words; None if there is. Asks for a list, and changes nothing."""
    try:
        sagemaker.list_inference_recommendations_jobs(MaxResults=1)
    except ClientError as error:
        if error.response["Error"].get("Code") in _NOT_THERE or _CLOSED.search(str(error.response["Error"].get("Message"))):
            return explain(error)
        raise
    return None


def name_of(names: ModelNames, version: Version, now: float) -> str:
    """A new one. Its beginning is what the job's role may make (infra/model/sizing_role.py)."""
    return f"{names.sizing_jobs}{version.number}-{time.strftime('%m%d%H%M%S', time.gmtime(now))}"


def start(place: ProjectEnvironment, names: ModelNames, job: Job) -> None:
    """Puts the requests where the role reads them, and starts the job."""
    payload = job.payload
    digest = hashlib.sha256(payload).hexdigest()[:12]
    key = f"pipelines/{names.training_pipeline}/sizing/{digest}/requests.tar.gz"
    place.client("s3").put_object(Bucket=place.artifact_bucket, Key=key, Body=payload, **encryption(place.key_arn))
    request = request_of(place, names, job, f"s3://{place.artifact_bucket}/{key}")
    place.client("sagemaker").create_inference_recommendations_job(**request)


def request_of(place: ProjectEnvironment, names: ModelNames, job: Job, payload_url: str) -> dict[str, Any]:
    payload = {"SamplePayloadUrl": payload_url, "SupportedContentTypes": [CSV]}
    network = {"VpcConfig": {"SecurityGroupIds": list(place.security_group_ids), "Subnets": list(place.subnets)}} if place.subnets else {}
    return {
        "JobName": job.name,
        "JobType": "Default",
        "JobDescription": f"Version {job.version.number} of {names.model_package_group}",
        "RoleArn": place.role_arn(names.sizing_role),
        "InputConfig": {
            "ModelPackageVersionArn": job.version.arn,
            "ContainerConfig": {**job.container, "PayloadConfig": payload},
            "VolumeKmsKeyId": place.key_arn,
            **network,
        },
        "Tags": place.tags(names),
    }


def follow(sagemaker: Any, name: str, said: Callable[[str], None] = print, poll_seconds: float = POLL_SECONDS) -> dict[str, Any]:
    """The answer of the completed job. Raises VerdictError with the job's reason, and ProblemError if there is no such job."""
    status = None
    while True:
        job = found(sagemaker.describe_inference_recommendations_job, JobName=name)
        if job is None:
            raise ProblemError(f"job {name} does not exist; `aws sagemaker list-inference-recommendations-jobs` shows those that do")
        if job["Status"] != status:
            status = job["Status"]
            said(f"job {name}: {status}")
        if status in ENDED:
            break
        time.sleep(poll_seconds)
    if status != "COMPLETED":
        raise VerdictError(f"job {name} is {status}: {job.get('FailureReason') or 'no reason given'}")
    return dict(job)


def most_usd(instance_types: Sequence[str], prices: Prices) -> tuple[float, list[str]]:
    """What the job costs at most, by the prices of settings.py, and the types that have none there. Only instances are charged."""
    known = prices.usd_per_hour
    unknown = [instance_type for instance_type in instance_types if instance_type not in known]
    return sum(known.get(instance_type, 0.0) for instance_type in instance_types) * LONGEST_HOURS, unknown


def recommendations(answer: Mapping[str, Any]) -> list[tuple[str, int, float, float, float]]:
    """Cheapest first: instance type, how many, requests a second, milliseconds (ModelLatency is in microseconds), USD per hour."""
    rows = []
    for item in answer.get("InferenceRecommendations", ()):
        endpoint, metrics = item["EndpointConfiguration"], item.get("Metrics") or {}
        if endpoint.get("InstanceType") and metrics:
            speed = metrics.get("MaxInvocations", 0) / 60, metrics.get("ModelLatency", 0) / 1000
            rows.append((endpoint["InstanceType"], endpoint.get("InitialInstanceCount", 1), *speed, float(metrics.get("CostPerHour", 0))))
    return sorted(rows, key=lambda row: row[-1])
