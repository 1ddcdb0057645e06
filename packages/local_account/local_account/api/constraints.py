"""Checks a value against botocore's model of its shape: types, required members, enums, lengths, ranges, patterns, unions, at any depth.

In: the name of a service and a shape. Out: a `Check`, made once for each shape, that finds nothing in a good value at the price of walking
it. What is found reads as AWS says it, such as "Value 'a_b' at 'productionVariants.1.member.variantName' failed to satisfy constraint:
Member must satisfy regular expression pattern: ..."; constraints of a list's or a map's scalars stand at the list or map, and of those
only the items at fault are shown. Used by `validation.py` (what clients send), the tests of answers, and for the steps
of a pipeline's definition.
"""

from __future__ import annotations

import base64
import binascii
import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from local_account.api.patterns import compiled

#: Of a value that is quoted in a message.
_LONGEST_VALUE = 120
#: A pattern that needs longer to refuse a value would stop the whole account.
_LONGEST_MATCH_SECONDS = 2.0
#: Characters. While a longer text is matched, other threads may go on; for a shorter one they would be waited for longer than it takes.
_SHORT = 1000
_SCALARS = ("string", "character", "blob", "boolean", "integer", "long", "short", "byte", "float", "double", "timestamp")


@dataclass(frozen=True)
class Problem:
    """`names` is the path of members as `lists/` write it, `place` as AWS does. `is_of_type`: the value is no such thing at all."""

    names: tuple[str, ...]
    place: str
    value: str
    rule: str
    is_of_type: bool = False

    def __str__(self) -> str:
        if self.is_of_type:
            return f"{self.rule} at '{self.place}'"
        return f"Value {self.value}at '{self.place}' failed to satisfy constraint: {self.rule}"


#: Finds what is wrong with a value: nothing (an empty sequence) in a good one.
Check = Callable[[Any], "tuple[Problem, ...]"]
_NOTHING: tuple[Problem, ...] = ()
#: The rule that a missing member breaks.
NOT_NULL = "Member must not be null"


class Checks:
    """The checks of one service. Values for which `deferred` holds are passed over: they are not known yet."""

    def __init__(self, deferred: Callable[[Any], bool] | None = None) -> None:
        self._deferred = deferred
        self._made: dict[str, Check] = {}
        self._making = threading.RLock()

    def of(self, shape: Any) -> Check:
        """The check of a shape, made when first asked for; a shape may contain itself.

        Another thread waits meanwhile: it would be given the placeholder, which leads to nothing but itself.
        """
        name = f"{shape.name}.{shape.type_name}"
        with self._making:
            if name not in self._made:
                self._made[name] = lambda value: self._made[name](value)  # until the real one is made
                self._made[name] = self._unless_deferred(self._make(shape))
            return self._made[name]

    def _unless_deferred(self, check: Check) -> Check:
        deferred = self._deferred
        if deferred is None:
            return check
        return lambda value: _NOTHING if deferred(value) else check(value)

    def _make(self, shape: Any) -> Check:
        if getattr(shape, "is_document_type", False) or shape.serialization.get("eventstream") or getattr(shape, "is_event_stream", False):
            return lambda value: _NOTHING
        if shape.type_name == "structure":
            return self._structure(shape)
        if shape.type_name == "list":
            return self._list(shape)
        if shape.type_name == "map":
            return self._map(shape)
        return _scalar(shape)

    def _structure(self, shape: Any) -> Check:
        members = {name: self.of(member) for name, member in shape.members.items()}
        required, is_union = tuple(shape.required_members), getattr(shape, "is_tagged_union", False)

        def check(value: Any) -> tuple[Problem, ...]:
            if not isinstance(value, Mapping):
                return (_wrong_type(value, "a structure"),)
            found = _NOTHING
            for name, item in value.items():
                if item is not None and (member := members.get(name)) is not None and (problems := member(item)):
                    found += tuple(_below(problem, name) for problem in problems)
            for name in required:
                if value.get(name) is None:
                    found += (Problem((name,), _lowered(name), "null ", NOT_NULL),)
            if is_union and sum(item is not None for item in value.values()) != 1:
                found += (Problem((), "", _quoted(value), f"Member must have exactly one of the members [{', '.join(members)}]"),)
            return found

        return check

    def _list(self, shape: Any) -> Check:
        item_check, length = self.of(shape.member), _bounds(shape.metadata)
        is_flat = shape.member.type_name in _SCALARS

        def check(value: Any) -> tuple[Problem, ...]:
            if not isinstance(value, list | tuple):
                return (_wrong_type(value, "a list"),)
            found = length(len(value), value)
            for position, item in enumerate(value, start=1):
                if problems := item_check(item):
                    found += _in_collection(problems, "Member", [item]) if is_flat else _in_item(problems, f"{position}.member")
            return found

        return check

    def _map(self, shape: Any) -> Check:
        key_check, value_check, length = self.of(shape.key), self.of(shape.value), _bounds(shape.metadata)
        is_flat = shape.value.type_name in _SCALARS

        def check(value: Any) -> tuple[Problem, ...]:
            if not isinstance(value, Mapping):
                return (_wrong_type(value, "a map"),)
            found = length(len(value), value)
            for key, item in value.items():
                if problems := key_check(key):
                    found += _in_collection(problems, "Map keys", {key: item})
                if item is not None and (problems := value_check(item)):
                    found += _in_collection(problems, "Map value", {key: item}) if is_flat else _in_item(problems, f"{key}.member")
            return found

        return check


def _scalar(shape: Any) -> Check:
    kind = shape.type_name
    if kind in ("string", "character"):
        return _text(shape)
    if kind in ("integer", "long", "short", "byte", "float", "double"):
        return _number(shape)
    if kind == "blob":
        return _blob(shape)
    if kind == "boolean":
        return lambda value: _NOTHING if isinstance(value, bool) else (_wrong_type(value, "a Boolean"),)
    return lambda value: _NOTHING if _is_time(value) else (_wrong_type(value, "a Timestamp"),)


def _text(shape: Any) -> Check:
    enum = frozenset(getattr(shape, "enum", ()))
    pattern = shape.metadata.get("pattern")
    match = compiled(pattern).fullmatch if pattern else None
    length = _bounds(shape.metadata)
    allowed = f"Member must satisfy enum value set: [{', '.join(getattr(shape, 'enum', ()))}]"

    def check(value: Any) -> tuple[Problem, ...]:
        if not isinstance(value, str):
            return (_wrong_type(value, "a String"),)
        found = length(len(value) if value.isascii() else len(value.encode("utf-16-le", "surrogatepass")) // 2, value)  # as Java counts
        if enum and value not in enum:
            found += (_broken(value, allowed),)
        if match is not None and not _matches(match, value):
            found += (_broken(value, f"Member must satisfy regular expression pattern: {pattern}"),)
        return found

    return check


def _matches(match: Callable[..., Any], value: str) -> bool:
    try:
        return match(value, timeout=_LONGEST_MATCH_SECONDS, concurrent=len(value) > _SHORT) is not None
    except TimeoutError:
        return False


def _number(shape: Any) -> Check:
    bounds = _bounds(shape.metadata, "value")
    is_whole = shape.type_name not in ("float", "double")
    name = {"float": "a Float", "double": "a Double", "long": "a Long"}.get(shape.type_name, "an Integer")

    def check(value: Any) -> tuple[Problem, ...]:
        if isinstance(value, bool) or not isinstance(value, int if is_whole else int | float):
            is_special = not is_whole and value in ("NaN", "Infinity", "-Infinity")
            is_like_a_whole_one = is_whole and isinstance(value, float) and value.is_integer()
            return _NOTHING if is_special or is_like_a_whole_one else (_wrong_type(value, name),)
        return bounds(value, value)

    return check


def _blob(shape: Any) -> Check:
    length = _bounds(shape.metadata)

    def check(value: Any) -> tuple[Problem, ...]:
        if isinstance(value, str):
            try:
                value = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                return (_wrong_type(value, "a Blob"),)
        if not isinstance(value, bytes | bytearray):
            return _NOTHING if hasattr(value, "read") else (_wrong_type(value, "a Blob"),)
        return length(len(value), "blob")

    return check


def _is_time(value: Any) -> bool:
    if isinstance(value, str):
        from botocore.utils import parse_timestamp

        try:
            parse_timestamp(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float | datetime) and not isinstance(value, bool)


def _bounds(metadata: Mapping[str, Any], what: str = "length") -> Callable[[float, Any], tuple[Problem, ...]]:
    """Checks a number, which is `what` of the value that is shown."""
    lowest, highest = metadata.get("min"), metadata.get("max")
    if lowest is None and highest is None:
        return lambda number, value: _NOTHING

    def check(number: float, value: Any) -> tuple[Problem, ...]:
        if lowest is not None and number < lowest:
            return (_broken(value, f"Member must have {what} greater than or equal to {lowest}"),)
        if highest is not None and number > highest:
            return (_broken(value, f"Member must have {what} less than or equal to {highest}"),)
        return _NOTHING

    return check


# --------------------------------------------------------------------------------------------------- what is said


def _broken(value: Any, rule: str) -> Problem:
    return Problem((), "", _quoted(value), rule)


def _wrong_type(value: Any, wanted: str) -> Problem:
    """In the words of AWS's JSON reader, such as "NUMBER_VALUE can not be converted to a String"."""
    is_list, is_map = isinstance(value, list | tuple), isinstance(value, Mapping)
    given = "Start of list" if is_list else "Start of structure or map" if is_map else _token(value)
    return Problem((), "", _quoted(value), f"{given} can not be converted to {wanted}", is_of_type=True)


def _token(value: Any) -> str:
    if isinstance(value, bool):
        return f"{str(value).upper()}_VALUE"
    return "NULL_VALUE" if value is None else "NUMBER_VALUE" if isinstance(value, int | float) else "STRING_VALUE"


def _below(problem: Problem, name: str) -> Problem:
    place = f"{_lowered(name)}.{problem.place}" if problem.place else _lowered(name)
    return replace(problem, names=(name, *problem.names), place=place)


def _in_item(problems: tuple[Problem, ...], step: str) -> tuple[Problem, ...]:
    return tuple(replace(problem, place=f"{step}.{problem.place}" if problem.place else step) for problem in problems)


def _in_collection(problems: tuple[Problem, ...], whose: str, part: Any) -> tuple[Problem, ...]:
    """Those of a scalar in a list or map, as one of the list or map."""
    if problems[0].is_of_type:
        return problems
    rules = ", ".join(problem.rule for problem in problems)
    return (_broken(part, f"{whose} must satisfy constraint: [{rules}]"),)


def _lowered(name: str) -> str:
    return name[:1].lower() + name[1:]


def _quoted(value: Any) -> str:
    return f"'{_shown(value)}' "


def _shown(value: Any) -> str:
    """As Java prints it, and no longer than a line of a log has room for."""
    text = _printed(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE // 2]}...({len(text)} characters)"


def _printed(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={_printed(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_printed, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else "blob" if isinstance(value, bytes | bytearray) else str(value)


@functools.cache
def checks_of(service: str) -> Checks:
    """The checks of a service of botocore's name."""
    return Checks()
