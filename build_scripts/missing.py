"""How AWS says that there is no such thing: the one place that knows, because each service has words of its own.

SageMaker's older describes (endpoint, configuration, model, model package) model no error for it: they answer a ValidationException
whose text is `Could not find ...` or `... does not exist`, and a ValidationException also says that a request is malformed.
Used by every script that looks at something which somebody may have deleted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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
    "ImageNotFoundException",
}
_CODES_OF_S3 = {"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NotFound", "404"}
#: Of a GET, and of a HEAD, whose answer has no words.
_REFUSED_BY_S3 = {"AccessDenied", "403", "Forbidden"}
#: CloudFormation's is ValidationError.
_SAID_IN_WORDS = ("ValidationException", "ValidationError")
_WORDS = re.compile(r"could not find|does not exist|not found", re.IGNORECASE)


def is_missing(error: ClientError) -> bool:
    code = str(error.response["Error"].get("Code"))
    return code in _CODES | _CODES_OF_S3 or (code in _SAID_IN_WORDS and bool(_WORDS.search(str(error.response["Error"].get("Message")))))


def is_missing_or_unreadable(error: ClientError) -> bool:
    """Of an object: S3 tells only who may list the bucket that it is not there, and refuses all others as if it were (GetObject)."""
    return is_missing(error) or str(error.response["Error"].get("Code")) in _REFUSED_BY_S3


def found_object(call: Callable[..., Any], **request: Any) -> Any:
    """What S3 answers; None for an object that is not there, or that whoever asks may not read."""
    try:
        return call(**request)
    except ClientError as error:
        if is_missing_or_unreadable(error):
            return None
        raise


def found(call: Callable[..., Any], **request: Any) -> Any:
    """What the call answers; None if there is no such thing. Another error is raised."""
    try:
        return call(**request)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
