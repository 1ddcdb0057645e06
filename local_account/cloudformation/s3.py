"""Custom::S3AutoDeleteObjects, the custom resource that CDK adds for `auto_delete_objects`.

CDK's own provider is a Node.js Lambda function that needs the AWS SDK for JavaScript, which is part of Lambda's image
but not of this machine. Its effect is small, so it is done here: a bucket is emptied when its stack lets go of it.
"""

from __future__ import annotations

from typing import Any

from local_account.cloudformation.resource_type import Attributes, ModifiableType, Properties


class AutoDeleteObjects(ModifiableType):
    name = "Custom::S3AutoDeleteObjects"
    create_only = frozenset({"BucketName"})

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        return f"{properties['BucketName']}/auto-delete", {}

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        return {}

    def delete(self, physical_id: str, properties: Properties) -> None:
        client = self.context.client("s3")
        bucket = properties["BucketName"]
        try:
            pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket)
            for page in pages:
                _delete(client, bucket, [*page.get("Versions", []), *page.get("DeleteMarkers", [])])
        except client.exceptions.NoSuchBucket:
            return  # someone has deleted it already


def _delete(client: Any, bucket: str, versions: list[dict[str, Any]]) -> None:
    for start in range(0, len(versions), 1000):  # the most that one request may name
        batch = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions[start : start + 1000]]
        client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
