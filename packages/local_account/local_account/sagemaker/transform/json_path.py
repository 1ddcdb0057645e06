"""The JSONPath operators that DataProcessing filters may use. Pure.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html (supported JSONPath operators):
`$`, `.name`, `['name']`, `['a','b']`, `[0]`, `[0,2]`, `[1:]`, `[:3]`, `[1:-1]`, `*`.
"""

from __future__ import annotations

import re
from typing import Any

_STEP = re.compile(r"\.(?P<name>[\w-]+)|\.?(?P<star>\*)|\[(?P<inside>[^\]]*)\]")


class JsonPathError(ValueError):
    """The expression is malformed or uses an operator that SageMaker does not support."""


def select(document: Any, path: str) -> Any:
    """What `path` selects: one value, or a list where it may select several. Raises JsonPathError; KeyError if nothing is there."""
    if not path.startswith("$"):
        raise JsonPathError(f"{path!r} does not start with $")
    value, position = document, 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise JsonPathError(f"{path!r} cannot be read from {path[position:]!r} on; allowed: .name ['name'] [0] [0,2] [1:3] *")
        value = _step(value, match, path)
        position = match.end()
    return value


def _step(value: Any, match: re.Match[str], path: str) -> Any:
    if match["name"]:
        return _named(value, match["name"], path)
    inside = (match["inside"] or "*").strip()
    if inside == "*":
        return list(value.values()) if isinstance(value, dict) else list(value)
    if re.fullmatch(r"-?\d*:-?\d*", inside):
        low, high = (int(part) if part else None for part in inside.split(":"))
        return value[low:high]
    parts = [part.strip() for part in inside.split(",")]
    if all(re.fullmatch(r"-?\d+", part) for part in parts):
        chosen = [value[int(part)] for part in parts]
    elif all(re.fullmatch(r"'[^']*'|\"[^\"]*\"", part) for part in parts):
        chosen = [_named(value, part[1:-1], path) for part in parts]
        return {part[1:-1]: item for part, item in zip(parts, chosen, strict=True)} if len(parts) > 1 else chosen[0]
    else:
        raise JsonPathError(f"{path!r}: [{inside}] is not supported; allowed: [0] [0,2] [1:3] ['name'] [*]")
    return chosen if len(chosen) > 1 else chosen[0]


def _named(value: Any, name: str, path: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise KeyError(f"{path}: there is no {name!r}")
    return value[name]
