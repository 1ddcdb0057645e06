"""Holds a resource's properties to the published schema of its type before anything is made, and fails the resource as AWS does.

In: a type, a logical id and the properties as the engine has resolved them. Out: nothing, or ValueError with "Properties validation failed
for resource X with message: #/Name: failed validation constraint for keyword [pattern]", and the constraint after it. The schemas are those
that cfn-lint ships (https://github.com/aws-cloudformation/resource-provider-enhanced-schemas); what that adds to CloudFormation's own
(`requiredXor` and its like) is left to the services. Words: https://github.com/aws-cloudformation/cloudformation-resource-schema
(`ValidationException`, on https://github.com/everit-org/json-schema). Scalars may be of another type than the schema's, as CloudFormation
converts them: templates say "5" and "true". Used by `properties.py`.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local_account.api.patterns import compiled

_NAMED = {"string": "String", "integer": "Integer", "number": "Number", "boolean": "Boolean", "object": "JSONObject", "array": "JSONArray"}


def require_valid(resource_type: str, logical_id: str, properties: Mapping[str, Any]) -> None:
    """Raises ValueError that names each property and the constraint that it breaks. Types without a schema (custom ones) pass."""
    if found := broken(resource_type, properties):
        count = [f"#: {len(found)} schema violations found"] if len(found) > 1 else []
        raise ValueError(f"Properties validation failed for resource {logical_id} with message: {'; '.join([*count, *found])}")


def broken(resource_type: str, properties: Mapping[str, Any]) -> list[str]:
    """The constraints that some of a type's properties break, in CloudFormation's words. None without a schema."""
    validator = _validator(resource_type)
    return list(dict.fromkeys(_said(error) for error in _leaves(validator.iter_errors(properties)))) if validator else []


@functools.cache
def schema_of(resource_type: str) -> Mapping[str, Any] | None:
    """The published schema of a type; None where there is none."""
    spec = importlib.util.find_spec("cfnlint")  # its data only: importing it takes seconds
    folder = Path(str(spec.origin)).parent / "data" / "schemas" if spec else Path()
    digest = json.loads((folder / "providers" / "us-east-1.json").read_text(encoding="utf-8")).get(resource_type)
    if digest is None:
        return None
    schema: dict[str, Any] = json.loads((folder / "resources" / f"{digest}.json").read_text(encoding="utf-8"))
    read: dict[str, Any] = _readable({name: value for name, value in schema.items() if name != "$schema"})
    return read


def create_only(resource_type: str) -> frozenset[str]:
    """The properties whose change needs a new resource."""
    pointers = (schema_of(resource_type) or {}).get("createOnlyProperties") or ()
    return frozenset(pointer.removeprefix("/properties/").partition("/")[0] for pointer in pointers)


def _readable(node: Any) -> Any:
    """Maps by the pattern of their keys, said so that only our own reading of Java's patterns is asked (`_pattern`)."""
    if isinstance(node, list):
        return [_readable(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {name: _readable(value) for name, value in node.items()}
    patterns = plain.get("patternProperties")
    if isinstance(patterns, dict) and len(patterns) == 1 and "properties" not in plain:
        (pattern, values), *_ = patterns.items()
        del plain["patternProperties"]
        return {**plain, "propertyNames": {"pattern": pattern}, "additionalProperties": values}
    return plain


@functools.cache
def _validator(resource_type: str) -> Any:
    from jsonschema import Draft202012Validator, validators

    schema = schema_of(resource_type)
    if schema is None:
        return None
    checker = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "string": lambda _, value: isinstance(value, str | int | float),
            "integer": lambda _, value: _is_number(value, r"-?\d+"),
            "number": lambda _, value: _is_number(value, r"-?\d+(\.\d+)?([eE][+-]?\d+)?"),
            "boolean": lambda _, value: isinstance(value, bool) or str(value).lower() in ("true", "false"),
        }
    )
    rules = {name: _of_text(Draft202012Validator.VALIDATORS[name]) for name in ("minLength", "maxLength", "enum", "const")}
    rules |= {
        name: _of_number(Draft202012Validator.VALIDATORS[name]) for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    }
    return validators.extend(Draft202012Validator, {**rules, "pattern": _pattern}, type_checker=checker)(schema)


def _is_number(value: Any, form: str) -> bool:
    if isinstance(value, str):
        return re.fullmatch(form, value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool) and (form != r"-?\d+" or float(value).is_integer())


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int | float) else value


def _of_text(rule: Any) -> Any:
    """A rule about text for scalars that CloudFormation makes texts of; a choice may also be among numbers or booleans."""

    def check(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any]:
        if isinstance(wanted, list):
            wanted = [*wanted, *map(_text, wanted)]
        elif isinstance(wanted, bool):
            wanted = _text(wanted)
        yield from rule(validator, wanted, _text(value), schema) or ()

    return check


def _of_number(rule: Any) -> Any:
    def check(validator: Any, limit: Any, value: Any, schema: Any) -> Iterator[Any]:
        if _is_number(value, r"-?\d+(\.\d+)?([eE][+-]?\d+)?"):
            yield from rule(validator, limit, float(value), schema) or ()

    return check


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(_text(value), str) and not compiled(pattern).search(_text(value)):
        yield ValidationError("pattern")


def _leaves(errors: Iterator[Any]) -> Iterator[Any]:
    """Each error, and below one of alternatives, those of the alternative that was meant: the one that the value breaks least."""
    for error in errors:
        if error.validator in ("anyOf", "oneOf") and error.context:
            alternatives: dict[Any, list[Any]] = {}
            for inner in error.context:
                alternatives.setdefault(inner.relative_schema_path[0], []).append(inner)
            least = min(len(found) for found in alternatives.values())
            yield from _leaves(iter(next(found for found in alternatives.values() if len(found) == least)))
        else:
            yield error


def _said(error: Any) -> str:
    place = "#" + "".join(f"/{step}" for step in error.absolute_path)
    wanted, value = error.validator_value, error.instance
    if error.validator == "required":
        missing = next(name for name in wanted if name not in value and f"'{name}'" in error.message)
        return f"{place}: required key [{missing}] not found"
    if error.validator == "additionalProperties":
        extra = [name for name in value if name not in error.schema.get("properties", {}) and repr(name) in error.message]
        return f"{place}: extraneous key [{', '.join(extra)}] is not permitted"
    if error.validator == "type":
        kinds = wanted if isinstance(wanted, list) else [wanted]
        return f"{place}: expected type: {' or '.join(_NAMED[kind] for kind in kinds)}, found: {_kind(value)}"
    if error.validator in ("minLength", "maxLength"):
        return f"{place}: expected {error.validator}: {wanted}, actual: {len(str(value))}"
    if error.validator in ("minItems", "maxItems"):
        return f"{place}: expected {'minimum' if error.validator == 'minItems' else 'maximum'} item count: {wanted}, found: {len(value)}"
    if error.validator == "uniqueItems":
        return f"{place}: array items are not unique"
    shown = ", ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)
    return f"{place}: failed validation constraint for keyword [{error.validator}]: {shown}"


def _kind(value: Any) -> str:
    kinds = ((bool, "Boolean"), (str, "String"), (int, "Integer"), (float, "Double"), (Mapping, "JSONObject"), (list, "JSONArray"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "Null")
