"""Reads the model registry: which versions are approved, and the facts that travel with a version.

Used by start_deployment.py and by every script of deploy_scripts/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError

#: Metadata that verify.py writes once a version has served production.
SERVED_PRODUCTION = "served-production"


@dataclass(frozen=True)
class Version:
    """A registered model version. `facts` are its CustomerMetadataProperties: commit, data, metric, where the evidence is."""

    arn: str
    number: int
    approval: str
    created: datetime | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    instance_types: tuple[str, ...] = ()
    content_types: tuple[str, ...] = ()
    evaluation_uri: str | None = None
    model_url: str | None = None

    @property
    def has_served_production(self) -> bool:
        return SERVED_PRODUCTION in self.facts


def describe(sagemaker: Any, arn: str) -> Version:
    """Raises ProblemError if the version does not exist."""
    try:
        package = sagemaker.describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        raise ProblemError(f"{arn} is not a model package version: {error.response['Error']['Message']}") from error
    inference = package.get("InferenceSpecification") or {}
    statistics = ((package.get("ModelMetrics") or {}).get("ModelQuality") or {}).get("Statistics") or {}
    return Version(
        arn=package["ModelPackageArn"],
        number=package["ModelPackageVersion"],
        approval=package["ModelApprovalStatus"],
        created=package.get("CreationTime"),
        facts=package.get("CustomerMetadataProperties") or {},
        instance_types=tuple(inference.get("SupportedRealtimeInferenceInstanceTypes") or ()),
        content_types=tuple(inference.get("SupportedContentTypes") or ()),
        evaluation_uri=statistics.get("S3Uri"),
        model_url=next((container.get("ModelDataUrl") for container in inference.get("Containers") or ()), None),
    )


def versions(sagemaker: Any, group: str, approval: str | None = None) -> list[str]:
    """ARNs of the group's complete versions, newest version first."""
    request = {"ModelPackageGroupName": group, "SortBy": "CreationTime", "SortOrder": "Descending"}
    if approval:
        request["ModelApprovalStatus"] = approval
    try:
        pages = list(sagemaker.get_paginator("list_model_packages").paginate(**request))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        raise ProblemError(f"model package group {group} does not exist; deploy the stacks with `npx cdk deploy --all`") from error
    found = [summary for page in pages for summary in page["ModelPackageSummaryList"] if summary["ModelPackageStatus"] == "Completed"]
    return [summary["ModelPackageArn"] for summary in sorted(found, key=lambda summary: summary["ModelPackageVersion"], reverse=True)]


def newest_approved(sagemaker: Any, group: str) -> Version | None:
    arns = versions(sagemaker, group, "Approved")
    return describe(sagemaker, arns[0]) if arns else None
