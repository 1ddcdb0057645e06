"""Holds every property of every resource against `properties.yaml`: acted on, or stored with the reason, or refused by name.

A type that the list does not have is refused as a whole: nobody has held it against AWS. The list has the form of those of requests
(`local_account/api/members.py`). What a type passes on to a service's API is held to that API's list as well. Used by `__init__.py`.
Next: `schemas.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local_account.api.members import Coverage
from local_account.cloudformation import schemas

LIST = Path(__file__).with_name("properties.yaml")
#: Their properties are what their own code makes of them.
_ANY_PROPERTY = ("AWS::CloudFormation::CustomResource", "Custom::S3AutoDeleteObjects")


@functools.cache
def coverage() -> Coverage:
    """`acted` is by resource type, or type and path such as `AWS::S3::Bucket.LoggingConfiguration`."""
    import yaml

    document = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    return Coverage({place: frozenset((names or "").split()) for place, names in document["types"].items()}, document["stored"])


def held(resource_type: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of MiniStack's table for a type, which refuses what is not listed or not valid before anything is created or changed."""

    def create(logical_id: str, given: Mapping[str, Any], *names: str) -> Any:
        require_acted_on(resource_type, given)
        schemas.require_valid(resource_type, logical_id, given)
        return entry["create"](logical_id, given, *names)

    def update(physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack_name: str, logical_id: str) -> Any:
        require_acted_on(resource_type, new)
        schemas.require_valid(resource_type, logical_id, new)
        names = (stack_name, logical_id) if entry.get("update_with_logical_id") else (stack_name,)
        return entry["update"](physical_id, old, new, *names)

    return {**entry, "create": create, **({"update": update, "update_with_logical_id": True} if "update" in entry else {})}


def require_acted_on(resource_type: str, given: Mapping[str, Any]) -> None:
    """Raises ValueError that names the first property which nothing here acts on; CloudFormation makes it the resource's failure."""
    if resource_type in _ANY_PROPERTY:
        return
    if resource_type not in coverage().acted:
        raise ValueError(f"The local account does not provision {resource_type}; the types that it does are in {LIST.name}.")
    for path in _paths(given, ()):
        if not coverage().takes(resource_type, path):
            raise ValueError(f"The local account does not act on {'.'.join((resource_type, *path))}; what it acts on is in {LIST.name}.")


def _paths(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The path of every property that is given, parents first. Lists leave no trace in a path."""
    if isinstance(value, list):
        for item in value:
            yield from _paths(item, path)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield (*path, name)
            yield from _paths(item, (*path, name))
