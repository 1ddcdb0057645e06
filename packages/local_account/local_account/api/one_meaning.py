"""Makes a request say one thing: what is checked is what an emulator gets, however else it could be read.

AWS has one reader of a request; this account has two, its own (`reading.py`) and the emulator's, and whatever they read differently is a
way past the policies. So a request is put into one form before it is read (`unambiguous`), and after it was read an emulator gets one
that is written from the `Call` (`handed_on`): the operation in one place, only the parameters that the operation's model has, and the
service in nothing but the signature. What says two things at once is refused. Input and output: a `Request`. Used by `gateway.py`.
"""

from __future__ import annotations

import functools
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

from local_account.api.reading import CBOR, SERVICES, Call, input_shape, model
from local_account.errors import ServiceError
from local_account.signatures import Request

_FORM = "application/x-www-form-urlencoded"
#: IAM user guide, "Signing AWS API requests": the parameters of a signature in the address, of version 4 and of version 2.
_OF_SIGNATURE = frozenset(
    f"x-amz-{name}" for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature", "security-token")
) | {"awsaccesskeyid", "signature", "expires"}
#: Headers that belong to the protocol of S3 and to signing, not to one operation.
_OF_PROTOCOL = re.compile(r"x-amz-(content-sha256|date|security-token|decoded-content-length|trailer|sdk-checksum-algorithm|checksum-.+)")
#: S3 user guide, "Virtual hosting of buckets", with this machine's name in the place of AWS's.
_BUCKETS_HOST = re.compile(r"(?P<bucket>(?!s3\.)[a-z0-9][a-z0-9.-]+?)(\.s3([.-][a-z0-9-]+)?)?\.localhost")
#: "x-id" repeats the operation's name for logs; S3 takes no notice of it.
_NO_PARAMETERS = frozenset({"x-id"})


def unambiguous(service: str, request: Request) -> Request:
    """The request with every parameter in one place, and on the one host of this account. `service` as it is signed for.

    Raises ServiceError (400) for a parameter that is given twice.
    """
    if service not in SERVICES:
        return request
    if service == "s3":
        return _on_own_host(_hoisted(_in_path(request)))
    if request.headers.get("smithy-protocol") == CBOR or _protocol(service, request) != "query":
        return _on_own_host(request)
    is_form = request.headers.get("content-type", "").startswith(_FORM)
    pairs = [*_pairs(request.query), *(_pairs(request.body.decode("utf-8", "replace")) if is_form else ())]
    given = [(name, value) for name, value in pairs if name.lower() not in _OF_SIGNATURE]
    for name, times in Counter(name for name, _ in given).items():
        if times > 1:  # IAM API reference, "Common Errors"
            raise ServiceError("MalformedQueryString", f"The request gives {name} {times} times; a parameter may be given once.")
    return _on_own_host(_with_form(request, given))


def handed_on(call: Call, request: Request, access_key: str, region: str, service: str) -> Request:
    """What an emulator gets for a call: the request in the one form of its protocol, without what the operation does not have.

    `request` is one that `unambiguous` gave, `service` what it was signed for. Raises ServiceError (400) for parameters of another
    operation.
    """
    headers = {name: value for name, value in request.headers.items() if name not in ("x-amz-target", "smithy-protocol")}
    scope = f"{time.strftime('%Y%m%d', time.gmtime())}/{region}/{service}/aws4_request"
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders=host, Signature=checked"
    if service != "s3":
        headers.pop("content-encoding", None)  # it was read as it is
    if request.headers.get("smithy-protocol") == CBOR:
        cbor = {"smithy-protocol": CBOR, "content-type": "application/cbor"}
        return replace(request, method="POST", query="", headers={**headers, **cbor})
    protocol = _protocol(service, request, call.service)
    if protocol == "query":
        form = _pairs(request.body.decode())
        own = [(name, str(value)) for name, value in call.parameters.items() if isinstance(value, str) and name not in dict(form)]
        return _with_form(replace(request, headers=headers), [*form, *(pair for pair in own if pair[0] in _completed(call))])
    if protocol == "json":
        metadata = model(call.service).metadata
        target = {"x-amz-target": f"{metadata['targetPrefix']}.{call.operation}"}
        return replace(request, method="POST", path="/", query="", headers={**headers, **target})
    if service == "s3" and "/" in str(call.parameters.get("Bucket", "")):  # what is an object to one reader, and a bucket to the other
        raise ServiceError("InvalidBucketName", "The specified bucket is not valid.")
    return replace(request, query=_own_query(call, request.query), headers=_own_headers(call, headers))


def _completed(call: Call) -> tuple[str, ...]:
    """What the gateway adds to a request: IAM's "if you do not specify a user name, IAM determines it by the access key"."""
    return ("UserName",) if call.service == "iam" else ()


def _protocol(service: str, request: Request, name: str = "") -> str:
    from moto.core.request import determine_request_protocol

    try:
        return str(determine_request_protocol(model(name or SERVICES[service][0]), request.headers.get("content-type")))
    except NotImplementedError:
        return ""


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True, errors="replace")


def _with_form(request: Request, pairs: Iterable[tuple[str, str]]) -> Request:
    body = urlencode(list(pairs)).encode()
    headers = {name: value for name, value in request.headers.items() if name != "transfer-encoding"}
    headers |= {"content-type": f"{_FORM}; charset=utf-8", "content-length": str(len(body))}
    return replace(request, method="POST", path="/", query="", headers=headers, body=body)


def _on_own_host(request: Request) -> Request:
    """Emulators read services, buckets and APIs from a host's name; here the signature says which service it is."""
    port = request.headers.get("host", "").rpartition(":")[2]
    return replace(request, headers={**request.headers, "host": f"127.0.0.1:{port}"})


# ------------------------------------------------------------------------------------------------------- S3


def _in_path(request: Request) -> Request:
    """A bucket that the host's name gives, in the path."""
    found = _BUCKETS_HOST.fullmatch(request.headers.get("host", "").rpartition(":")[0].lower())
    return replace(request, path=f"/{found['bucket']}{request.path}".removesuffix("/")) if found else request


def _hoisted(request: Request) -> Request:
    """Headers that a signed address carries, as headers: S3 API reference, "Authenticating Requests: Using Query Parameters".

    Raises ServiceError (400) for one that the request also has as a header, with another value.
    """
    if "amz-" not in request.query.lower():
        return request
    kept, headers = [], dict(request.headers)
    for pair in request.query.split("&"):
        name, _, value = pair.partition("=")
        header = unquote_plus(name).lower()
        if not header.startswith("x-amz-") or header in _OF_SIGNATURE:
            kept.append(pair)
        elif headers.setdefault(header, unquote_plus(value)) != unquote_plus(value):
            raise _conflict(header, "a header")
    return replace(request, query="&".join(kept), headers=headers)


# ------------------------------------------------------------------------------------------------------- REST


def _own_query(call: Call, query: str) -> str:
    """The query without what no operation of the service has. Raises ServiceError for what another one has, and for repetitions."""
    own, of_service = _query_names(call.service, call.operation), _all_query_names(call.service)
    kept: dict[str, list[str]] = {}
    for pair in query.split("&") if query else ():
        name = unquote_plus(pair.partition("=")[0])
        if name.lower() in _OF_SIGNATURE or name in _NO_PARAMETERS:
            continue
        if name in own:
            kept.setdefault(name, []).append(pair)
        elif name in of_service:
            raise _conflict(name, f"a request for {call.operation}")
    for name, pairs in kept.items():
        if len(pairs) > 1 and not own[name]:
            raise _conflict(name, name)
    return "&".join(pair for pairs in kept.values() for pair in pairs)


def _conflict(name: str, other: str) -> ServiceError:
    return ServiceError("InvalidArgument", f"Conflicting query string parameters: {name} does not go with {other}.")


@functools.cache
def _query_names(service: str, operation: str) -> Mapping[str, bool]:
    """The names that an operation may have in its query, and whether it may have several of each."""
    static = model(service).operation_model(operation).http["requestUri"].partition("?")[2]
    names = {part.partition("=")[0]: False for part in static.split("&") if part}
    return names | {name: shape.type_name == "list" for name, shape in _located(service, operation, "querystring")}


@functools.cache
def _all_query_names(service: str) -> frozenset[str]:
    return frozenset(name for operation in model(service).operation_names for name in _query_names(service, operation))


def _located(service: str, operation: str, location: str) -> list[tuple[str, Any]]:
    shape = input_shape(service, operation)
    members = shape.members.items() if shape is not None else ()
    return [
        (member.serialization.get("name", name), member) for name, member in members if member.serialization.get("location") == location
    ]


def _own_headers(call: Call, headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without those of AWS's own that belong to other operations."""
    own, prefixes = _header_names(call.service, call.operation)
    return {
        name: value
        for name, value in headers.items()
        if not name.startswith("x-amz-") or name in own or name.startswith(prefixes) or _OF_PROTOCOL.fullmatch(name)
    }


@functools.cache
def _header_names(service: str, operation: str) -> tuple[frozenset[str], tuple[str, ...]]:
    names = frozenset(name.lower() for name, _ in _located(service, operation, "header"))
    return names, tuple(name.lower() for name, _ in _located(service, operation, "headers"))
