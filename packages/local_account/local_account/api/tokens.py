"""A page's token is one that this account has handed out for that operation, or the service's own error. For every list of every service.

The emulators read a token that is none as the first page, as an empty one, or fail. So what each answer calls the next page is
remembered, and a request with another token is refused before it reaches them. Which members are tokens, and which error an operation
has for a bad one, botocore's models say. Markers that are names of things, as S3's `Marker` is a key, are no tokens.
In: a `Call`, or a `Call` and its answer. Out: nothing, or ServiceError (400).
"""

from __future__ import annotations

import functools
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator

from local_account.api.reading import Call, model
from local_account.api.validation import usual_code
from local_account.errors import ServiceError
from local_account.response import Response

_IN = re.compile(r"NextToken|ContinuationToken|PaginationToken|Marker", re.IGNORECASE)
_OUT = re.compile(r"Next\w*Token|NextMarker|NextContinuationToken|ContinuationToken|PaginationToken|Marker", re.IGNORECASE)
_READERS = ("List", "Describe", "Get", "Filter", "Search", "Simulate")
_MOST_REMEMBERED = 20_000
#: The error of a bad token where an operation's model names none of its own, and it is not the service's usual one.
_CODES = {"cloudwatch": "InvalidNextToken", "lambda": "InvalidParameterValueException"}
_MESSAGES = {"s3": "The continuation token provided is incorrect", "sagemaker": "Invalid pagination token given"}


@functools.cache
def member_of(service: str, operation: str) -> str | None:
    """The member of a request that is a page's token; None for an operation without pages."""
    if not operation.startswith(_READERS):
        return None
    shape = model(service).operation_model(operation).input_shape
    names = [name for name in (shape.members if shape is not None else ()) if _IN.fullmatch(name)]
    return next((name for name in names if not (service == "s3" and name == "Marker")), None)


class Tokens:
    """The tokens that one account has handed out, by service and operation; the latest ones. Thread-safe."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def require_known(self, call: Call) -> None:
        """Raises the service's own error for a token that no answer of this operation has named."""
        member = member_of(call.service, call.operation)
        token = call.parameters.get(member) if member else None
        if token in (None, "") or (call.service, call.operation, str(token)) in self._known:
            return
        raise ServiceError(
            code_of(call.service, call.operation), _MESSAGES.get(call.service, f"The {member} {str(token)[:60]!r} is not valid.")
        )

    def remember(self, call: Call, response: Response) -> None:
        """Keep what a good answer calls the next page."""
        with self._lock:
            for token in _named(call, response):
                self._known[call.service, call.operation, token] = None
            while len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)


def code_of(service: str, operation: str) -> str:
    """The operation's error whose name is about tokens or markers; else the service's."""
    for shape in model(service).operation_model(operation).error_shapes:
        if re.search(r"Token|Marker", shape.name) and "Request" not in shape.name and "Expired" not in shape.name:
            return str(shape.metadata.get("error", {}).get("code", shape.name))
    return _CODES.get(service) or usual_code(service)


def _named(call: Call, response: Response) -> Iterator[str]:
    from botocore.parsers import create_parser

    if not member_of(call.service, call.operation) or not response.is_good or not response.body:
        return
    known = model(call.service)
    protocol, kind = known.metadata["protocol"], response.headers.get("content-type", "")
    if "cbor" in kind:
        protocol = "smithy-rpc-v2-cbor"
    elif not protocol.startswith("rest-"):  # a service of several protocols answers in the one that it was asked in
        protocol = "query" if "xml" in kind else "json"
    shape = known.operation_model(call.operation).output_shape
    parsed = create_parser(protocol).parse(
        {"status_code": response.status, "headers": dict(response.headers), "body": response.body}, shape
    )
    for name, value in parsed.items():
        if _OUT.fullmatch(name) and isinstance(value, str) and value:
            yield value
