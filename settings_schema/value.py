"""The base of everything that a team writes in settings.py and models/: immutable, each field by its name, checked when it is made.

Fields carry their constraints (pydantic's `Field`); a field's `description` says in words what is allowed, where its type and bounds do
not. Whatever is wrong becomes one SettingsError with one line: `Tuning.trials is 0; allowed: 1 to 750`.
Why pydantic: docs/decisions/0107-values-are-pydantic-models.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from settings_schema.errors import SettingsError, members, require, shown

_IN_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "True or False", NoneType: "None"}

#: What can be part of a name in AWS. No two hyphens in a row: they separate the parts of a name (settings_schema/names.py).
NAME_PATTERN = r"^[a-z](-?[a-z0-9])*$"


def name_field(*, longest: int, shortest: int = 1) -> Any:
    """A field for a part of AWS's names."""
    size = f"{shortest} to {longest} characters" if shortest > 1 else f"at most {longest} characters"
    words = f"a-z, 0-9 and '-', with a letter first, no '-' last and no two of them together, {size}"
    return Field(pattern=NAME_PATTERN, min_length=shortest, max_length=longest, description=words)


class Value(BaseModel):
    """One thing that is set. Strict: no text is taken for a number, no list for a tuple, no NaN for a number."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)
    #: What other kinds of the same thing have and this one cannot, with the reason: field -> what is allowed.
    not_here: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *positional: object, **values: Any) -> None:
        made = type(self)
        if positional:
            named = ", ".join(f"{name}={shown(value)}" for name, value in zip(made.model_fields, positional, strict=False))
            fields = ", ".join(made.model_fields)
            said = f"{made.__name__}({shown(positional[0])}) has a value without a name"
            raise SettingsError(f"{said}; allowed: each value by its name, {made.__name__}({named}); it has {fields}")
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError(_in_one_line(made, values, error.errors(include_url=False)[0])) from None

    def but(self, **changes: Any) -> Self:
        """A copy with other values, checked like the first."""
        return type(self)(**{**{name: getattr(self, name) for name in type(self).model_fields}, **changes})

    def require(self, condition: bool, field_name: str, got: object, allowed: str) -> None:
        """For what no single field can say; raises SettingsError."""
        require(condition, f"{_called(type(self), getattr(self, 'name', None))}.{field_name}", got, allowed)


def _called(made: type[Value], name: object) -> str:
    return f"{made.__name__}({name!r})" if isinstance(name, str) and name else made.__name__


def _in_one_line(made: type[Value], values: Mapping[str, Any], wrong: ErrorDetails) -> str:
    name = str(wrong["loc"][0])
    where = _called(made, values.get("name") if name != "name" else None)
    if wrong["type"] == "extra_forbidden" and name in made.not_here:
        return f"{where}.{name} is {shown(values[name])}; allowed: {made.not_here[name]}"
    if wrong["type"] == "extra_forbidden":
        return f"{where} has no field {name!r}; allowed: {', '.join(made.model_fields)}"
    field = made.model_fields[name]
    if wrong["type"] == "missing":
        return f"{where}.{name} is missing; allowed: {_type_in_words(field.annotation)}"
    has_its_type = wrong["type"] in _OF_VALUE
    return (
        f"{where}.{name} is {shown(values[name])}; allowed: {_value_in_words(field) if has_its_type else _type_in_words(field.annotation)}"
    )


#: pydantic's error types about a value that has the right type.
_OF_VALUE = {
    *("greater_than", "greater_than_equal", "less_than", "less_than_equal", "literal_error"),
    *("string_pattern_mismatch", "string_too_short", "string_too_long", "too_short", "too_long", "value_error"),
}


def _value_in_words(field: FieldInfo) -> str:
    """What values of the right type are allowed: the field's description, or else its bounds."""
    choices = [choice for choice in get_args(field.annotation) if choice is not NoneType] if _is_optional(field.annotation) else []
    metadata = [*field.metadata, *(item for choice in choices for item in getattr(choice, "__metadata__", ()))]
    inner = [item for item in metadata if isinstance(item, FieldInfo)]
    described = next((item.description for item in [field, *inner] if item.description), None)
    bounds = _bounds([*metadata, *(constraint for item in inner for constraint in item.metadata)])
    words = described or bounds or _type_in_words(field.annotation)
    return f"None, or {words}" if choices else words


def _is_optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint)


def _bounds(metadata: list[Any]) -> str:
    """`1 to 750`, `more than 0, at most 1`."""
    above = next((item.gt for item in metadata if isinstance(item, annotated_types.Gt)), None)
    least = next((item.ge for item in metadata if isinstance(item, annotated_types.Ge)), None)
    below = next((item.lt for item in metadata if isinstance(item, annotated_types.Lt)), None)
    most = next((item.le for item in metadata if isinstance(item, annotated_types.Le)), None)
    if least is not None and most is not None:
        return f"{least} to {most}"
    low = f"more than {above}" if above is not None else f"at least {least}" if least is not None else ""
    high = f"less than {below}" if below is not None else f"at most {most}" if most is not None else ""
    return ", ".join(part for part in (low, high) if part)


def _type_in_words(hint: Any) -> str:
    origin, given = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _type_in_words(given[0])
    if origin is Literal:
        return " | ".join(map(repr, given))
    if origin in (Union, UnionType):
        choices = [choice for choice in given if choice is not NoneType and (choice is not int or float not in given)]
        words = " or ".join(map(_type_in_words, choices))
        return f"None, or {words}" if NoneType in given else words
    if origin is tuple:
        return f"a tuple of {_type_in_words(given[0])}, written (a, b), or (a,) for one"
    if origin is Mapping:
        return f"a dictionary from {_type_in_words(given[0])} to {_type_in_words(given[1])}"
    if isinstance(hint, type) and hasattr(hint, "__members__"):
        return members(hint)  # type: ignore[arg-type]  # an enum, by its members
    return _IN_WORDS.get(hint, f"{hint.__name__}(...)")
