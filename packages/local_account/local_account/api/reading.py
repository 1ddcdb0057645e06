"""Reads a request of any AWS protocol as its operation and parameters, by botocore's own models of the services.

Input: a request as it came over the wire, and the service that it was signed for. Output: a `Call` whose parameters have
the model's member names. moto's routers and parsers do it for the REST and query protocols, botocore's for CBOR.
JSON bodies are kept as they are, so that a member that the model does not know is seen too. Next: `members.py`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_account.errors import ServiceError
from local_account.signatures import Request

LISTS = Path(__file__).with_name("lists")
#: botocore's names of the services that this account has: those that it has a list of members for.
EMULATED = frozenset(path.stem for path in LISTS.glob("*.yaml"))
#: By the name in the signature: the botocore models that a request may be of, the likeliest first.
SERVICES: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in sorted(EMULATED - {"cloudwatch", "sagemaker-runtime"})},
    "monitoring": ("cloudwatch",),
    "sagemaker": ("sagemaker", "sagemaker-runtime"),
}

#: How the header `smithy-protocol` names the binary protocol.
CBOR = "rpc-v2-cbor"

_CBOR_PATH = re.compile(r"/service/\w+/operation/(\w+)")

#: How the parsers say that a body is malformed. RecursionError: it is nested deeper than any model.
_MALFORMED = (ValueError, TypeError, AttributeError, KeyError, RecursionError)


@dataclass(frozen=True)
class Call:
    """`service` is botocore's name; `parameters` by member name, values as the protocol gives them."""

    service: str
    operation: str
    parameters: Mapping[str, Any]


def read(service: str, request: Request) -> Call | None:
    """The call; None for a service that this account does not have or a request that is no operation of it.

    Raises ServiceError (400) for a body that is not of its protocol.
    """
    for name in SERVICES.get(service, ()):
        try:
            call = _read_cbor(name, request) if request.headers.get("smithy-protocol") == CBOR else _read(name, request)
        except _MALFORMED as error:
            raise ServiceError("SerializationException", f"The request is malformed: {error}") from error
        if call:
            return call
    return None


def input_shape(service: str, operation: str) -> Any:
    """botocore's model of the operation's parameters; None where it takes none."""
    return model(service).operation_model(operation).input_shape


@functools.cache
def model(service: str) -> Any:
    """botocore's model of a service."""
    from moto.core.utils import get_service_model

    return get_service_model(service)


def _read(service: str, request: Request) -> Call | None:
    from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
    from moto.core.request import Request as Parsed
    from moto.core.request import determine_request_protocol
    from moto.core.routing import get_service_router
    from werkzeug.exceptions import NotFound

    url = f"http://{request.headers.get('host', 'localhost')}{request.path}" + (f"?{request.query}" if request.query else "")
    parsed = Parsed.from_primitives(request.method, url, _without_encoding(request.headers), request.body)
    try:
        protocol = determine_request_protocol(model(service), parsed.content_type)
        operation, in_path = get_service_router(service).match(parsed)
    except (NotFound, NotImplementedError):
        return None
    if protocol == "json":
        return Call(service, operation.name, {**in_path, **_json(request.body)})
    document = {
        "body": request.body,
        "headers": parsed.headers,
        "method": request.method,
        "url_params": in_path,
        "url_path": request.path,
        "values": parsed.values,
    }
    try:
        parameters = PROTOCOL_PARSERS[protocol](operation).parse(document)
    except RequestParserError as error:
        raise ServiceError("MalformedXML", f"The XML you provided was not well-formed: {str(error).splitlines()[0]}") from error
    if protocol == "rest-json" and operation.input_shape is not None and "payload" not in operation.input_shape.serialization:
        parameters = {**parameters, **_by_member(operation.input_shape, _json(request.body))}
    return Call(service, operation.name, {name: value for name, value in parameters.items() if value is not None})


def _without_encoding(headers: Mapping[str, str]) -> dict[str, str]:
    """A streamed S3 body keeps its chunk signatures here; only its headers are read."""
    return {name: value for name, value in headers.items() if name not in ("content-encoding", "transfer-encoding")}


def _json(body: bytes) -> dict[str, Any]:
    document = json.loads(body or b"{}", object_pairs_hook=_each_once)
    if not isinstance(document, dict):
        raise ValueError("the body is not a JSON object")
    return document


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 8259 §4: what a name means that is there twice is up to whoever reads it, and there are two readers here."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is given twice in one object")
    return found


def _by_member(shape: Any, value: Any) -> Any:
    """A JSON value with the names that the model has for its members, also where it is of another type; unknown ones are left."""
    if shape.type_name == "structure" and isinstance(value, Mapping) and not shape.is_document_type:
        members = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        named = {members.get(name, name): item for name, item in value.items()}
        return {name: _by_member(shape.members[name], item) if name in shape.members else item for name, item in named.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_by_member(shape.member, item) for item in value]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {name: _by_member(shape.value, item) for name, item in value.items()}
    return value


def _read_cbor(service: str, request: Request) -> Call | None:
    """https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html: /service/<service>/operation/<operation>."""
    found = _CBOR_PATH.fullmatch(request.path)
    operation = found[1] if found else ""
    if operation not in model(service).operation_names:
        return None
    reader = _cbor_reader()
    document = reader.parse_data_item(reader.get_peekable_stream_from_bytes(request.body)) if request.body else {}
    return Call(service, operation, document)


@functools.cache
def _cbor_reader() -> Any:
    from botocore.parsers import BaseCBORParser

    return BaseCBORParser()
