"""AWS::S3::Bucket, and Custom::S3AutoDeleteObjects, which CDK adds for `auto_delete_objects`.

MiniStack has a bucket type that drops half of the properties and deletes a bucket with all that is in it. This one goes through S3's API,
which refuses to delete a bucket that holds an object, a version or a delete marker, as AWS does; so the stack keeps it.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html. Next: `s3_settings.py`.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from local_account.api.rules.rule import is_there
from local_account.cloudformation import template_reads
from local_account.cloudformation.resource_type import Attributes, Properties, ResourceType, generated_name
from local_account.cloudformation.s3_settings import SETTINGS


class Bucket(ResourceType):
    """Ref: the name. GetAtt: Arn, DomainName, RegionalDomainName, DualStackDomainName."""

    name = "AWS::S3::Bucket"
    name_property = "BucketName"

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        client = self.client("s3")
        name = str(properties.get("BucketName") or generated_name(stack_name, logical_id)).lower()
        if is_there(client.head_bucket, Bucket=name):  # which CreateBucket answers with success to a bucket's owner, in us-east-1
            raise ValueError(f"{name} already exists")
        region = self.context.settings.region
        client.create_bucket(
            Bucket=name, **({"CreateBucketConfiguration": {"LocationConstraint": region}} if region != "us-east-1" else {})
        )
        try:
            self.modify(name, {}, properties)
        except Exception:
            client.delete_bucket(Bucket=name)  # a failed create leaves nothing behind
            raise
        return name, self._attributes(name)

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        client = self.client("s3")
        for name, setting in SETTINGS.items():
            if name in new and new[name] != old.get(name):
                setting.put(client, physical_id, new[name])
            elif name in old and name not in new:
                setting.remove(client, physical_id)
        return self._attributes(physical_id)

    def delete(self, physical_id: str, properties: Properties) -> None:
        client = self.client("s3")
        try:
            client.delete_bucket(Bucket=physical_id)
        except client.exceptions.NoSuchBucket:
            return  # someone has deleted it already
        except ClientError as error:  # in the words of CloudFormation, so that they can be searched for
            answered = error.response
            status = answered["ResponseMetadata"]["HTTPStatusCode"]
            raise ValueError(f"{answered['Error']['Message']} (Service: S3, Status Code: {status})") from error

    def _attributes(self, name: str) -> Attributes:
        region = self.context.settings.region
        return {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
        }


class AutoDeleteObjects(ResourceType):
    """A bucket is emptied when its stack lets go of it.

    CDK's own provider is a Node.js Lambda function that needs the AWS SDK for JavaScript, which is part of Lambda's image
    but not of this machine. Its effect is small, so it is done here.
    """

    name = "Custom::S3AutoDeleteObjects"
    create_only = frozenset({"BucketName"})

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        template_reads.require_provider(self.context, properties)
        return f"{properties['BucketName']}/auto-delete", {}

    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        template_reads.require_provider(self.context, new)
        return {}

    def delete(self, physical_id: str, properties: Properties) -> None:
        template_reads.require_provider(self.context, properties)
        client = self.client("s3")
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
