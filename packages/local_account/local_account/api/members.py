"""Holds every member of a request against the lists of what this account does with it, and refuses the rest by name.

AWS acts on what it is sent. An emulator that drops a member in silence makes up a success, so nothing passes the port that
is not listed in `lists/<service>.yaml`: `operations` names, for each operation and each nested structure, the members that
are acted on (a name without a line of its own stands for all below it); `stored` those that may be sent although nothing
here depends on them, with the reason; `values`, for a member's path such as `CreateKey.KeySpec`, the only values that are taken.
Input: a `Call`. Output: nothing, or ServiceError. What AWS itself would refuse is in `validation.py`, which is next, and in `rules/`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_account.api.reading import LISTS, Call, input_shape
from local_account.errors import NotEmulatedError, ServiceError


@dataclass(frozen=True)
class Coverage:
    """`acted`: by operation, or operation and path such as `CreatePipeline.pipeline.stages`. `stored`: member or path -> reason.

    Lists and maps leave no trace in a path: `ProductionVariants.VariantName` is that member of every variant.
    `values`: member's path -> those that are taken, of a member that is not acted on whatever it says.
    `unenforced` and `refuses_with` are for `validation.py`, `answers_otherwise` for tests of answers.
    """

    acted: Mapping[str, frozenset[str]]
    stored: Mapping[str, str]
    unenforced: Mapping[str, str] = field(default_factory=dict)
    refuses_with: str = ""
    answers_otherwise: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def is_unenforced(self, operation: str, names: tuple[str, ...]) -> bool:
        """Whether the service takes any value at this path."""
        return _has(self.unenforced, operation, names)

    def is_answered_otherwise(self, operation: str, names: tuple[str, ...]) -> bool:
        return _has(self.answers_otherwise, operation, names)

    def takes(self, operation: str, path: tuple[str, ...]) -> bool:
        """Whether a member is listed. Its parent is, or it would not be asked for."""
        place = ".".join((operation, *path[:-1]))
        names = self.acted.get(place)
        return names is None or path[-1] in names or path[-1] in self.stored or f"{place}.{path[-1]}" in self.stored


def _has(table: Mapping[str, str], operation: str, names: tuple[str, ...]) -> bool:
    """By `Operation.path`, or by the end of the path."""
    path = (operation, *names)
    return bool(table) and any(".".join(path[start:]) in table for start in range(len(path)))


@functools.cache
def coverage(service: str) -> Coverage:
    """What is listed for a service of botocore's name."""
    import yaml

    document = yaml.safe_load((LISTS / f"{service}.yaml").read_text(encoding="utf-8"))
    acted = {place: frozenset((names or "").split()) for place, names in document["operations"].items()}
    given = {name: document[name] for name in ("unenforced", "refuses_with", "answers_otherwise") if name in document}
    values = {path: frozenset(str(taken).split()) for path, taken in (document.get("values") or {}).items()}
    return Coverage(acted, document.get("stored") or {}, values=values, **given)


def require_emulated(call: Call) -> None:
    """Raises NotEmulatedError for an operation or a member that is not listed, ServiceError for one that AWS does not have."""
    covered = coverage(call.service)
    if call.operation not in covered.acted:
        raise NotEmulatedError(call.service, call.operation)
    shape = input_shape(call.service, call.operation)
    for path, is_known in _members(shape, call.parameters, ()):
        name = ".".join(path)
        if not is_known:
            raise ServiceError("ValidationException", f"{call.operation} has no parameter {name}.")
        if not covered.takes(call.operation, path):
            raise NotEmulatedError(call.service, f"{call.operation} with {name}")


def _members(shape: Any, value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The path of every member that is given, and whether the model has it; parents before what is in them."""
    if shape is None or value is None:
        return
    if shape.type_name == "list" and isinstance(value, list):
        for item in value:
            yield from _members(shape.member, item, path)
    elif shape.type_name == "map" and isinstance(value, Mapping):
        for item in value.values():
            yield from _members(shape.value, item, path)
    elif shape.type_name == "structure" and isinstance(value, Mapping) and not getattr(shape, "is_document_type", False):
        for name, item in value.items():
            if item is not None:
                member = shape.members.get(name)
                yield (*path, name), member is not None
                yield from _members(member, item, (*path, name))


def require_emulated_values(call: Call) -> None:
    """Raises NotEmulatedError for the first value that is not taken. A pipeline's expression is no value yet."""
    for path, taken in coverage(call.service).values.items():
        operation, *names = path.split(".")
        for value in _given(call.parameters, names) if operation == call.operation else ():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if text not in taken:
                allowed = f"implemented: {', '.join(sorted(taken))}"
                raise NotEmulatedError(call.service, f"{path.replace('.', ' with ', 1)} {text[:100]}; {allowed}")


def _given(value: Any, names: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _given(item, names)
    elif not names:
        if value is not None and not isinstance(value, Mapping):
            yield value
    elif isinstance(value, Mapping):
        yield from _given(value.get(names[0]), names[1:])
