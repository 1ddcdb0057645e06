"""Model packages: versions in a group, with everything they were registered with, and events for every change."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_account import asking, listing
from local_account.context import Context, Part
from local_account.errors import InvalidError, ServiceError
from local_account.sagemaker.api import Operation
from local_account.sagemaker.jobs.record import now
from local_account.sagemaker.registry.groups import ModelPackageGroups
from local_account.sagemaker.tags import NOT_OF_VERSIONS

_EVENT = "SageMaker Model Package State Change"
_REPLACED = (
    "ModelApprovalStatus", "ApprovalDescription", "InferenceSpecification", "SourceUri", "ModelCard", "ModelLifeCycle",
    "ModelPackageRegistrationType",
)  # fmt: skip
_METADATA = "CustomerMetadataProperties"


class ModelPackages(Part):
    """All model packages, by ARN, in the order in which they were registered."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.groups = ModelPackageGroups(context)
        self._packages: dict[str, dict[str, Any]] = {}
        self._next_version: dict[str, int] = {}
        self._tokens: dict[tuple[str, str], str] = {}  # operation and ClientToken -> ARN
        self._lock = threading.RLock()

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateModelPackage": self.create,
            "DescribeModelPackage": self.describe,
            "UpdateModelPackage": self.update,
            "DeleteModelPackage": self.delete,
            "ListModelPackages": self.list,
            "DeleteModelPackageGroup": self.delete_group,
        }

    def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Register a version of a group. Repeating a ClientToken changes nothing."""
        token = ("CreateModelPackage", request.get("ClientToken") or "")
        if request.get("Tags"):
            raise InvalidError(NOT_OF_VERSIONS)
        for container in (request.get("InferenceSpecification") or {}).get("Containers") or []:
            self._require_data_here(container.get("ModelDataUrl") or "")
        with self._lock:
            if token in self._tokens:
                return {"ModelPackageArn": self._tokens[token]}
            package = {
                "ModelApprovalStatus": "PendingManualApproval",
                **{key: value for key, value in request.items() if key != "ClientToken"},
                **self._identity(request),
                "CreationTime": now(),
                "ModelPackageStatus": "Completed",
                "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
                "CertifyForMarketplace": bool(request.get("CertifyForMarketplace")),
                "CreatedBy": asking.user_context(self.context),
            }
            self._packages[package["ModelPackageArn"]] = package
            if token[1]:
                self._tokens[token] = package["ModelPackageArn"]
        self._tell(package, [])
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def _require_data_here(self, url: str) -> None:
        """botocore's model, ModelPackageContainerDefinition.ModelDataUrl: "in the same region as the model package"."""
        bucket, region = url.removeprefix("s3://").partition("/")[0], self.context.settings.region
        try:
            location = self.context.client("s3").get_bucket_location(Bucket=bucket)["LocationConstraint"] if bucket else region
        except ClientError:  # not there, or another account's: whoever deploys the version is told
            return
        if (location or "us-east-1") != region:
            raise InvalidError(
                f"ModelDataUrl {url!r} is in {location or 'us-east-1'}; the bucket has to be in {region}, as the model package is."
            )

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            return dict(self._get(request["ModelPackageName"]))

    def update(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Change a package. Metadata is merged into what is there; everything else that is given replaces it."""
        with self._lock:
            package = self._get(request["ModelPackageArn"])
            token = ("UpdateModelPackage", request.get("ClientToken") or "")
            if token in self._tokens:
                return {"ModelPackageArn": package["ModelPackageArn"]}
            before = {name: package.get(name) for name in (*_REPLACED, _METADATA)}
            package |= {name: request[name] for name in _REPLACED if name in request}
            removed = request.get("CustomerMetadataPropertiesToRemove") or []
            metadata = {**(package.get(_METADATA) or {}), **(request.get(_METADATA) or {})}
            if metadata:
                package[_METADATA] = {key: value for key, value in metadata.items() if key not in removed}
            changed = [name for name, value in before.items() if package.get(name) != value]
            package |= {"LastModifiedTime": now(), "LastModifiedBy": asking.user_context(self.context)}
            if token[1]:
                self._tokens[token] = package["ModelPackageArn"]
            told = dict(package)
        if "ModelApprovalStatus" in changed:
            self._note_approval(told, before["ModelApprovalStatus"])
        self._tell(told, changed)
        return {"ModelPackageArn": told["ModelPackageArn"]}

    def delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            package = self._packages.pop(self._get(request["ModelPackageName"])["ModelPackageArn"])
        self._tell({**package, "ModelPackageStatus": "Deleting"}, [])
        return {}

    def delete_group(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = self.groups.describe(request)["ModelPackageGroupName"]
        with self._lock:
            versions = sum(package.get("ModelPackageGroupName") == name for package in self._packages.values())
            if versions:
                raise ServiceError("ConflictException", f"Model Package Group {name} cannot be deleted: it has {versions} model packages.")
            self.groups.delete(request)
        return {}

    def all(self) -> builtins.list[dict[str, Any]]:
        with self._lock:
            return [dict(package) for package in self._packages.values()]

    def list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Ascending by creation unless asked otherwise: the oldest version first. Without a group none: AWS then lists no versions."""
        group = request.get("ModelPackageGroupName")
        name = self.groups.record(group)["ModelPackageGroupName"] if group else None
        chosen = [item for item in self.all() if item["ModelPackageGroupName"] == name]
        return listing.page(
            "ModelPackageSummaryList",
            chosen,
            request,
            sort_fields={"Name": "ModelPackageArn", "CreationTime": "CreationTime"},
            name_field="ModelPackageArn",
            equal={"ModelApprovalStatus": "ModelApprovalStatus"},
        )

    def _identity(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if "ModelPackageGroupName" not in request:
            raise InvalidError("CreateModelPackage needs a ModelPackageGroupName.")
        group = str(self.groups.record(request["ModelPackageGroupName"])["ModelPackageGroupName"])
        version = self._next_version.get(group, 1)
        self._next_version[group] = version + 1  # a number is never given twice, also after a version was deleted
        arn = self.context.arn("sagemaker", f"model-package/{group.lower()}/{version}")
        return {"ModelPackageGroupName": group, "ModelPackageVersion": version, "ModelPackageArn": arn}

    def _get(self, name_or_arn: str) -> dict[str, Any]:
        arn = name_or_arn if name_or_arn.startswith("arn:") else self.context.arn("sagemaker", f"model-package/{name_or_arn.lower()}")
        if arn not in self._packages:
            raise InvalidError(f"ModelPackage {name_or_arn} does not exist.")
        return self._packages[arn]

    def _note_approval(self, package: Mapping[str, Any], before: str | None) -> None:
        """Who decided what, when, in a file that one can read later: AWS has this in CloudTrail."""
        path = self.context.log_path("model-registry", package["ModelPackageGroupName"])
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            words = (
                package["LastModifiedTime"].isoformat(),
                package["ModelPackageArn"],
                f"{before} -> {package['ModelApprovalStatus']}",
                package.get("ApprovalDescription") or "",
            )
            log.write(" ".join(words).rstrip() + "\n")

    def _tell(self, package: Mapping[str, Any], changed: builtins.list[str]) -> None:
        told = {key: value for key, value in package.items() if key != "ModelCard"}  # which can be larger than an event may be
        detail = {**told, "UpdatedModelPackageFields": changed}
        self.context.emit("aws.sagemaker", _EVENT, detail, [package["ModelPackageArn"]])
