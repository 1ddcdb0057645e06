"""Reads the model registry: which versions are approved, and the facts that travel with a version.

Used by every script of deploy_scripts/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.missing import found


@dataclass(frozen=True)
class Version:
    """A registered model version. `facts` are its CustomerMetadataProperties: commit, data, metric, where the evidence is."""

    arn: str
    number: int
    approval: str
    created: datetime | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    instance_types: tuple[str, ...] = ()
    transform_types: tuple[str, ...] = ()
    content_types: tuple[str, ...] = ()
    evaluation_uri: str | None = None
    model_url: str | None = None
    image: str | None = None


def find(sagemaker: Any, arn: str) -> Version | None:
    """None if the version was deleted, which SageMaker allows also while an endpoint serves it."""
    package = found(sagemaker.describe_model_package, ModelPackageName=arn)
    if package is None:
        return None
    inference = package.get("InferenceSpecification") or {}
    container: Mapping[str, Any] = next(iter(inference.get("Containers") or ()), {})
    statistics = ((package.get("ModelMetrics") or {}).get("ModelQuality") or {}).get("Statistics") or {}
    return Version(
        arn=package["ModelPackageArn"],
        number=package["ModelPackageVersion"],
        approval=package["ModelApprovalStatus"],
        created=package.get("CreationTime"),
        facts=package.get("CustomerMetadataProperties") or {},
        instance_types=tuple(inference.get("SupportedRealtimeInferenceInstanceTypes") or ()),
        transform_types=tuple(inference.get("SupportedTransformInstanceTypes") or ()),
        content_types=tuple(inference.get("SupportedContentTypes") or ()),
        evaluation_uri=statistics.get("S3Uri"),
        model_url=container.get("ModelDataUrl"),
        image=container.get("Image"),
    )


def describe(sagemaker: Any, arn: str) -> Version:
    """Raises ProblemError if the version does not exist."""
    version = find(sagemaker, arn)
    if version is None:
        raise ProblemError(
            f"version {arn} does not exist in the registry; `python -m deploy_scripts.status` shows what runs and what waits"
        )
    return version


def require_own(arn: str, versions_arn: str, what: str) -> None:
    """Raises ProblemError for a version of another group, region or account. `versions_arn`: of `ProjectEnvironment`; `what` was given."""
    if not arn.startswith(versions_arn) or number_of(arn) is None:
        raise ProblemError(f"{what} is {arn!r}; allowed: {versions_arn}<number>, which `python -m deploy_scripts.status` shows")


def number_of(arn: str) -> int | None:
    """Of a version, from its ARN alone: that is what is left of a deleted one. None for a package that has no versions."""
    last = arn.rsplit("/", 1)[-1]
    return int(last) if last.isdecimal() else None


def versions(sagemaker: Any, group: str, approval: str | None = None) -> list[str]:
    """ARNs of the group's complete versions, newest version first."""
    return [version.arn for version in listed(sagemaker, group, approval)]


def listed(sagemaker: Any, group: str, approval: str | None = None) -> list[Version]:
    """The group's complete versions, newest version first, with what a listing says of each: not their facts."""
    request = {"ModelPackageGroupName": group, "SortBy": "CreationTime", "SortOrder": "Descending"}
    if approval:
        request["ModelApprovalStatus"] = approval
    pages = found(lambda: list(sagemaker.get_paginator("list_model_packages").paginate(**request)))
    if pages is None:
        raise ProblemError(f"model package group {group} does not exist; deploy the stacks with `npx cdk deploy --all`")
    complete = [summary for page in pages for summary in page["ModelPackageSummaryList"] if summary["ModelPackageStatus"] == "Completed"]
    return [
        Version(summary["ModelPackageArn"], summary["ModelPackageVersion"], summary["ModelApprovalStatus"], summary.get("CreationTime"))
        for summary in sorted(complete, key=lambda summary: summary["ModelPackageVersion"], reverse=True)
    ]


def newest_approved(sagemaker: Any, group: str) -> Version:
    """Raises ProblemError if none is approved."""
    arns = versions(sagemaker, group, "Approved")
    if not arns:
        approve = "`python -m deploy_scripts.approve --version N`"
        raise ProblemError(f"no version of {group} is approved; approve one in Studio or with {approve}, or name one")
    return describe(sagemaker, arns[0])


def numbered(sagemaker: Any, group: str, number: int) -> Version:
    """The version with this number. Raises ProblemError that names those which exist."""
    numbers = {number_of(arn): arn for arn in reversed(versions(sagemaker, group))}
    if number not in numbers:
        raise ProblemError(f"version {number} of {group} does not exist; existing: {', '.join(map(str, numbers)) or 'none'}")
    return describe(sagemaker, numbers[number])
