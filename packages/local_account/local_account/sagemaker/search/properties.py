"""A property of a resource by its name in a search: `TrainingJobStatus`, `AlgorithmSpecification.TrainingImage`, `Tags.team`,
`Metrics.rmse`, `HyperParameters.max_depth`. Pure.

Names and types are those of SearchRecord in botocore's model. Source: API reference of Filter. Next: `expression.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local_account.errors import ServiceError

NUMBER, TEXT, BOOLEAN, TIME, HYPERPARAMETER, OTHER = "number", "text", "boolean", "timestamp", "hyperparameter", "structure or list"
_KINDS = {
    **dict.fromkeys(("integer", "long", "float", "double"), NUMBER),
    "string": TEXT,
    "boolean": BOOLEAN,
    "timestamp": TIME,
}


@dataclass(frozen=True)
class Property:
    """`kind` decides which operators it has. `within` is the list that a nested filter looks at, as the start of the name."""

    name: str
    kind: str

    def values(self, record: Mapping[str, Any]) -> list[Any]:
        """Every value that a record has under the name: none if it has none, several inside a list."""
        head, _, rest = self.name.partition(".")
        if rest and head == "Tags":
            return [tag["Value"] for tag in record.get("Tags", []) if tag["Key"] == rest]
        if rest and head == "Metrics":
            return [metric["Value"] for metric in record.get("FinalMetricDataList", []) if metric["MetricName"] == rest]
        return list(_found(record, self.name))


def property_of(shape: Any, resource: str, name: str) -> Property:
    """The property of that name. Raises a ValidationException if the resource has none."""
    head, _, rest = name.partition(".")
    if rest and head == "Tags" and "Tags" in shape.members:
        return Property(name, TEXT)
    if rest and head == "Metrics" and "FinalMetricDataList" in shape.members:
        return Property(name, NUMBER)
    kind = _kind(shape, name)
    if kind is None:
        raise ServiceError("ValidationException", f"Unknown property name {name} of {resource}; it has {', '.join(shape.members)}.")
    return Property(name, HYPERPARAMETER if rest and head == "HyperParameters" else kind)


def _kind(shape: Any, name: str) -> str | None:
    """What a name stands for in a shape; lists are looked into. None if the shape has no such name."""
    while shape.type_name == "list":
        shape = shape.member
    head, _, rest = name.partition(".")
    if shape.type_name == "structure" and head in shape.members:
        member = shape.members[head]
        return _kind(member, rest) if rest else _KINDS.get(member.type_name, OTHER)
    if shape.type_name == "map" and name:  # a key may have dots
        return _KINDS.get(shape.value.type_name, OTHER)
    return None


def _found(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _found(item, name)
    elif not name:
        yield value
    elif isinstance(value, Mapping):
        head, _, rest = name.partition(".")
        if name in value:
            yield from _found(value[name], "")
        elif head in value:
            yield from _found(value[head], rest)
