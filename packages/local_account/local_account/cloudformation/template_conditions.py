"""Evaluates the conditions of a template.

MiniStack reads a parameter in a condition and little else: it compares the *name* of a pseudo parameter (so that nothing is ever in
`us-east-1`) and the unread text of Fn::FindInMap, Fn::Join and Fn::Sub. Here an operand is resolved like a property.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html. Used by `template_requests.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from local_account.cloudformation.templates import Template


def evaluate(template: Template, parameters: Mapping[str, Any]) -> dict[str, bool]:
    """Condition -> whether it holds. `parameters` as MiniStack resolves them: {name: {"Value": ...}}.

    Raises ValueError for a key that a mapping has not got.
    """
    definitions, mappings = template.get("Conditions", {}), template.get("Mappings", {})

    @functools.cache
    def holds(name: str) -> bool:
        return _evaluate(definitions[name])

    def _evaluate(expression: Mapping[str, Any]) -> bool:
        ((function, argument),) = expression.items()
        if function == "Condition":
            return holds(argument)
        if function == "Fn::Equals":
            left, right = (_operand(item, parameters, mappings) for item in argument)
            return left == right
        parts = [_evaluate(part) for part in argument]
        return all(parts) if function == "Fn::And" else any(parts) if function == "Fn::Or" else not parts[0]

    return {name: holds(name) for name in definitions}


def _operand(value: Any, parameters: Mapping[str, Any], mappings: Mapping[str, Any]) -> str:
    from ministack.services.cloudformation import engine

    resolved = engine._resolve_refs(value, {}, parameters, {}, mappings, "", "")
    return str(resolved).lower() if isinstance(resolved, bool) else str(resolved)
