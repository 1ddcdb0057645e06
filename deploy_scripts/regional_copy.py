"""Copies of a version in the regions of environments, and the version that a copy is of.

SageMaker makes a model of an archive and an image of its own region only (ContainerDefinition of its service model). So a version that is
deployed elsewhere is registered there too, in the project's account: the same archive and evidence under the same keys, that region's
image, approved. Beside it lies the code that watches it: a job's code is in the bucket of its region, which a private network reaches.
The copy's description says what it is of. Where an environment is in the project's region, the version is its own copy.
Input: the chosen version. Used by render.py, verify.py and status.py; buckets and groups there are infra/foundation/regional_stack.py's.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from build_scripts.command_line import VerdictError
from build_scripts.missing import found
from build_scripts.objects import bucket_and_key
from build_scripts.objects import keys as keys_below
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.publish import code_address, publish
from deploy_scripts.environment_place import EnvironmentPlace, Role
from settings_schema import Environment

#: Begins the description of a copy; the watch finds a version by it (pipelines/monitoring/steps/evidence.py).
COPY_OF = "copy of "
_POLL_SECONDS = 2
#: Of a version's metadata, the address of its contract; what lies beside it is its evidence.
_CONTRACT = "contract-url"
_MAKING = threading.Lock()


def registered_in(project: ProjectEnvironment, arn: str, region: str) -> str | None:
    """ARN of the version's copy in a region; None if it was not copied yet."""
    if region == _region(arn):
        return arn
    group = arn.split("/")[-2]
    pages = client_in(project, "sagemaker", region).get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    complete = (item for page in pages for item in page["ModelPackageSummaryList"] if item["ModelPackageStatus"] == "Completed")
    return next((str(item["ModelPackageArn"]) for item in complete if item.get("ModelPackageDescription") == f"{COPY_OF}{arn}"), None)


def original(project: ProjectEnvironment, arn: str) -> str:
    """ARN of the version that a copy is of; `arn` itself for what is none, or was deleted meanwhile."""
    if _region(arn) == project.region:
        return arn
    package = found(client_in(project, "sagemaker", _region(arn)).describe_model_package, ModelPackageName=arn) or {}
    description = str(package.get("ModelPackageDescription", ""))
    return description.removeprefix(COPY_OF) if description.startswith(COPY_OF) else arn


def copy(project: ProjectEnvironment, arn: str, region: str) -> str:
    """ARN of the copy, which is made unless there is one. Raises VerdictError if SageMaker does not complete it."""
    there = registered_in(project, arn, region)
    if there is not None:
        return there
    package = project.client("sagemaker").describe_model_package(ModelPackageName=arn)
    (container,) = package["InferenceSpecification"]["Containers"]
    bucket, key = bucket_and_key(container["ModelDataUrl"])
    copied = project.names.artifact_bucket(arn.split(":")[4], region)
    facts = package.get("CustomerMetadataProperties") or {}
    keys = [key, *_evidence(project, bucket, facts)]
    _copy_objects(project, bucket, keys, region, copied)
    moved = {f"s3://{bucket}/{key}": f"s3://{copied}/{key}" for key in keys}
    address = {"Image": image_in(container["Image"], region), "ModelDataUrl": f"s3://{copied}/{key}"}
    kept = {name: value for name, value in container.items() if name not in ("ImageDigest", "ModelDataETag")}
    sagemaker = client_in(project, "sagemaker", region)
    made = sagemaker.create_model_package(
        ModelPackageGroupName=arn.split("/")[-2],
        ModelPackageDescription=f"{COPY_OF}{arn}",
        InferenceSpecification={**package["InferenceSpecification"], "Containers": [{**kept, **address}]},
        CustomerMetadataProperties={name: moved.get(value, value) for name, value in facts.items()},
        ModelApprovalStatus="Approved",
    )["ModelPackageArn"]
    while (status := sagemaker.describe_model_package(ModelPackageName=made)["ModelPackageStatus"]) in ("Pending", "InProgress"):
        time.sleep(_POLL_SECONDS)
    if status != "Completed":
        raise VerdictError(f"the copy of {arn} in {region} is {status}: {made}")
    return str(made)


def _evidence(project: ProjectEnvironment, bucket: str, facts: Mapping[str, str]) -> list[str]:
    """Keys of what lies beside the version's contract; none of a version that does not say where that is."""
    folder = facts.get(_CONTRACT, "").rpartition("/")[0]
    if not folder.startswith(f"s3://{bucket}/"):
        return []
    return sorted(keys_below(project.client("s3"), bucket, f"{bucket_and_key(folder)[1]}/"))


def _copy_objects(project: ProjectEnvironment, bucket: str, wanted: Sequence[str], region: str, copied: str) -> None:
    here, there = project.client("s3"), client_in(project, "s3", region)
    for key in wanted:
        there.copy(Bucket=copied, Key=key, CopySource={"Bucket": bucket, "Key": key}, SourceClient=here)


def publish_in(project: ProjectEnvironment, region: str, files: Mapping[str, bytes]) -> str:
    """Address of code in the artifact bucket of a region, where it is put unless it is there. At home the build has published it."""
    if region == project.region:
        return code_address(project.artifact_bucket, files)
    bucket = project.names.artifact_bucket(project.key_arn.split(":")[4], region)
    return publish(client_in(project, "s3", region), bucket, files)[0]


_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.(.+)")


def image_in(image: str, region: str) -> str:
    """AWS's own images have a registry in each region; one of the team's has to be replicated within its account.

    XGBoost's registry has the other images of SageMaker's own algorithms and scikit-learn too; AWS's Deep Learning Containers have one
    account in nearly all regions. Source: "Docker Registry Paths and Example Code" of the SageMaker developer guide.
    """
    found = _ECR.fullmatch(image)
    if found is None:
        return image  # of a registry that has no regions
    account, here, rest = found.groups()
    if here == region:
        return image
    if "/sagemaker-" in rest and account == _registry(here):
        account = _registry(region)
    return f"{account}.dkr.ecr.{region}.{rest}"


def _registry(region: str) -> str:
    """Account of AWS's in whose registry XGBoost's image is."""
    from sagemaker.core import image_uris  # takes seconds, and most projects have one region

    return str(image_uris.retrieve("xgboost", region, version="1.7-1")).partition(".")[0]


def _region(arn: str) -> str:
    return arn.split(":")[3]


def client_in(project: ProjectEnvironment, service: str, region: str) -> Any:
    """In the project's own account. boto3 makes clients one at a time, and status.py looks with several threads."""
    own = Environment(name="copies", account=project.project.account, region=region)
    with _MAKING:
        return EnvironmentPlace(project, own, Role.LOOKUP).client(service)
