"""Conditions of a template that compare what functions make, such as `Fn::Join` of a list; MiniStack compares the function itself.

The CDK's bootstrap template asks in this way whether policies for its execution role are given: without this they are, and it gets the
policy "".
Functions in conditions: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-conditions.html.
Used by `__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_VALUES = ("Fn::Join", "Fn::Sub", "Fn::FindInMap", "Fn::Split", "Fn::Select")
Evaluate = Callable[[dict[str, Any], dict[str, Any]], dict[str, bool]]


def install() -> None:
    """Wrap MiniStack's evaluation wherever it is called from."""
    from ministack.services.cloudformation import changesets, engine, handlers, stacks

    original = getattr(engine._evaluate_conditions, "__wrapped__", engine._evaluate_conditions)
    evaluate = _with_functions(original)
    changesets._evaluate_conditions = evaluate
    engine._evaluate_conditions = evaluate
    handlers._evaluate_conditions = evaluate
    stacks._evaluate_conditions = evaluate


def _with_functions(original: Evaluate) -> Evaluate:
    from ministack.services.cloudformation.engine import _resolve_refs

    def evaluate(template: dict[str, Any], params: dict[str, Any]) -> dict[str, bool]:
        mappings = template.get("Mappings", {})

        def known(node: Any) -> Any:
            if isinstance(node, list):
                return [known(item) for item in node]
            if isinstance(node, dict) and len(node) == 1 and next(iter(node)) in _VALUES:
                return _resolve_refs(node, {}, params, {}, mappings, "", "")
            return {name: known(value) for name, value in node.items()} if isinstance(node, dict) else node

        return original({**template, "Conditions": known(template.get("Conditions", {}))}, params)

    evaluate.__wrapped__ = original  # type: ignore[attr-defined]  # so that the next account wraps MiniStack's own
    return evaluate
