"""Metric math: what an alarm's expression is worth in one period."""

from __future__ import annotations

import pytest

from local_account.monitoring import expressions

ERROR_RATE = "IF(invocations > 0, 100 * errors / invocations, 0)"


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        (ERROR_RATE, {"invocations": 50.0, "errors": 5.0}, 10.0),
        (ERROR_RATE, {"invocations": 0.0, "errors": 0.0}, 0.0),
        ("m1 + m2 * 2 - 1", {"m1": 1.0, "m2": 3.0}, 6.0),
        ("m1 / m2", {"m1": 1.0, "m2": 0.0}, None),
        ("FILL(m1, 0) + 1", {"m1": None}, 1.0),
        ("m1 + 1", {"m1": None}, None),
        ("MAX([m1, m2])", {"m1": 4.0, "m2": 7.0}, 7.0),
        ("SUM(METRICS())", {"m1": 4.0, "m2": 7.0, "m3": None}, 11.0),
        ("m1 > 3 AND m2 < 3", {"m1": 4.0, "m2": 2.0}, 1.0),
        ("m1 > 3 && m2 > 3", {"m1": 4.0, "m2": 2.0}, 0.0),
        ("IF(m1 > 100, m1)", {"m1": 4.0}, None),
        ("-ABS(m1) ^ 2", {"m1": -3.0}, -9.0),
    ],
)
def test_an_expression_has_the_value_that_cloudwatch_gives_it(
    expression: str, values: dict[str, float | None], expected: float | None
) -> None:
    assert expressions.evaluate(expression, values) == expected


@pytest.mark.parametrize(
    "expression", ["__import__('os')", "m1.real", "[m1 for m1 in m1]", "lambda: 1", "'text'", "m1 if m1 else 2", "UNKNOWN(m1)"]
)
def test_nothing_but_metric_math_is_evaluated(expression: str) -> None:
    with pytest.raises(expressions.ExpressionError, match="metric math"):
        expressions.evaluate(expression, {"m1": 1.0})


def test_a_broken_expression_is_named() -> None:
    with pytest.raises(expressions.ExpressionError, match=r"'m1 \+' is not an expression"):
        expressions.evaluate("m1 +", {"m1": 1.0})


def test_an_identifier_without_query_is_named() -> None:
    with pytest.raises(expressions.ExpressionError, match="refers to 'other'"):
        expressions.evaluate("m1 + other", {"m1": 1.0})
