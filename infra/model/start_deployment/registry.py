"""What the registry says: which versions are approved, and what became of one. Next: state.py."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import boto3
from botocore.exceptions import ClientError

from .state import APPROVED, DELETED, Version

_COPY_OF = "copy of "  # deploy_scripts/regional_copy.py
_GONE = re.compile(r"does not exist|could not find", re.IGNORECASE)
_NUMBER = r"[1-9][0-9]{0,8}"
_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)


class Registry:
    """The versions of one group; `own`: what the ARN of each begins with. Each is asked for once."""

    def __init__(self, group: str, own: str) -> None:
        self._client, self._group, self._own = boto3.client("sagemaker"), group, own
        self._found: dict[str, Version | None] = {}

    def approved(self) -> list[Version]:
        """Newest version first. The API's own order is oldest first."""
        request = {
            "ModelPackageGroupName": self._group,
            "ModelApprovalStatus": APPROVED,
            "SortBy": "CreationTime",
            "SortOrder": "Descending",
        }
        pages = self._client.get_paginator("list_model_packages").paginate(**request)
        complete = [item for page in pages for item in page["ModelPackageSummaryList"] if item["ModelPackageStatus"] == "Completed"]
        versions = [Version(item["ModelPackageArn"], item["CreationTime"]) for item in complete]
        return sorted(versions, key=lambda version: version.number, reverse=True)

    def find(self, arn: str) -> Version | None:
        """One that was deleted is DELETED; None for what is no version of the group, such as one of another account or region."""
        if arn not in self._found:
            is_own = arn.startswith(self._own) and re.fullmatch(_NUMBER, arn.removeprefix(self._own))
            self._found[arn] = self._describe(arn) if is_own else None
        return self._found[arn]

    def _describe(self, arn: str) -> Version:
        try:
            package = self._client.describe_model_package(ModelPackageName=arn)
        except ClientError as error:
            if not _GONE.search(str(error)):
                raise
            return Version(arn, _UNKNOWN, DELETED)
        commit = (package.get("CustomerMetadataProperties") or {}).get("git-commit", "")
        return Version(package["ModelPackageArn"], package["CreationTime"], package["ModelApprovalStatus"], commit)

    def original(self, arn: str) -> str:
        """The version that a copy in another region is of, where models are made of it; empty if nothing says so any more."""
        region = arn.split(":")[3]
        if region == self._client.meta.region_name:
            return arn
        try:
            package = boto3.client("sagemaker", region_name=region).describe_model_package(ModelPackageName=arn)
        except ClientError as error:
            if not _GONE.search(str(error)):
                raise
            return ""
        description = str(package.get("ModelPackageDescription", ""))
        return description.removeprefix(_COPY_OF) if description.startswith(_COPY_OF) else ""
