"""Buckets: versioned, encrypted with the place's key, reached over TLS only, each with an access log in a bucket beside them."""

from __future__ import annotations

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.encryption_key import TO_READ, EncryptionKey
from infra.places import Context, bucket_arn, value
from settings_schema import MultiModelFleet, Project
from settings_schema.names import ARCHIVES

#: Of the artifact bucket: published code, what of it a job that watches runs, the serving templates of each commit that was built, and
#: what the runs of pipelines write.
CODE, STEPS, TEMPLATES, RUNS = "code/*", "code/*/steps/*", "code/templates/*", "pipelines/*"
CAPTURE_PREFIX = "capture/"  # of an environment's bucket; SageMaker appends <endpoint>/<variant>/yyyy/mm/dd/hh/
#: Of an environment's bucket; what was found, and the rows that it was found in, which live as long as the requests that they are of.
MONITORING_PREFIX = "monitoring/"
#: Of an environment's bucket: what asynchronous endpoints are asked, answer, and could not answer; by endpoint.
ASYNCHRONOUS_PREFIXES = ("requests/", "answers/", "failures/")
CAPTURE_DAYS = 90
CHECKPOINT_DAYS = 30  # longer than any training job may wait and run (settings_schema/training.py)
OLD_VERSION_DAYS = 90
ACCESS_LOG_DAYS = 365


class AccessLogs(s3.Bucket):
    """Where the other buckets of a stack write who asked them for what."""

    def __init__(self, scope: Construct, construct_id: str, *, project: Project) -> None:
        super().__init__(
            scope,
            construct_id,
            encryption=s3.BucketEncryption.S3_MANAGED,  # S3 cannot deliver logs to a bucket with a key of ours
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="expire",
                    expiration=cdk.Duration.days(ACCESS_LOG_DAYS),
                    noncurrent_version_expiration=cdk.Duration.days(30),
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
                )
            ],
            **_when_removed(project),
        )


class PrivateBucket(s3.Bucket):
    """`name` is known to other accounts. `expiring`: prefixes whose objects go after so many days."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        name: str,
        key: kms.IKey,
        access_logs: s3.IBucket,
        expiring: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            bucket_name=value(name),
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix=f"{construct_id.lower()}/",
            lifecycle_rules=[*(_expire(*item) for item in (expiring or {}).items()), _expire_old_versions()],
            **_when_removed(project),
        )
        self._given_name = value(name)

    @property
    def given_name(self) -> str:
        """Without a reference to this stack."""
        return self._given_name

    def send_events(self) -> None:
        """To EventBridge. Not `event_bridge_enabled=True`: that adds a Lambda function whose role may change every bucket."""
        self.node.default_child.add_property_override("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True)


def _when_removed(project: Project) -> dict[str, object]:
    kept = project.retain_data
    return {"removal_policy": cdk.RemovalPolicy.RETAIN if kept else cdk.RemovalPolicy.DESTROY, "auto_delete_objects": not kept}


def _expire(prefix: str, days: int) -> s3.LifecycleRule:
    return s3.LifecycleRule(id=f"expire-{prefix.strip('/')}", prefix=prefix, expiration=cdk.Duration.days(days))


def _expire_old_versions() -> s3.LifecycleRule:
    return s3.LifecycleRule(
        id="expire-old-versions",
        noncurrent_version_expiration=cdk.Duration.days(OLD_VERSION_DAYS),
        abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
    )


def readable_elsewhere(key: EncryptionKey, bucket: PrivateBucket, context: Context, region: str) -> None:
    """Environments of a region in other accounts read versions, the code that watches and their pipelines' artifacts, in that region.

    Here any role of the project in such an account may; each role's own policy, which is needed as well, says which objects it reads.
    Sources: "Bucket owner granting cross-account bucket permissions" of the S3 user guide, "Allowing users in other accounts to use a KMS
    key" of the KMS developer guide, "Create a pipeline that uses resources from another AWS account" of the CodePipeline user guide.
    """
    own = f"{context.project.names.prefix}*"
    holds_archives = any(isinstance(fleet, MultiModelFleet) for fleet in context.settings.fleets.values())
    objects = [bucket.arn_for_objects(pattern) for pattern in (RUNS, STEPS, own, *([f"{ARCHIVES}*"] if holds_archives else []))]
    for place in context.places.other_accounts(context.settings.environments, region):
        given = {"principals": [place.principals(own)]}
        key.add_to_resource_policy(iam.PolicyStatement(**given, actions=list(TO_READ), resources=["*"]))
        bucket.add_to_resource_policy(iam.PolicyStatement(**given, actions=["s3:GetObject", "s3:GetObjectVersion"], resources=objects))
        find = ["s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket"]
        bucket.add_to_resource_policy(iam.PolicyStatement(**given, actions=find, resources=[bucket.bucket_arn]))


def run_objects(bucket: str, pipeline: str) -> str:
    """ARN pattern of what the runs of a SageMaker pipeline write: prepared data, models, evidence."""
    return bucket_arn(bucket, f"pipelines/{pipeline}/*")
