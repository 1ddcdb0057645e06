"""The conditions of a Condition step. Pure. Source: `sagemaker.core.workflow.conditions` and the definition schema."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_account.sagemaker.pipelines.expressions import ExpressionError, Scope, evaluate

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
#: Members that each type of condition has besides `Type`. SageMaker refuses a definition with others.
MEMBERS: Mapping[str, frozenset[str]] = {
    "Equals": frozenset({"LeftValue", "RightValue"}),
    **{name: frozenset({"LeftValue", "RightValue"}) for name in _ORDER},
    "In": frozenset({"QueryValue", "Values"}),
    "Not": frozenset({"Condition"}),
    "Or": frozenset({"Conditions"}),
}


def all_hold(conditions: Sequence[Mapping[str, Any]], scope: Scope) -> bool:
    """Conditions of a step hold together: a list means "and"."""
    return all(holds(condition, scope) for condition in conditions)


def holds(condition: Mapping[str, Any], scope: Scope) -> bool:
    """Whether one condition is true. Raises ExpressionError for values that cannot be compared."""
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Condition"], scope)
    if kind == "Or":
        return any(holds(alternative, scope) for alternative in condition["Conditions"])
    if kind == "In":
        query = evaluate(condition["QueryValue"], scope)
        return any(_equal(query, evaluate(value, scope)) for value in condition["Values"])
    left, right = evaluate(condition["LeftValue"], scope), evaluate(condition["RightValue"], scope)
    return _equal(left, right) if kind == "Equals" else _in_order(kind, left, right)


def problems(condition: Any) -> list[str]:
    """What is wrong with the form of a condition; empty if nothing is."""
    if not isinstance(condition, dict) or condition.get("Type") not in MEMBERS:
        kind = condition.get("Type") if isinstance(condition, dict) else condition
        return [f"condition type {kind!r} is unknown; allowed: {', '.join(MEMBERS)}"]
    members = set(condition) - {"Type"}
    wrong = [f"condition {condition['Type']} cannot have {name!r}" for name in sorted(members - MEMBERS[condition["Type"]])]
    wrong += [f"condition {condition['Type']} lacks {name!r}" for name in sorted(MEMBERS[condition["Type"]] - members)]
    if wrong:
        return wrong
    inner = [condition["Condition"]] if condition["Type"] == "Not" else condition.get("Conditions", [])
    return [problem for nested in inner for problem in problems(nested)]


def _equal(left: Any, right: Any) -> bool:
    # In Python True == 1; in a definition a boolean only equals a boolean.
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _in_order(kind: str, left: Any, right: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (left, right))
    if not numbers and not (isinstance(left, str) and isinstance(right, str)):
        raise ExpressionError(f"{kind} compares {left!r} with {right!r}; both must be numbers, or both text")
    return _ORDER[kind](left, right)
