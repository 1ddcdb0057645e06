"""Stores the artifacts of an execution in the pipeline's artifact buckets, one in each region that it works in.

They are ZIP objects, or say where a build is to clone the files from.
Sources: CodePipeline user guide, "Pipeline structure reference", artifactStore and artifactStores; "Add a cross-Region action".
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from local_account.codebuild.source import CLONE_REFERENCE, PIPELINE_METADATA, REVISION_METADATA
from local_account.codepipeline.records import Artifact
from local_account.roles import Role


def new_artifact(declaration: Mapping[str, Any], name: str, region: str) -> Artifact:
    """A place in a region's artifact bucket; named as the service does, with shortened names of pipeline and artifact."""
    store = declaration.get("artifactStore") or declaration["artifactStores"][region]
    key = f"{declaration['name'][:20]}/{name[:10]}/{secrets.token_hex(4)}.zip"
    return Artifact(name=name, bucket=store["location"], key=key, region=region, kms_key=(store.get("encryptionKey") or {}).get("id", ""))


def put(role: Role, pipeline_name: str, artifact: Artifact, content: bytes) -> None:
    """By the store's key; without one by the account's own of S3: "if this field is undefined, the default key for Amazon S3 is used".

    Of a reference to clone, `content` is JSON that `codebuild/source.py` reads.
    """
    role.client("s3").put_object(
        Bucket=artifact.bucket,
        Key=artifact.key,
        Body=content,
        ContentType=CLONE_REFERENCE if artifact.is_clone_reference else "application/zip",
        Metadata={REVISION_METADATA: artifact.revision, PIPELINE_METADATA: pipeline_name},
        ServerSideEncryption="aws:kms",
        **({"SSEKMSKeyId": artifact.kms_key} if artifact.kms_key else {}),
    )


def get(role: Role, artifact: Artifact) -> bytes:
    content: bytes = role.client("s3").get_object(Bucket=artifact.bucket, Key=artifact.key)["Body"].read()
    return content


def copied(reader: Role, writer: Role, declaration: Mapping[str, Any], artifact: Artifact) -> Artifact:
    """The artifact in the bucket of the region that `writer` works in; `reader` works where it is now."""
    copy = new_artifact(declaration, artifact.name, writer.region)
    copy.revision = artifact.revision
    put(writer, declaration["name"], copy, get(reader, artifact))
    return copy
