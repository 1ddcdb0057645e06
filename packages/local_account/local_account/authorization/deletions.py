"""Deletes of a list what the caller may delete, and says of the rest that they may not: S3's answer to DeleteObjects is one for each key.

Source: S3 API reference, DeleteObjects: "s3:DeleteObject" or "s3:DeleteObjectVersion" for each object, errors in the 200 answer's body.
In: the call and the request that was written for it. Out: the request for what is allowed, and the refused objects. Used by `gateway.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape

from local_account.api.reading import Call
from local_account.authorization.requests import deletions_of
from local_account.errors import ServiceError
from local_account.response import Response
from local_account.signatures import Request

_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
#: Headers that speak of the body as the client sent it.
_OF_BODY = re.compile(r"content-md5|content-encoding|x-amz-(checksum-.+|sdk-checksum-algorithm|trailer|decoded-content-length)")
_END = b"</DeleteResult>"

Object = Mapping[str, Any]


def is_list(call: Call) -> bool:
    return (call.service, call.operation) == ("s3", "DeleteObjects")


def refused(call: Call, authorize: Callable[[Call], None]) -> list[Object]:
    """The objects that the caller may not delete. `authorize` raises ServiceError (403, AccessDenied) for one of these."""
    found: list[Object] = []
    for each in deletions_of(call):
        try:
            authorize(each)
        except ServiceError as error:
            if error.code != "AccessDenied":
                raise
            found.append({name: value for name, value in each.parameters.items() if name != "Bucket"})
    return found


def without(request: Request, call: Call, objects: Sequence[Object]) -> Request | None:
    """The request for the others; None if there are none."""
    listed = call.parameters["Delete"]
    others = [each for each in listed["Objects"] if each not in objects]
    if not others:
        return None
    quiet = "<Quiet>true</Quiet>" if str(listed.get("Quiet", "")).lower() == "true" else ""
    body = f"<Delete {_NAMESPACE}>{quiet}{''.join(f'<Object>{_elements(each)}</Object>' for each in others)}</Delete>".encode()
    headers = {name: value for name, value in request.headers.items() if not _OF_BODY.fullmatch(name)}
    return replace(request, body=body, headers={**headers, "content-length": str(len(body)), "x-amz-content-sha256": "UNSIGNED-PAYLOAD"})


def with_errors(objects: Sequence[Object], body: bytes) -> bytes:
    """An answer's body with the refused objects; an empty one as well, which says that nothing was deleted."""
    errors = "".join(f"<Error>{_elements(each)}<Code>AccessDenied</Code><Message>Access Denied</Message></Error>" for each in objects)
    whole = body if _END in body else f'<?xml version="1.0" encoding="UTF-8"?><DeleteResult {_NAMESPACE}></DeleteResult>'.encode()
    return whole.replace(_END, errors.encode() + _END)


def answer(objects: Sequence[Object]) -> Response:
    """The answer if all were refused."""
    return Response(200, with_errors(objects, b""), {"content-type": "application/xml"})


def _elements(each: Object) -> str:
    lines = {"\r": "&#13;", "\n": "&#10;"}
    given = {name: each[name] for name in ("Key", "VersionId", "ETag") if each.get(name)}
    return "".join(f"<{name}>{escape(str(value), lines)}</{name}>" for name, value in given.items())
