"""Paths into step properties and JSON files: `ModelArtifacts.S3ModelArtifacts`, `Outputs['train'].S3Output`, `a["b.c"][0]`.

Pure. Used by `expressions.py`.
"""

from __future__ import annotations

import re
from typing import Any

Segment = str | int

_SEGMENT = re.compile(r"""\.?([^.\[\]'"\s]+)|\[(\d+)\]|\[(['"])(.*?)\3\]""")
#: What names an element of a list when a definition asks for it by name, such as `Outputs['train']`.
_NAMES = ("OutputName", "InputName", "ChannelName", "MetricName", "Name", "Key")


class PathError(ValueError):
    """The path is malformed, or the document has nothing there. The message says which part is missing and what there is."""


def parse(path: str) -> list[Segment]:
    """Split a path into names and indices. A leading `$` is allowed, as in JsonPath."""
    rest = path.removeprefix("$")
    segments: list[Segment] = []
    position = 0
    while position < len(rest):
        match = _SEGMENT.match(rest, position)
        if match is None or match.end() == position:
            raise PathError(f"path {path!r} cannot be read from {rest[position:]!r} on")
        name, index, _, key = match.groups()
        segments.append(int(index) if index is not None else name if name is not None else key)
        position = match.end()
    if not segments:
        raise PathError(f"path {path!r} names nothing")
    return segments


def look_up(document: Any, path: str) -> Any:
    """The value at `path`. Raises PathError if there is none."""
    value = document
    for segment in parse(path):
        value = _child(value, segment, path)
    return value


def _child(value: Any, segment: Segment, path: str) -> Any:
    if isinstance(value, dict) and str(segment) in value:
        return value[str(segment)]
    if isinstance(value, list):
        if isinstance(segment, int) or segment.isdigit():
            if int(segment) < len(value):
                return value[int(segment)]
            raise PathError(f"{path!r} asks for element {segment}; there are {len(value)}")
        for element in value:
            if isinstance(element, dict) and any(element.get(name) == segment for name in _NAMES):
                return element
    raise PathError(f"{path!r} has no {segment!r}; there is {_contents(value)}")


def _contents(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(map(str, value)) or "an empty object"
    if isinstance(value, list):
        names = [str(element[name]) for element in value if isinstance(element, dict) for name in _NAMES if name in element]
        return ", ".join(names) or f"a list of {len(value)}"
    return f"the value {value!r}"
