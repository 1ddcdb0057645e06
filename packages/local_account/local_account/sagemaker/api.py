"""SageMaker's API of one account: finds the operation that a request names, and answers. The port has checked its members.

In: `Request`, from the gateway. Out: `Response` in AWS JSON 1.1, or ServiceError, also for an operation that this account has not.
`operations.py` and `local_account/endpoints/` add their operations. Protocol: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from local_account.context import Context
from local_account.errors import NotEmulatedError, ServiceError
from local_account.response import Response
from local_account.sagemaker import refused, requests
from local_account.signatures import Request

#: An operation: the request's members in, the answer's out. The answer may have more than the operation's model has.
Operation = Callable[[dict[str, Any]], Mapping[str, Any] | None]

_CONTENT_TYPE = "application/x-amz-json-1.1"


class Api:
    """Operations by name, such as `CreateModel`."""

    def __init__(self) -> None:
        self.operations: dict[str, Operation] = {}

    def answer(self, request: Request) -> Response:
        """Answer one request. Raises ServiceError for what AWS would refuse, and for what this account has not."""
        name = request.headers.get("x-amz-target", "").rpartition(".")[2]
        if name not in self.operations:
            raise NotEmulatedError("sagemaker", name or f"{request.method} {request.path}")
        parameters = requests.given(name, _members(request.body))
        refused.refuse(name, parameters)
        answer = requests.answered(name, self.operations[name](parameters) or {})
        return Response(200, json.dumps(answer, default=_seconds).encode(), {"content-type": _CONTENT_TYPE})


def api_of(context: Context) -> Api:
    """The API of an account; the same object at every call."""
    return context.part(Api, Api)


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"The request is not JSON: {error}") from error
    if not isinstance(members, dict):
        raise ServiceError("SerializationException", f"The request is a {type(members).__name__}; allowed: an object")
    return members


def _seconds(value: object) -> float:
    """AWS JSON writes a time as seconds since 1970."""
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} is not part of AWS JSON")
