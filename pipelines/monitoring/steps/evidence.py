"""What evaluation left of each version: its contract, its baselines, and what else the judges need.

In: the version's number. A version is a model package; its metadata `contract-url` names a file in the bucket of the project's account,
and the rest of the evidence is in the same folder (pipelines/tabular/registration.py, evaluate.py). Out: `Evidence`, or why there is none.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import archive
import served as serving
from evidence_layout import CONTRACT, OPTIONAL, OTHER_LAYOUT, STATISTICS, look_through
from failure import BadInput
from served import Served
from store import GoneError, S3Store
from takes import Takes

#: What is read of a version; those after the contract may be missing in one that was registered by older code.
DOCUMENTS = (CONTRACT, STATISTICS, *OPTIONAL)
#: A version is a number; whatever else stands in an answer's content type is none (RegistrySource asks AWS by it).
_VERSION = re.compile(r"[0-9]{1,9}")
REFERENCE = "reference.npz"
#: How the description of a copy in another region begins, before the ARN of its version (deploy_scripts/regional_copy.py).
COPY_OF = "copy of "
#: The version itself, which lies elsewhere than its evidence: whoever reads it asks by this name.
ARCHIVE = "model.tar.gz"


class NoEvidenceError(Exception):
    """Why nothing can be held against a version, in words that follow its name."""


class Source(Protocol):
    """Where evidence is. Both raise NoEvidenceError for a version that is not there."""

    def read(self, version: str, name: str) -> bytes | None:
        """A file of a version; None if it has no such file."""

    def made_at(self, version: str) -> str:
        """When it was registered, ISO 8601 in UTC; empty where nothing says so."""


@dataclass(frozen=True)
class Evidence:
    """Documents by the names of their files, those that are there; `reference`: reference.npz as bytes.

    `made_at`: when the version was registered, ISO 8601; empty where nothing says so. `unusable`: why it is judged without some documents.
    """

    version: str
    documents: Mapping[str, Any]
    reference: bytes | None = field(repr=False)
    made_at: str = ""
    unusable: Sequence[str] = ()

    @cached_property
    def takes(self) -> Takes:
        return Takes.of(self.documents[CONTRACT])

    @property
    def features(self) -> dict[str, Mapping[str, Any]]:
        """The baselines of statistics.json by feature; that of the predictions is called `prediction`."""
        return {feature["name"]: feature for feature in self.documents[STATISTICS]["features"]}

    def _without_unusable(self) -> Evidence:
        """The same without the documents of another layout that a version can be judged without."""
        unusable = {}
        for name, look in OPTIONAL.items():
            if name in self.documents:
                try:
                    look(self.documents[name], self.takes)
                except OTHER_LAYOUT as error:
                    unusable[name] = f"has an {name} of another layout ({error!r}), and nothing is said of it: train it again"
        usable = {name: document for name, document in self.documents.items() if name not in unusable}
        return replace(self, documents=usable, unusable=tuple(unusable.values()))


def load(source: Source, version: str) -> Evidence:
    """Raises NoEvidenceError where there is no baseline, or it is none of this version's columns."""
    documents = {name: _document(source, version, name) for name in DOCUMENTS}
    for name in (CONTRACT, STATISTICS):
        if documents[name] is None:
            raise NoEvidenceError(f"has no {name} beside its evaluation: train it again")
    there = {name: document for name, document in documents.items() if document is not None}
    found = Evidence(version, there, source.read(version, REFERENCE), source.made_at(version))
    try:
        expected, described = set(found.takes.features), found.features
        kinds = {name: "numerical_statistics" if name in found.takes.numeric else "string_statistics" for name in expected}
        different = sorted(expected ^ (set(described) - {"prediction"}))
        different = different or sorted(name for name, kind in kinds.items() if kind not in described[name])
        if not different:
            look_through(found.documents, found.takes)
    except OTHER_LAYOUT as error:
        raise NoEvidenceError(f"has a {CONTRACT} or {STATISTICS} of another layout ({error!r}): train it again") from None
    if different:
        raise NoEvidenceError(f"has a {STATISTICS} of other columns than its {CONTRACT} ({different[0]}): train it again")
    return found._without_unusable()


def _document(source: Source, version: str, name: str) -> Any:
    content = source.read(version, name)
    if content is None:
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise NoEvidenceError(f"has a {name} that is no JSON ({error}): train it again") from None


class Versions:
    """The evidence of each version that is asked for, read once. `missing`: why others have none."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._found: dict[str, Evidence | None] = {}
        self._loaded: dict[str, Served | None] = {}
        self.missing: dict[str, str] = {}

    def find(self, version: str) -> Evidence | None:
        if version not in self._found:
            try:
                self._found[version] = load(self._source, version)
            except NoEvidenceError as why:
                self._found[version] = None
                self.missing[version] = str(why)
        return self._found[version]

    def takes(self, version: str) -> Takes | None:
        found = self.find(version)
        return found.takes if found else None

    def served(self, version: str) -> Served | None:
        """The version, loaded once. None where it is gone, or was made by code that this one cannot follow."""
        if version not in self._loaded:
            content = self._source.read(version, ARCHIVE)
            with tempfile.TemporaryDirectory() as folder:
                packed = Path(folder) / ARCHIVE
                packed.write_bytes(content or b"")
                try:
                    archive.unpack(packed, Path(folder) / "unpacked")
                    self._loaded[version] = serving.load(Path(folder) / "unpacked")
                except (BadInput, OSError, *OTHER_LAYOUT) as error:
                    print(f"version {version} cannot be loaded, so nothing is said of its attributions: {error}", flush=True)
                    self._loaded[version] = None
        return self._loaded[version]


class FolderSource:
    """Evidence in `<folder>/<version>/`, for tests and for work without a network."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, version: str, name: str) -> bytes | None:
        if not _VERSION.fullmatch(version) or not (self._folder / version).is_dir():
            raise NoEvidenceError("is no version of this model")
        path = self._folder / version / name
        return path.read_bytes() if path.is_file() else None

    def made_at(self, version: str) -> str:
        """A folder does not say."""
        return ""


class RegistrySource:
    """Evidence of model packages, found by DescribeModelPackage. `package`: the ARN of any version of the model.

    `has_copies`: in another region than the project's lie copies of versions, with numbers of their own.
    """

    def __init__(self, sagemaker: Any, s3: Any, package: str, *, has_copies: bool = False) -> None:
        self._sagemaker, self._s3 = sagemaker, s3
        self._group, self._has_copies = package.rpartition("/")[0], has_copies
        self._folders: dict[str, tuple[str, str]] = {}
        self._made_at: dict[str, str] = {}
        self._archives: dict[str, str] = {}

    def read(self, version: str, name: str) -> bytes | None:
        bucket, folder = self._folder_of(version)
        if name == ARCHIVE:
            if not self._archives[version]:
                return None
            bucket, _, key = self._archives[version].removeprefix("s3://").partition("/")
        else:
            key = f"{folder}{name}"
        try:
            return bytes(S3Store(self._s3, bucket).read(key).read())
        except GoneError:
            return None

    def made_at(self, version: str) -> str:
        self._folder_of(version)
        return self._made_at[version]

    def _folder_of(self, version: str) -> tuple[str, str]:
        if version not in self._folders:
            if not _VERSION.fullmatch(version):
                raise NoEvidenceError("is no version of this model")
            arn = self._copies.get(version) if self._has_copies else f"{self._group}/{version}"
            if arn is None:
                raise NoEvidenceError("has no copy in this region")
            try:
                package = self._sagemaker.describe_model_package(ModelPackageName=arn)
            except self._sagemaker.exceptions.ClientError as error:
                if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
                    raise
                raise NoEvidenceError("is no version of this model, or was deleted") from None
            url = (package.get("CustomerMetadataProperties") or {}).get("contract-url")
            if not url:
                raise NoEvidenceError("names no contract-url: train it again")
            bucket, _, key = url.removeprefix("s3://").partition("/")
            containers = (package.get("InferenceSpecification") or {}).get("Containers") or [{}]
            self._archives[version] = containers[0].get("ModelDataUrl", "")
            self._made_at[version] = f"{package['CreationTime'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
            self._folders[version] = (bucket, key.rpartition("/")[0] + "/")
        return self._folders[version]

    @cached_property
    def _copies(self) -> dict[str, str]:
        """ARNs by the number of the version. By the group's ARN: the registry is the project's account's."""
        group = self._group.replace(":model-package/", ":model-package-group/")
        pages = self._sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
        listed = [item for page in pages for item in page["ModelPackageSummaryList"] if item["ModelPackageStatus"] == "Completed"]
        described = [(str(item.get("ModelPackageDescription", "")), str(item["ModelPackageArn"])) for item in listed]
        return {text.rpartition("/")[2]: arn for text, arn in described if text.startswith(COPY_OF)}
