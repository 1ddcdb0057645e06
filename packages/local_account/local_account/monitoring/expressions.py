"""CloudWatch metric math for alarms, one period at a time. Pure.

In: an expression such as `IF(invocations > 0, 100 * errors / invocations, 0)` and the values of its identifiers, None where
missing. Out: the value, None where it is missing. Source: CloudWatch user guide, "Using math expressions with CloudWatch metrics".
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping

Value = float | None


class ExpressionError(ValueError):
    """The expression is not understood; the message says which part."""


_BINARY: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
#: Functions of one value or of a list of values, which ignore missing ones.
_FUNCTIONS: Mapping[str, Callable[[list[float]], float]] = {
    "ABS": lambda values: abs(values[0]),
    "CEIL": lambda values: float(math.ceil(values[0])),
    "FLOOR": lambda values: float(math.floor(values[0])),
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MAX": max,
    "MIN": min,
}


def parse(expression: str) -> ast.expr:
    """The expression as a syntax tree. Raises ExpressionError where the text is not an expression at all."""
    text = re.sub(r"\bAND\b|&&", " and ", expression)
    text = re.sub(r"\bOR\b|\|\|", " or ", text).replace("^", "**")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"metric math {expression!r} is not an expression: {error.msg}") from error


def identifiers(expression: str) -> set[str]:
    """Identifiers that the expression refers to."""
    return {
        node.id
        for node in ast.walk(parse(expression))
        if isinstance(node, ast.Name) and node.id not in {*_FUNCTIONS, "IF", "FILL", "METRICS"}
    }


def functions(tree: ast.expr) -> set[str]:
    """Names of the functions that an expression calls, known here or not."""
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def evaluate(expression: str, values: Mapping[str, Value]) -> Value:
    """Value for one period. A missing operand makes the result missing, except where FILL or IF says otherwise."""
    return _evaluate(parse(expression), values)


def _evaluate(node: ast.expr, values: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=bool() | str()):
            pass
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            if name in values:
                return values[name]
            raise ExpressionError(f"metric math refers to {name!r}, which no query of the alarm defines")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _evaluate(operand, values)
            return None if value is None else -value
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _BINARY:
            return _combine(_BINARY[type(operation)], _evaluate(left, values), _evaluate(right, values))
        case ast.Compare(left=left, ops=[comparison], comparators=[right]) if type(comparison) in _COMPARISONS:
            return _combine(_COMPARISONS[type(comparison)], _evaluate(left, values), _evaluate(right, values))
        case ast.BoolOp(op=operation, values=operands):
            evaluated = [_evaluate(operand, values) for operand in operands]
            if None in evaluated:
                return None
            return float(all(evaluated) if isinstance(operation, ast.And) else any(evaluated))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _call(name, arguments, values)
        case _:
            pass
    raise ExpressionError(f"metric math does not support {ast.unparse(node)!r} here")


def _combine(operation: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Numbers; a division by zero is missing, as in CloudWatch."""
    if left is None or right is None:
        return None
    try:
        return float(operation(left, right))
    except ZeroDivisionError:
        return None


def _call(name: str, arguments: list[ast.expr], values: Mapping[str, Value]) -> Value:
    if name == "IF" and len(arguments) in (2, 3):
        condition = _evaluate(arguments[0], values)
        if condition is None:
            return None
        if condition:
            return _evaluate(arguments[1], values)
        return _evaluate(arguments[2], values) if len(arguments) == 3 else None
    if name == "FILL" and len(arguments) == 2:
        value = _evaluate(arguments[0], values)
        return _evaluate(arguments[1], values) if value is None else value
    if name in _FUNCTIONS and arguments:
        present = [value for value in _list(arguments, values) if value is not None]
        return float(_FUNCTIONS[name](present)) if present else None
    raise ExpressionError(f"metric math does not support {name}() with {len(arguments)} arguments here")


def _list(arguments: list[ast.expr], values: Mapping[str, Value]) -> list[Value]:
    """Arguments of a function: values, lists of values, or METRICS() for all of them."""
    found: list[Value] = []
    for argument in arguments:
        match argument:
            case ast.List(elts=elements):
                found += [_evaluate(element, values) for element in elements]
            case ast.Call(func=ast.Name(id="METRICS"), args=[]):
                found += list(values.values())
            case _:
                found.append(_evaluate(argument, values))
    return found
