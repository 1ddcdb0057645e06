"""A SageMaker session for building definitions: no network, no credentials, no telemetry.

Imported before anything else of the SageMaker SDK, because that reads the environment when it is imported.
Output: `OfflineSession`, used by `tabular/pipeline.py` and `batch/pipeline.py`.
"""

from __future__ import annotations

import functools
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# `import sagemaker.mlops` asks for a region, and every role is checked with iam:SimulatePrincipalPolicy otherwise.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
os.environ.setdefault("SAGEMAKER_VALIDATE_ROLE", "false")


@contextmanager
def no_metadata_service() -> Iterator[None]:
    """Keeps the SDK from asking the EC2 metadata service for credentials, which it does wherever it makes a client it will not use.

    That is a network call, and seconds on a laptop. It is off for a moment only: an EC2 machine needs it later.
    """
    name = "AWS_EC2_METADATA_DISABLED"
    before = os.environ.get(name)
    os.environ[name] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


with no_metadata_service():
    import boto3
    import sagemaker.core.telemetry.telemetry_logging as telemetry
    import sagemaker.mlops  # noqa: F401 - imported here for its effect: later imports find it done
    from sagemaker.core.local.local_session import LocalSagemakerClient
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.mlops.workflow import steps

# The SDK warns that job names are cut to prefixes and that descriptions are dropped: both are meant.
for _logger in ("sagemaker", "sagemaker.config", "sagemaker.core.utils.utils"):
    logging.getLogger(_logger).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="Running within a PipelineSession")
# A Lambda step names a function that a stack owns: that the SDK does not update it is meant, too.
warnings.filterwarnings("ignore", message="Lambda function won't be updated")


def _stay_silent(*_args: object, **_kwargs: object) -> None:
    """The SDK's opt-out reads a configuration from S3 and costs seconds; not sending is immediate."""


telemetry._send_telemetry_request = _stay_silent
# Each processing step makes a client of the SDK's local mode, with sessions and clients of its own, to ask what one of its methods is
# called: that was half of what a definition took. The class knows, too.
steps.LocalSagemakerClient = lambda: LocalSagemakerClient


@functools.cache
def _boto_session(region: str) -> boto3.Session:
    """One for all definitions of a process: each reads botocore's models anew. Its keys are placeholders, since nothing is ever signed."""
    return boto3.Session(region_name=region, aws_access_key_id="offline", aws_secret_access_key="offline")  # noqa: S106 - not a secret


class OfflineSession(PipelineSession):  # type: ignore[misc] # the SDK ships no types
    """Builds definitions without an AWS account: the bucket is given, and uploading is an error."""

    def __init__(self, region: str, bucket: str) -> None:
        super().__init__(boto_session=_boto_session(region), default_bucket=bucket)
        self._bucket = bucket

    def default_bucket(self) -> str:
        return self._bucket

    def account_id(self) -> str:
        return "111122223333"

    def upload_data(self, *_args: Any, **_kwargs: Any) -> str:
        raise RuntimeError("a definition names code that is already published; nothing is uploaded while it is built")

    upload_string_as_file_body = upload_data
