"""Brings what an emulator answers into the form that the model of the operation has, so that no client meets what AWS would not send.

In: a `Call` and the body of its answer. Out: the body without members that the model does not have and without empty ones that must not
be empty, and with times as the protocol writes them. What is missing or wrong otherwise is mended where it is made; tests find it.
Used by `gateway.py` for what MiniStack and moto answer.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local_account.api.reading import model

_LEAF = re.compile(rb"<(\w+)>([^<]*)</\1>|<(\w+)/>")
#: Elements of the query protocol that are no members: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html.
_OF_THE_PROTOCOL = frozenset({b"RequestId", b"member", b"entry", b"key", b"value"})

Worded = Callable[[bytes], bytes]


@functools.cache
def worded(service: str, operation: str, content_type: str = "") -> Worded | None:
    """What to do with the body of a good answer; None where it must go through as it is: a file, an XML document, CBOR.

    `content_type` is the request's: the client may ask in another protocol than the service's first.
    """
    shape = model(service).operation_model(operation).output_shape
    protocol = _protocol(service, content_type)
    if shape is None or "payload" in shape.serialization:
        return None
    if protocol in ("json", "rest-json"):
        return lambda body: json.dumps(_worded_json(shape, json.loads(body))).encode() if body else body
    return _query(shape) if protocol == "query" else None


def _protocol(service: str, content_type: str) -> str:
    """The protocol of the answer; none for a query to a service that speaks another first: its model does not name what a query's
    answer has.
    """
    first = str(model(service).metadata["protocol"])
    if "x-amz-json" in content_type:
        return "json"
    return "" if "x-www-form-urlencoded" in content_type and first != "query" else first


def _worded_json(shape: Any, value: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, Mapping) and not shape.is_document_type:
        members = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        kept = {wire: (item, *members[wire]) for wire, item in value.items() if item is not None and wire in members}
        return {
            wire: _worded_json(member, item)
            for wire, (item, name, member) in kept.items()
            if name in shape.required_members or not _is_hollow(member, item)
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_worded_json(shape.member, item) for item in value]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {name: _worded_json(shape.value, item) for name, item in value.items()}
    if shape.type_name == "timestamp" and isinstance(value, str) and shape.serialization.get("timestampFormat") in (None, "unixTimestamp"):
        from botocore.utils import parse_timestamp

        return parse_timestamp(value).timestamp()
    return value


def _is_hollow(shape: Any, value: Any) -> bool:
    """Whether a text is empty, or names a choice of the emulator's own, where AWS would leave the member out."""
    return shape.type_name == "string" and ((value == "" and not _may_be_empty(shape)) or bool(shape.enum and value not in shape.enum))


def _may_be_empty(shape: Any) -> bool:
    return not shape.enum and not shape.metadata.get("min")


def _query(shape: Any) -> Worded:
    known, hollow = set(_OF_THE_PROTOCOL), set()
    for name, is_required, member in _members(shape, ()):
        wire = str(member.serialization.get("name", name)).encode()
        known.add(wire)
        if member.type_name == "string" and not is_required and not _may_be_empty(member):
            hollow.add(wire)

    def kept(leaf: re.Match[bytes]) -> bytes:
        name = leaf[1] or leaf[3]
        is_empty = not leaf[2]
        is_wrapper = name.endswith((b"Result", b"Response"))
        return b"" if (name not in known and not is_wrapper) or (is_empty and name in hollow) else leaf[0]

    return lambda body: _LEAF.sub(kept, body)


def _members(shape: Any, inside: tuple[str, ...]) -> Iterator[tuple[str, bool, Any]]:
    """Name, whether it is required, and shape of every member at any depth; what lists and maps call their items, too."""
    if shape.name in inside:
        return
    inside = (*inside, shape.name)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield name, name in shape.required_members, member
            yield from _members(member, inside)
    elif shape.type_name == "list":
        yield "member", True, shape.member
        yield from _members(shape.member, inside)
    elif shape.type_name == "map":
        for part in (shape.key, shape.value):
            yield "entry", True, part
            yield from _members(part, inside)
