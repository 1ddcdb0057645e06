"""Fetches the source of a build: an object in S3 (what CodePipeline hands over), a CodeCommit repository, or none.

The object is a ZIP, or says which commit of which connection's repository to clone, with its history (CodePipeline user guide, "Tutorial:
Use full clone with a GitHub pipeline source").
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_account.codebuild.files import unpack
from local_account.errors import ServiceError
from local_account.roles import Role

#: Metadata that the local CodePipeline puts on its artifacts, for CODEBUILD_RESOLVED_SOURCE_VERSION and CODEBUILD_INITIATOR.
REVISION_METADATA, PIPELINE_METADATA = "codepipeline-revision", "codepipeline-name"
#: Content type of an object that says what to clone.
CLONE_REFERENCE = "application/vnd.local-account.clone-reference+json"


@dataclass(frozen=True, kw_only=True)
class Source:
    """`revision` is the commit where one is known; `secondary` maps a source identifier to its directory."""

    directory: Path
    location: str = ""
    version: str = ""
    revision: str = ""
    initiator: str = ""
    secondary: Mapping[str, Path] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)  # of the source object; the output keeps it


def fetch(role: Role, project: Mapping[str, Any], record: Mapping[str, Any], directory: Path) -> Source:
    """Unpack the primary source to `directory`/src and the secondary ones beside it. Raises ValueError."""
    main = directory / "src"
    main.mkdir(parents=True)
    primary = project.get("source") or {"type": "NO_SOURCE"}
    kind, location = primary.get("type", "NO_SOURCE"), primary.get("location") or ""
    secondary: dict[str, Path] = {}
    for other in project.get("secondarySources") or []:
        secondary[other["sourceIdentifier"]] = directory / f"src_{other['sourceIdentifier']}"
        secondary[other["sourceIdentifier"]].mkdir()
        _fetch_s3(role, other, secondary[other["sourceIdentifier"]])
    if kind == "NO_SOURCE":
        return Source(directory=main, secondary=secondary)
    if kind == "S3":
        metadata = _fetch_s3(role, primary, main)
        pipeline = metadata.get(PIPELINE_METADATA)
        return Source(
            directory=main,
            location=location,
            version=f"arn:aws:s3:::{location}",
            revision=metadata.get(REVISION_METADATA, ""),
            initiator=f"codepipeline/{pipeline}" if pipeline else "",
            secondary=secondary,
            metadata={name: metadata[name] for name in (REVISION_METADATA, PIPELINE_METADATA) if name in metadata},
        )
    if kind == "CODECOMMIT":
        asked = str(record.get("sourceVersion") or "")
        commit = _fetch_codecommit(role, location, asked, main)
        return Source(directory=main, location=location, version=asked, revision=commit, secondary=secondary)
    raise ValueError(f"the local account does not implement source type {kind!r}; implemented: S3, CODECOMMIT, NO_SOURCE")


def _fetch_s3(role: Role, source: Mapping[str, Any], directory: Path) -> Mapping[str, str]:
    if source.get("type") != "S3":
        raise ValueError(f"the local account does not implement secondary source type {source.get('type')!r}; implemented: S3")
    bucket, _, key = source["location"].removeprefix("arn:aws:s3:::").partition("/")
    try:
        answer = role.client("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        raise ValueError(f"the source s3://{bucket}/{key} cannot be read: {error}") from error
    content = answer["Body"].read()
    if answer.get("ContentType") == CLONE_REFERENCE:
        _clone(role, json.loads(content), directory)
    else:
        unpack(content, directory)
    return dict(answer["Metadata"])


def _clone(role: Role, reference: Mapping[str, str], directory: Path) -> None:
    """Clone what a source action refers to; the build's role must be allowed to use the connection.

    CodePipeline user guide, "Troubleshooting", "Add CodeBuild GitClone permissions for connections"; the words are CodeBuild's.
    """
    # Imported here, as below.
    from local_account.connections import repositories
    from local_account.connections.use import require_use

    name, commit = reference["FullRepositoryId"], reference["CommitId"]
    try:
        require_use(role, reference["ConnectionArn"], name, "GitPull")
        source = repositories.repository(role.context, name)
        source.clone_to(directory, commit, repositories.clone_url(role.context, name))
    except ServiceError as error:
        raise ValueError(f"authorization failed for primary source and source version {commit}: {error.message}") from error


def _fetch_codecommit(role: Role, clone_url: str, version: str, directory: Path) -> str:
    # Imported here: the repository store is another area of the account, and most builds do not need it.
    from local_account.codecommit import repository

    matched = re.search(r"/v1/repos/([\w.-]+)$", clone_url)
    if not matched:
        raise ValueError(f"source location is {clone_url!r}; allowed: the HTTP clone URL of a CodeCommit repository")
    try:
        role.require("codecommit", "GitPull", {"repositoryName": matched[1]})
        content = repository(role.context, matched[1])
        commit = content.resolve(version or "HEAD")
        unpack(content.zip_archive(commit), directory)
    except ServiceError as error:
        raise ValueError(error.message) from error
    return commit
