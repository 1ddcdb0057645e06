"""The conditions of a Condition step. Pure.

Source: `sagemaker.core.workflow.conditions` and the published definition schema, which names the members of `In` differently and has
`NotEquals` and `NotIn`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_account.sagemaker.pipelines import expressions
from local_account.sagemaker.pipelines.expressions import ExpressionError, Scope, evaluate

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
_TWO = ("Equals", "NotEquals", *_ORDER)
#: Members that each type of condition has besides `Type`, the SDK's first. SageMaker refuses a definition with others.
MEMBERS: Mapping[str, tuple[frozenset[str], ...]] = {
    **{name: (frozenset({"LeftValue", "RightValue"}),) for name in _TWO},
    **{name: (frozenset({"QueryValue", "Values"}), frozenset({"Value", "In"})) for name in ("In", "NotIn")},
    "Not": (frozenset({"Condition"}),),
    "Or": (frozenset({"Conditions"}),),
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
    if kind in ("In", "NotIn"):
        query, listed = (condition["QueryValue"], condition["Values"]) if "Values" in condition else (condition["Value"], condition["In"])
        found = any(_equal(evaluate(query, scope), evaluate(value, scope)) for value in listed)
        return found is (kind == "In")
    left, right = evaluate(condition["LeftValue"], scope), evaluate(condition["RightValue"], scope)
    if kind in ("Equals", "NotEquals"):
        return _equal(left, right) is (kind == "Equals")
    return _in_order(kind, left, right)


def problems(condition: Any) -> list[str]:
    """What is wrong with the form of a condition; empty if nothing is."""
    if not isinstance(condition, dict) or condition.get("Type") not in MEMBERS:
        kind = condition.get("Type") if isinstance(condition, dict) else condition
        return [f"condition type {kind!r} is unknown; allowed: {', '.join(MEMBERS)}"]
    kind, members = condition["Type"], set(condition) - {"Type"}
    allowed = max(MEMBERS[kind], key=lambda names: len(names & members))
    wrong = [f"condition {kind} cannot have {name!r}" for name in sorted(members - allowed)]
    wrong += [f"condition {kind} lacks {name!r}" for name in sorted(allowed - members)]
    if wrong:
        return wrong
    if kind in ("Not", "Or"):
        inner = [condition["Condition"]] if kind == "Not" else condition["Conditions"]
        if not isinstance(inner, list):
            return [f"condition Or has Conditions {inner!r}; allowed: a list"]
        return [problem for nested in inner for problem in problems(nested)]
    return [problem for name in sorted(members) for problem in _value_problems(kind, name, condition[name])]


def _value_problems(kind: str, name: str, value: Any) -> list[str]:
    """What is wrong with a value that a condition compares: a text, number or boolean, or a function that stands for one."""
    if name in ("Values", "In"):
        if not isinstance(value, list):
            return [f"condition {kind} has {name} {value!r}; allowed: a list"]
        return [problem for item in value for problem in _value_problems(kind, "a value", item)]
    if value is None or isinstance(value, list) or (isinstance(value, dict) and not expressions.is_expression(value)):
        return [f"condition {kind} has {name} {value!r}; allowed: text, a number, a boolean or a function"]
    return list(expressions.problems(value))


def _equal(left: Any, right: Any) -> bool:
    # In Python True == 1; in a definition a boolean only equals a boolean.
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _in_order(kind: str, left: Any, right: Any) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (left, right))
    if not numbers and not (isinstance(left, str) and isinstance(right, str)):
        raise ExpressionError(f"{kind} compares {left!r} with {right!r}; both must be numbers, or both text")
    return _ORDER[kind](left, right)
