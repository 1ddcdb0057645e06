"""AWS's wire protocols, as far as errors need them: the operation that a request names, and an error it understands.

Sources: the protocol sections of https://smithy.io/2.0/aws/protocols/index.html. Used by `gateway.py`.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from local_account.errors import ServiceError
from local_account.response import Response
from local_account.signatures import Request


def operation_of(request: Request) -> str:
    """Name of the operation, such as `CreateEndpoint`; for REST services without a name on the wire, `GET /path`."""
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rsplit(".", 1)[-1]
    if match := re.fullmatch(r"/service/[^/]+/operation/(\w+)", request.path):
        return match[1]
    form = request.body if "x-www-form-urlencoded" in request.headers.get("content-type", "") else b""
    action = parse_qs(form.decode("utf-8", "replace")).get("Action") or parse_qs(request.query).get("Action")
    return action[0] if action else f"{request.method} {request.path}"


def error_response(error: ServiceError, request: Request, service: str) -> Response:
    """The error in the protocol that the request was made in."""
    headers = {"x-amzn-errortype": error.code}
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        body = b"\xa2" + b"".join(_cbor_text(text) for text in ("__type", error.code, "message", error.message))
        return Response(error.status, body, {**headers, "content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"})
    if "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        details = f"<Error><Type>Sender</Type><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
        return Response(
            error.status, f"<ErrorResponse>{details}<RequestId>local</RequestId></ErrorResponse>".encode(), {"content-type": "text/xml"}
        )
    if service == "s3":
        xml = f"<Error><Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message></Error>"
        return Response(error.status, xml.encode(), {"content-type": "application/xml"})
    json_body = json.dumps({"__type": error.code, "message": error.message}).encode()
    return Response(error.status, json_body, {**headers, "content-type": "application/x-amz-json-1.1"})


def _cbor_text(text: str) -> bytes:
    """A text string of CBOR (RFC 8949, major type 3) with a two-byte length."""
    encoded = text.encode()
    return b"\x79" + len(encoded).to_bytes(2, "big") + encoded
