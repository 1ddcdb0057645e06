"""Conditions before the entry of a stage: rules that must hold, and what happens if they do not.

https://docs.aws.amazon.com/codepipeline/latest/userguide/rule-reference-VariableCheck.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from local_account.codepipeline.records import ConditionRun, RuleRun
from local_account.codepipeline.variables import Namespaces, UnresolvedVariableError, resolve_configuration

_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "EQ": lambda value, expected: value == expected,
    "NE": lambda value, expected: value != expected,
    "CONTAINS": lambda value, expected: expected in value,
    "MATCHES": lambda value, expected: re.fullmatch(expected, value) is not None,
}


def evaluate(condition: Mapping[str, Any], namespaces: Namespaces) -> ConditionRun:
    """All rules of a condition must hold. Errored means that a rule could not be evaluated; it never skips a stage."""
    rules = [_evaluate_rule(rule, namespaces) for rule in condition.get("rules", [])]
    broken = next((rule for rule in rules if rule.status != "Succeeded"), None)
    status = "Succeeded" if broken is None else broken.status
    summary = broken.message if broken else "all rules hold"
    shown = [RuleRun(rule.name, "Failed" if rule.status == "Errored" else rule.status, rule.message, rule.at) for rule in rules]
    return ConditionRun(status, summary, shown, result=condition.get("result", "FAIL"))


def _evaluate_rule(rule: Mapping[str, Any], namespaces: Namespaces) -> RuleRun:
    name = str(rule["name"])
    try:
        configuration = resolve_configuration(rule.get("configuration", {}), namespaces)
        holds, message = RULES[rule["ruleTypeId"]["provider"]](configuration)
    except (UnresolvedVariableError, KeyError, re.error) as error:
        return RuleRun(name, "Errored", f"rule {name} cannot be evaluated: {error}")
    return RuleRun(name, "Succeeded" if holds else "Failed", message)


def _variable_check(configuration: Mapping[str, str]) -> tuple[bool, str]:
    value, operator, expected = configuration["Variable"], configuration["Operator"], configuration["Value"]
    holds = _OPERATORS[operator](value, expected)
    return holds, f"{value!r} {operator} {expected!r} is {'true' if holds else 'false'}"


RULES: Mapping[str, Callable[[Mapping[str, str]], tuple[bool, str]]] = {"VariableCheck": _variable_check}
