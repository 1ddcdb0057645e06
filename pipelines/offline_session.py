"""A SageMaker session for building definitions: no network, no credentials, no telemetry.

Imported before anything else of the SageMaker SDK, because that reads the environment when it is imported.
Output: `OfflineSession`, used by `tabular/pipeline.py` and `batch/pipeline.py`.
"""

from __future__ import annotations

import logging
import os
from typing import Any

# `import sagemaker.mlops` asks for a region, and every role is checked with iam:SimulatePrincipalPolicy otherwise.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
os.environ.setdefault("SAGEMAKER_VALIDATE_ROLE", "false")

import boto3  # noqa: E402 - after the environment, which the SDK reads on import
import sagemaker.core.telemetry.telemetry_logging as telemetry  # noqa: E402 - same
from sagemaker.core.workflow.pipeline_context import PipelineSession  # noqa: E402 - same

# The SDK warns that job names are cut to prefixes and that descriptions are dropped: both are meant.
logging.getLogger("sagemaker").setLevel(logging.ERROR)


def _stay_silent(*_args: object, **_kwargs: object) -> None:
    """The SDK's opt-out reads a configuration from S3 and costs seconds; not sending is immediate."""


telemetry._send_telemetry_request = _stay_silent


class OfflineSession(PipelineSession):
    """Builds definitions without an AWS account: the bucket is given, and uploading is an error."""

    def __init__(self, region: str, bucket: str) -> None:
        # Placeholder keys: a definition is built from arguments only, so nothing is ever signed with them.
        boto_session = boto3.Session(region_name=region, aws_access_key_id="offline", aws_secret_access_key="offline")  # noqa: S106 - not a secret
        super().__init__(boto_session=boto_session, default_bucket=bucket)
        self._bucket = bucket

    def default_bucket(self) -> str:
        return self._bucket

    def account_id(self) -> str:
        return "111122223333"

    def upload_data(self, *_args: Any, **_kwargs: Any) -> str:
        raise RuntimeError("a definition names code that is already published; nothing is uploaded while it is built")

    upload_string_as_file_body = upload_data
