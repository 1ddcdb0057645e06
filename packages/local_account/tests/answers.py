"""Holds what the account answers to botocore's model of the operation: a client that believes the model must not meet anything else.

In: a `Call` and the answer to it as it goes over the wire. Out: what is wrong with it, in one line each: unknown members, missing ones,
types, enums, lengths, patterns, times in another form than the protocol's. Where the real service is known to answer otherwise than its
model says, `answers_otherwise` in `lists/<service>.yaml` has the member and the reason. The account calls
`answered` for whoever names this file in `LOCAL_ACCOUNT_OBSERVER` (`gateway.py`); `held_answers.py` does.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from local_account.api.constraints import checks_of
from local_account.api.members import coverage
from local_account.api.reading import Call, model

#: Names a file to which a line is written for each answer that the model does not have.
SWITCH = "LOCAL_ACCOUNT_ANSWERS_FILE"


def answered(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Write what is wrong with an answer to the file that `SWITCH` names."""
    found = problems(call, status, headers, body)
    if found:
        line = f"{call.service}:{call.operation} answered {'; '.join(found)}\n".replace("\n", " ").strip() + "\n"
        with Path(os.environ[SWITCH]).open("a", encoding="utf-8") as file:
            file.write(line)


def problems(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """What is wrong with an answer; nothing where it is an error, which is no answer of the operation."""
    shape = model(call.service).operation_model(call.operation).output_shape
    if not 200 <= status < 300 or shape is None:
        return []
    protocol = _protocol(call, _Headers(headers).get("content-type", ""))
    if protocol == "query" and model(call.service).metadata["protocol"] != "query":
        return []  # a service that has left queries behind: its model names no more what they answer
    payload = shape.members.get(shape.serialization.get("payload", ""))
    if payload is not None and payload.type_name != "structure":
        body = b""  # a file, which nobody reads as anything else
    try:
        unknown = [f"{path}, which the model does not have" for path in _unknown(protocol, shape, body)]
        parsed = _parser(protocol).parse({"status_code": status, "headers": _Headers(headers), "body": body}, shape)
    except Exception as error:  # whatever a client's parser raises is what the client's user would see
        return [f"what no client can read: {error!r}"]
    parsed.pop("ResponseMetadata", None)
    is_file = (shape.serialization["payload"],) if payload is not None and payload.type_name != "structure" else None
    found = [problem for problem in checks_of(call.service).of(shape)(parsed) if problem.names != is_file]
    known = coverage(call.service)
    return [*unknown, *(str(problem) for problem in found if not known.is_answered_otherwise(call.operation, problem.names))]


def _protocol(call: Call, content_type: str) -> str:
    """The protocol of an answer: a client of a service with several chooses one."""
    usual = str(model(call.service).metadata["protocol"])
    spoken = next(
        (name for sign, name in (("cbor", "smithy-rpc-v2-cbor"), ("xml", "query"), ("json", "json")) if sign in content_type), usual
    )
    return spoken if spoken in (model(call.service).metadata.get("protocols") or ()) else usual


class _Headers(dict[str, str]):
    """Header names in any case, as botocore looks them up."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())


@functools.cache
def _parser(protocol: str) -> Any:
    from botocore.parsers import create_parser

    return create_parser(protocol)


# ----------------------------------------------------------------------------------- what the model does not have


def _unknown(protocol: str, shape: Any, body: bytes) -> Iterator[str]:
    payload = shape.serialization.get("payload")
    body_shape = shape.members[payload] if payload else shape
    if not body or body_shape.type_name != "structure":
        return iter(())
    if protocol in ("json", "rest-json"):
        return _unknown_json(body_shape, json.loads(body), "")
    if protocol in ("query", "rest-xml"):
        root: Any = ElementTree.fromstring(body)  # the account's own answer
        wrapper = shape.serialization.get("resultWrapper")
        return _unknown_xml(body_shape, next((part for part in root if _tag(part) == wrapper), ()) if wrapper else root, "", protocol)
    return iter(())


def _unknown_json(shape: Any, value: Any, path: str) -> Iterator[str]:
    if value is None or getattr(shape, "is_document_type", False):
        return
    if shape.type_name == "structure" and isinstance(value, Mapping):
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for name, item in value.items():
            if name in members:
                yield from _unknown_json(members[name], item, f"{path}.{name}")
            elif item is not None:
                yield f"{path}.{name}".lstrip(".")
    elif shape.type_name == "list" and isinstance(value, list):
        for item in value:
            yield from _unknown_json(shape.member, item, path)
    elif shape.type_name == "map" and isinstance(value, Mapping):
        for item in value.values():
            yield from _unknown_json(shape.value, item, path)
    elif shape.type_name == "timestamp":
        is_text = shape.serialization.get("timestampFormat") in ("iso8601", "rfc822")
        if isinstance(value, str) is not is_text:
            yield f"{path} as {'a text' if isinstance(value, str) else 'a number'}".lstrip(".")


def _unknown_xml(shape: Any, node: Any, path: str, protocol: str) -> Iterator[str]:
    if shape.type_name == "structure":
        members = {_wire_name(name, member): member for name, member in shape.members.items()}
        own = ("ResponseMetadata",) if protocol == "query" and not path else ()
        for part in node:
            tag = _tag(part)
            if tag in members:
                is_flat = members[tag].type_name == "list" and members[tag].serialization.get("flattened")
                yield from _unknown_xml(members[tag].member if is_flat else members[tag], part, f"{path}.{tag}", protocol)
            elif tag not in own:
                yield f"{path}.{tag}".lstrip(".")
    elif shape.type_name == "list":
        wanted = shape.member.serialization.get("name", "member")
        for part in node:
            if _tag(part) == wanted:
                yield from _unknown_xml(shape.member, part, path, protocol)
            else:
                yield f"{path}.{_tag(part)}".lstrip(".")


def _wire_name(name: str, member: Any) -> str:
    if member.type_name == "list" and member.serialization.get("flattened"):
        name = member.member.serialization.get("name", name)
    return str(member.serialization.get("name", name))


def _tag(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]
