"""Whether a resource fulfils a SearchExpression. Pure.

Source: API reference of SearchExpression, Filter and NestedFilters (botocore's model has the same text). Where it is silent: text is
compared letter by letter, and NotEquals also holds for a resource that does not have the property.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from local_account.errors import ServiceError
from local_account.sagemaker.search.properties import BOOLEAN, HYPERPARAMETER, NUMBER, OTHER, TEXT, TIME, Property, property_of

Test = Callable[[Mapping[str, Any]], bool]

_MOST_CONDITIONS = 50
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
_OF_TEXT = ("Contains", "In")


def test_of(expression: Mapping[str, Any], shape: Any, resource: str) -> Test:
    """The expression as a function of a record. Raises a ValidationException for one that SageMaker refuses."""
    conditions = list(_conditions(expression))
    if len(conditions) > _MOST_CONDITIONS:
        raise _refused(f"SearchExpression has {len(conditions)} filters and expressions; allowed: {_MOST_CONDITIONS}")
    if [each.get("Operator") for each in conditions].count("Contains") > 1:
        raise _refused("'CONTAINS' operator usage limit of 1 exceeded.")
    return _expression(expression, shape, resource)


def _conditions(expression: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from expression.get("Filters") or []
    for nested in expression.get("NestedFilters") or []:
        yield from nested["Filters"]
    for inner in expression.get("SubExpressions") or []:
        yield inner
        yield from _conditions(inner)


def _expression(expression: Mapping[str, Any], shape: Any, resource: str) -> Test:
    tests = [_filter(each, shape, resource) for each in expression.get("Filters") or []]
    tests += [_nested(each, shape, resource) for each in expression.get("NestedFilters") or []]
    tests += [_expression(each, shape, resource) for each in expression.get("SubExpressions") or []]
    if not tests:
        raise _refused("SearchExpression needs at least one of Filters, NestedFilters and SubExpressions.")
    combined = any if expression.get("Operator") == "Or" else all
    return lambda record: combined(test(record) for test in tests)


def _nested(nested: Mapping[str, Any], shape: Any, resource: str) -> Test:
    """ "A nested filter is satisfied if a single object in the list satisfies all Boolean expressions." """
    name = nested["NestedPropertyName"]
    if property_of(shape, resource, name).kind != OTHER:
        raise _refused(f"NestedPropertyName {name} of {resource} is no list.")
    foreign = [each["Name"] for each in nested["Filters"] if not each["Name"].startswith(f"{name}.")]
    if foreign:
        raise _refused(f"NestedFilters of {name} has a filter of {foreign[0]}; allowed: names that begin with {name}.")
    tests = [_filter(each, shape, resource) for each in nested["Filters"]]
    elements = Property(name, OTHER)
    return lambda record: any(all(test(_placed(name, element)) for test in tests) for element in elements.values(record))


def _placed(name: str, element: Any) -> Mapping[str, Any]:
    """A record that has nothing but one element of a list, where the list was."""
    placed: Any = element
    for part in reversed(name.split(".")):
        placed = {part: placed}
    found: Mapping[str, Any] = placed
    return found


def _filter(condition: Mapping[str, Any], shape: Any, resource: str) -> Test:
    known = property_of(shape, resource, condition["Name"])
    kind, value = condition.get("Operator") or "Equals", condition.get("Value")
    if kind == "Exists":
        return lambda record: bool(known.values(record))
    if kind == "NotExists":
        return lambda record: not known.values(record)
    if value is None:
        raise _refused(f"Filter of {known.name} with {kind} needs a Value.")
    if known.kind == OTHER:
        raise _refused(f"Filter of {known.name}: {kind} is not supported for a {OTHER}; allowed: Exists, NotExists")
    if kind in _OF_TEXT and known.kind not in (TEXT, HYPERPARAMETER):
        raise _refused(f"Filter of {known.name}: {kind} is only supported for text properties.")
    if kind in _ORDER and known.kind in (TEXT, BOOLEAN):
        raise _refused(f"Filter of {known.name}: {kind} is not supported for {known.kind} properties.")
    return _comparison(known, kind, value)


def _comparison(known: Property, kind: str, text: str) -> Test:
    if kind == "Contains":
        return lambda record: any(text in str(found) for found in known.values(record))
    if kind == "In":
        listed = [part.strip() for part in text.split(",")]
        return lambda record: any(str(found) in listed for found in known.values(record))
    wanted = _typed(known, text)
    if kind in _ORDER:
        return lambda record: any(_ordered(_ORDER[kind], _alike(found, wanted), wanted) for found in known.values(record))
    if kind == "NotEquals":
        return lambda record: all(_alike(found, wanted) != wanted for found in known.values(record))
    return lambda record: any(_alike(found, wanted) == wanted for found in known.values(record))


def _typed(known: Property, text: str) -> Any:
    """The value of a filter in the type of its property."""
    try:
        if known.kind == NUMBER:
            return float(text)
        if known.kind == TIME:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError as error:
        allowed = "a number" if known.kind == NUMBER else "a time such as 2026-01-31T12:00:00"
        raise _refused(f"Filter of {known.name}: Value is {text!r}; allowed: {allowed}") from error
    if known.kind == BOOLEAN:
        if text.lower() not in ("true", "false"):
            raise _refused(f"Filter of {known.name}: Value is {text!r}; allowed: true, false")
        return text.lower() == "true"
    return _number(text) if known.kind == HYPERPARAMETER else text


def _alike(found: Any, wanted: Any) -> Any:
    """ "Decimal hyperparameter values are treated as a decimal […] if the specified Value is also a decimal value. If the specified
    Value is an integer, the decimal hyperparameter values are treated as integers." Other values are what they are.
    """
    if not isinstance(found, str) or isinstance(wanted, str):
        return found
    number = _number(found)
    return int(number) if isinstance(wanted, int) and isinstance(number, float) and number == number else number


def _number(text: str) -> int | float | str:
    """Text as the number that it is, or as text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _ordered(compare: Callable[[Any, Any], bool], found: Any, wanted: Any) -> bool:
    return isinstance(found, str) == isinstance(wanted, str) and compare(found, wanted)


def _refused(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
