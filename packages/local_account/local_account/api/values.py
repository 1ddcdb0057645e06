"""Refuses by name the values of a member that this account does not act on, although it acts on the others.

`values` in `lists/<service>.yaml` names, for a member's path such as `CreateKey.KeySpec`, the only values that are taken. What AWS
itself would refuse, by a member alone or by several together, is in `rules/`. Input: a `Call`. Output: nothing, or NotEmulatedError.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from local_account.api.members import LISTS
from local_account.api.reading import Call
from local_account.errors import NotEmulatedError


@functools.cache
def allowed(service: str) -> Mapping[str, frozenset[str]]:
    """Path of a member -> the values that are taken."""
    document = yaml.safe_load((LISTS / f"{service}.yaml").read_text(encoding="utf-8"))
    return {path: frozenset(str(values).split()) for path, values in (document.get("values") or {}).items()}


def require_emulated(call: Call) -> None:
    """Raises NotEmulatedError for the first value that is not taken. A pipeline's expression is no value yet."""
    for path, values in allowed(call.service).items():
        operation, *names = path.split(".")
        for value in _given(call.parameters, names) if operation == call.operation else ():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if text not in values:
                raise NotEmulatedError(
                    call.service, f"{path.replace('.', ' with ', 1)} {text[:100]}; implemented: {', '.join(sorted(values))}"
                )


def _given(value: Any, names: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _given(item, names)
    elif not names:
        if value is not None and not isinstance(value, Mapping):
            yield value
    elif isinstance(value, Mapping):
        yield from _given(value.get(names[0]), names[1:])
