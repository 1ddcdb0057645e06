"""Stores the artifacts of an execution in the pipeline's artifact bucket, as ZIP objects."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from local_account.codebuild.source import PIPELINE_METADATA, REVISION_METADATA
from local_account.codepipeline.records import Artifact
from local_account.roles import Role


def new_artifact(declaration: Mapping[str, Any], name: str, region: str) -> Artifact:
    """A place in the artifact bucket; named as the service does, with shortened names of pipeline and artifact."""
    store = declaration.get("artifactStore") or declaration["artifactStores"][region]
    key = f"{declaration['name'][:20]}/{name[:10]}/{secrets.token_hex(4)}.zip"
    return Artifact(name=name, bucket=store["location"], key=key)


def put(role: Role, pipeline_name: str, artifact: Artifact, content: bytes) -> None:
    role.client("s3").put_object(
        Bucket=artifact.bucket,
        Key=artifact.key,
        Body=content,
        ContentType="application/zip",
        Metadata={REVISION_METADATA: artifact.revision, PIPELINE_METADATA: pipeline_name},
    )


def get(role: Role, artifact: Artifact) -> bytes:
    content: bytes = role.client("s3").get_object(Bucket=artifact.bucket, Key=artifact.key)["Body"].read()
    return content
