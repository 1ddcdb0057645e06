"""What a person can put right, in one line; and how AWS says that there is no such thing, in each service's own words."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

_CODES = {
    "ResourceNotFound",
    "ResourceNotFoundException",
    "PipelineNotFoundException",
    "NoSuchEntity",
    "ParameterNotFound",
    "RepositoryDoesNotExistException",
    "RepositoryNotFoundException",
    "NotFound",  # SNS, and S3's answer to a HEAD
    "404",
    "NoSuchBucket",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "StateMachineDoesNotExist",
}
#: SageMaker's older describes and CloudFormation model no error for it: a validation error whose text says so.
_SAID_IN_WORDS = ("ValidationException", "ValidationError")
_WORDS = re.compile(r"could not find|does not exist|not found", re.IGNORECASE)


class PreflightError(Exception):
    """Says what was given, what is allowed, and where to change it. Exit code 2."""


def is_missing(error: ClientError) -> bool:
    code = str(error.response["Error"].get("Code"))
    return code in _CODES or (code in _SAID_IN_WORDS and bool(_WORDS.search(str(error.response["Error"].get("Message")))))


def explain(error: BaseException) -> str:
    """One line; AWS errors with their operation."""
    if isinstance(error, ClientError):
        details: dict[str, Any] = error.response.get("Error", {})
        return f"{error.operation_name}: {details.get('Code')}: {' '.join(str(details.get('Message')).split())}"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())
