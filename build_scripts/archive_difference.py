"""Says how two model.tar.gz differ: which files, and inside JSON which values.

Input: two archives as bytes. Output: lines for a person. Used by reproduce.py.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SHOWN_VALUES = 6
_LONGEST_VALUE = 40


@dataclass(frozen=True)
class Difference:
    """`lines`: one per file that differs; `same`: names of the files that do not."""

    lines: list[str]
    same: list[str]


def compare(registered: bytes, rebuilt: bytes) -> Difference:
    """Raises tarfile.TarError or OSError for bytes that are no tar.gz."""
    before, after = members(registered), members(rebuilt)
    lines = [
        f"{name}: {text}" for name in sorted(before.keys() | after.keys()) if (text := _difference(name, before.get(name), after.get(name)))
    ]
    return Difference(lines, sorted(name for name in before if before[name] == after.get(name)))


def members(packed: bytes) -> dict[str, bytes]:
    """Content of the regular files, by name."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                found[member.name.removeprefix("./")] = content.read()
    return found


def _difference(name: str, before: bytes | None, after: bytes | None) -> str:
    if before == after:
        return ""
    if before is None:
        return "only in the rebuilt archive"
    if after is None:
        return "only in the registered archive"
    if name.endswith(".json"):
        try:
            changed = list(_changed(json.loads(before), json.loads(after)))
        except ValueError:
            changed = []
        if changed:
            more = f" and {len(changed) - _SHOWN_VALUES} more" if len(changed) > _SHOWN_VALUES else ""
            return ", ".join(changed[:_SHOWN_VALUES]) + more
    return f"content differs ({len(before)} bytes registered, {len(after)} rebuilt)"


def _changed(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """`libraries.numpy 2.1.0 -> 2.2.0` for every leaf that differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from _changed(before.get(name), after.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, pair in enumerate(zip(before, after, strict=True)):
            yield from _changed(*pair, f"{path}[{index}]")
    elif before != after:
        yield f"{path} {_short(before)} -> {_short(after)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
