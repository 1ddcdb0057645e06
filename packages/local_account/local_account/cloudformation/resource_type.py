"""What every CloudFormation resource type of ours shares: names, replacement, and property types.

A type is a subclass of `ResourceType` that creates, modifies and deletes through the public API, so that a stack can do
nothing that a client could not. Templates write numbers as strings and APIs want numbers; `api_request` reads the
types from botocore's own model of the operation and refuses a property that the operation does not have.
"""

from __future__ import annotations

import functools
import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from botocore import xform_name

from local_account.cloudformation import deployer, schemas
from local_account.context import Context

Properties = dict[str, Any]
Attributes = dict[str, Any]


class ResourceType(ABC):
    """One CloudFormation type. `Ref` is the physical id, `Fn::GetAtt` reads the attributes that `create` and `modify` return."""

    name: ClassVar[str]
    #: The property that names the resource, for types that a template may name.
    name_property: ClassVar[str] = ""
    #: Properties whose change needs a new resource, besides those that the type's schema names.
    create_only: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, context: Context) -> None:
        self._process = context

    @property
    def context(self) -> Context:
        """The account and region of the stack at hand: a type is one object for all of them."""
        return self._process.here

    def client(self, service: str) -> Any:
        """A boto3 client of whoever deploys the stack."""
        return deployer.client(self.context, service)

    @abstractmethod
    def create(self, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        """Physical id and attributes. Raises with the reason, having left nothing behind."""

    @abstractmethod
    def modify(self, physical_id: str, old: Properties, new: Properties) -> Attributes:
        """Change the resource in place and return its attributes."""

    @abstractmethod
    def delete(self, physical_id: str, properties: Properties) -> None: ...

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str, logical_id: str) -> tuple[str, Attributes]:
        """Change the resource, or create its successor. The engine deletes the old one once the whole update has succeeded."""
        changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        if not changed & {*schemas.create_only(self.name), *self.create_only, self.name_property}:
            return physical_id, self.modify(physical_id, old, new)
        if self.name_property and new.get(self.name_property) and new[self.name_property] == old.get(self.name_property):
            # The message of AWS, so that it can be searched for.
            raise ValueError(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {new[self.name_property]} and update the stack again."
            )
        return self.create(logical_id, new, stack_name)


def handlers(resource: ResourceType) -> dict[str, Any]:
    """The entry of MiniStack's table of resource types. The tags that CloudFormation itself adds to a stack's own are not for APIs."""

    def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        return resource.create(logical_id, _without_system_tags(properties), stack_name)

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str, logical_id: str) -> tuple[str, Attributes]:
        return resource.update(physical_id, _without_system_tags(old), _without_system_tags(new), stack_name, logical_id)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": resource.delete}


def in_sentences(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of a type whose failures are sentences: Python's words for a value that is missing or of another type are none."""

    def said(handler: Any) -> Any:
        @functools.wraps(handler)
        def handle(*arguments: Any) -> Any:
            try:
                return handler(*arguments)
            except KeyError as error:  # as CloudFormation names a property that a type requires
                name = str(error.args[0])  # of a property, or of the member of an API that it has become
                raise ValueError(f"Model validation failed (#: required key [{name[:1].upper()}{name[1:]}] not found)") from error
            except (TypeError, AttributeError, IndexError) as error:
                raise ValueError(f"Model validation failed (a property has not the type that it needs: {error})") from error

        return handle

    return {**entry, **{name: said(entry[name]) for name in ("create", "update", "delete") if name in entry}}


def _without_system_tags(properties: Properties) -> Properties:
    if "Tags" not in properties:
        return properties
    tags = [tag for tag in properties["Tags"] if not tag["Key"].startswith("aws:")]
    rest = {key: value for key, value in properties.items() if key != "Tags"}
    return {**rest, "Tags": tags} if tags else rest


def tag_changes(old: Properties, new: Properties) -> tuple[dict[str, str], list[str]]:
    """Tags to set, by key, and keys to remove."""
    before, after = ({tag["Key"]: str(tag["Value"]) for tag in properties.get("Tags", [])} for properties in (old, new))
    return {key: value for key, value in after.items() if before.get(key) != value}, sorted(before.keys() - after.keys())


def retag(client: Any, arn: str, old: Properties, new: Properties) -> None:
    """Put the tags that differ, and remove those that went, by the operations that the service has for it."""
    tags, gone = tag_changes(old, new)
    if tags:
        _call_on_tags(client, ("TagResource", "AddTags"), arn, tags)
    if gone:
        _call_on_tags(client, ("UntagResource", "DeleteTags"), arn, gone)


def _call_on_tags(client: Any, names: Sequence[str], arn: str, given: Any) -> None:
    """Tags are a list of pairs or a map, by service; keys to remove are a list."""
    known = client.meta.service_model
    operation = next(name for name in names if name in known.operation_names)
    members = known.operation_model(operation).input_shape.members
    whose = next(member for member in members if member.lower() == "resourcearn")
    values = next(member for member in members if member.lower() in ("tags", "tagkeys"))
    is_pairs = isinstance(given, Mapping) and members[values].type_name == "list"
    listed = [{"Key": key, "Value": value} for key, value in dict(given).items()] if is_pairs else given
    getattr(client, xform_name(operation))(**api_request(client, operation, {whose: arn, values: listed}))


def generated_name(stack_name: str, logical_id: str, maximum_length: int = 63) -> str:
    """`<stack>-<logical id>-<random>`, as CloudFormation names what a template does not; new for every replacement."""
    suffix = f"-{secrets.token_hex(6)}"
    return f"{stack_name}-{logical_id}"[: maximum_length - len(suffix)].rstrip("-") + suffix


def last_part(physical_id: str) -> str:
    """The name in an ARN such as `arn:aws:sagemaker:...:model/<name>`."""
    return physical_id.rsplit("/", 1)[-1]


def api_request(client: Any, operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties of a template as parameters of `operation` (such as `CreateModel`).

    Member names may differ in the case of their first letter; scalars take the type that the API has.
    Raises ValueError for a property that the operation does not have.
    """
    shape = client.meta.service_model.operation_model(operation).input_shape
    converted: dict[str, Any] = _convert(shape, properties, operation)
    return converted


def _convert(shape: Any, value: Any, where: str) -> Any:
    if shape.type_name == "structure":
        return _convert_structure(shape, value, where)
    if shape.type_name == "list":
        return [_convert(shape.member, item, where) for item in value]
    if shape.type_name == "map":
        return {str(key): _convert(shape.value, item, f"{where}.{key}") for key, item in value.items()}
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name in ("float", "double"):
        return float(value)
    if shape.type_name == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if shape.type_name == "string":
        return _as_string(value)
    return value


def _convert_structure(shape: Any, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} is {value!r}; it needs members {', '.join(shape.members)}")
    members = {name[:1].lower() + name[1:]: name for name in shape.members}
    converted = {}
    for key, item in value.items():
        member = members.get(key[:1].lower() + key[1:])
        if member is None:
            raise ValueError(f"Property {where}.{key} is not supported; allowed: {', '.join(shape.members)}")
        converted[member] = _convert(shape.members[member], item, f"{where}.{key}")
    return converted


def _as_string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, (dict, list)) else str(value)
