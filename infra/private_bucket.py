"""The two buckets: `data` (raw data, captured requests) and `artifacts` (code, models, pipeline artifacts).

Both are versioned, encrypted with the project's key, reached over TLS only, and write an access log to a third bucket.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from settings import Project

#: Of the artifact bucket: published code, and the endpoint templates of each commit that was built.
CODE, TEMPLATES = "code/*", "code/templates/*"
CAPTURE_PREFIX = "capture/"  # SageMaker appends <endpoint>/<variant>/yyyy/mm/dd/hh/
CAPTURE_DAYS = 90
OLD_VERSION_DAYS = 90
ACCESS_LOG_DAYS = 365


class ProjectBuckets(Construct):
    """`data` tells EventBridge about every new object, which is how new training data starts a run."""

    def __init__(self, scope: Construct, construct_id: str, *, project: Project, key: kms.IKey, removal_policy: cdk.RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        self._key = key
        self._removal_policy = removal_policy
        self._empty_on_delete = not project.retain_data
        self._access_logs = self._access_log_bucket()
        self.data = self._bucket("Data", [self._expire_capture(), self._expire_old_versions()])
        self.artifacts = self._bucket("Artifacts", [self._expire_old_versions()])
        self._send_events(self.data)

    def run_objects(self, project: Project) -> str:
        """ARN pattern of what the training pipeline's runs write: prepared data, models, evidence."""
        return self.artifacts.arn_for_objects(f"pipelines/{project.sagemaker_pipeline}/*")

    def _access_log_bucket(self) -> s3.Bucket:
        return s3.Bucket(
            self,
            "AccessLogs",
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
            removal_policy=self._removal_policy,
            auto_delete_objects=self._empty_on_delete,
        )

    def _bucket(self, construct_id: str, lifecycle_rules: list[s3.LifecycleRule]) -> s3.Bucket:
        return s3.Bucket(
            self,
            construct_id,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self._key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            server_access_logs_bucket=self._access_logs,
            server_access_logs_prefix=f"{construct_id.lower()}/",
            lifecycle_rules=lifecycle_rules,
            removal_policy=self._removal_policy,
            auto_delete_objects=self._empty_on_delete,
        )

    @staticmethod
    def _expire_capture() -> s3.LifecycleRule:
        return s3.LifecycleRule(
            id="expire-capture",
            prefix=CAPTURE_PREFIX,
            expiration=cdk.Duration.days(CAPTURE_DAYS),
        )

    @staticmethod
    def _expire_old_versions() -> s3.LifecycleRule:
        return s3.LifecycleRule(
            id="expire-old-versions",
            noncurrent_version_expiration=cdk.Duration.days(OLD_VERSION_DAYS),
            abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
        )

    @staticmethod
    def _send_events(bucket: s3.Bucket) -> None:
        # Not `event_bridge_enabled=True`: that adds a Lambda function whose role may change every bucket.
        bucket.node.default_child.add_property_override("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True)
