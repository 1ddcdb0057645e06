"""Whether a statement of a policy speaks about a request: its actions, its resources, its conditions, with policy variables filled in.

Sources: IAM user guide, "IAM policy elements: Variables and tags", "Condition operators" (ARN operators) and "IAM ARNs" (wildcards within
an ARN). MiniStack resolves context keys and compares by most operators; the table of its operators gets ours for wildcards and ARNs.
A statement without variables, which most are, is matched as it was parsed. Input: statements, MiniStack's `EvalContext`.
Output: yes or no. Used by `policies.py` (parsing) and `evaluation.py`. Next: `policy_variables.py`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_account.authorization import policy_variables

_ARN_PARTS = 6


@dataclass(frozen=True)
class Statement:
    """`parsed` is MiniStack's form. `has_variables`: something is to be filled in, and the policy's `Version` has variables."""

    parsed: Any
    has_variables: bool = False

    @property
    def effect(self) -> str:
        return str(self.parsed.effect)

    def matches(self, asked: Any) -> bool:
        """Whether it speaks about the request; one that needs a value which the request does not have does not."""
        evaluator, parsed = _evaluator(), self.parsed
        if not evaluator._action_matches(asked.action, parsed.actions, parsed.not_actions):
            return False
        if not self.has_variables:
            named = _is_named(asked.resource_arn, parsed.resources, parsed.not_resources)
            return named and bool(evaluator._conditions_met(parsed.conditions, asked))
        values = functools.partial(evaluator._resolve_condition_key, ctx=asked)
        excepted = policy_variables.resources(parsed.not_resources, values)
        if len(excepted) < len(parsed.not_resources):
            return False
        if not _is_named(
            asked.resource_arn, policy_variables.resources(parsed.resources, values), excepted, is_limited=bool(parsed.resources)
        ):
            return False
        conditions = policy_variables.conditions(parsed.conditions, values)
        return conditions is not None and bool(evaluator._conditions_met(conditions, asked))


def parse(documents: Iterable[Mapping[str, Any]], version: str) -> tuple[Statement, ...]:
    """The statements of a policy of a `Version`."""
    evaluator, fills_in = _evaluator(), version == policy_variables.VERSION
    return tuple(
        Statement(parsed, fills_in and policy_variables.occur_in((parsed.resources, parsed.not_resources, parsed.conditions)))
        for parsed in evaluator.parse_policy_document({"Statement": list(documents)})
    )


def matches_pattern(value: str, pattern: str) -> bool:
    """IAM's wildcards: `*` any characters, `?` one; characters of `policy_variables.LITERAL` stand for themselves."""
    return pattern == "*" or _compiled(pattern, by_parts=False).fullmatch(value) is not None


def matches_arn(value: str, pattern: str) -> bool:
    """The same, but no wildcard reaches over a colon that separates an ARN's six parts. "Each of the six colon-delimited components of the
    ARN is checked separately."
    """
    return pattern == "*" or _compiled(pattern, by_parts=True).fullmatch(value) is not None


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str, *, by_parts: bool) -> re.Pattern[str]:
    parts = pattern.split(":", _ARN_PARTS - 1)
    if not by_parts or len(parts) < _ARN_PARTS:
        return re.compile(_expression(pattern, "."), re.DOTALL)
    return re.compile(":".join([*(_expression(part, "[^:]") for part in parts[:-1]), _expression(parts[-1], ".")]), re.DOTALL)


def _expression(pattern: str, any_character: str) -> str:
    wildcards = {"*": f"{any_character}*", "?": any_character}
    return "".join(wildcards.get(character) or re.escape(policy_variables.unmarked(character)) for character in pattern)


def _is_named(arn: str, named: Sequence[str], excepted: Sequence[str], *, is_limited: bool = False) -> bool:
    if named or is_limited:
        return any(matches_arn(arn, pattern) for pattern in named)
    return not any(matches_arn(arn, pattern) for pattern in excepted)


def _is_like(actual: str, expected: str) -> bool:
    """`ArnLike` and `ArnEquals`, which "behave identically"; what has fewer parts than an ARN is like none."""
    return expected == "*" or (expected.count(":") >= _ARN_PARTS - 1 and matches_arn(actual, expected))


@functools.cache
def _evaluator() -> Any:
    from ministack.core import iam_evaluator

    operators = {"stringlike": matches_pattern, "arnlike": _is_like, "arnequals": _is_like}
    iam_evaluator._CONDITION_OPS.update(operators)
    negated = {"stringnotlike": matches_pattern, "arnnotlike": _is_like, "arnnotequals": _is_like}
    iam_evaluator._CONDITION_OPS.update({name: _not(operator) for name, operator in negated.items()})
    iam_evaluator._resolve_condition_key = _knowing_owners(iam_evaluator._resolve_condition_key)
    return iam_evaluator


def _knowing_owners(original: Any) -> Any:
    """MiniStack takes the account of a resource from its ARN, which a bucket's does not have; whoever asks knows (`context_keys.py`)."""

    def resolve(key: str, ctx: Any) -> Any:
        owner = ctx.service_context.get(key.lower()) if key.lower() in ("aws:resourceaccount", "s3:resourceaccount") else None
        return owner or original(key, ctx)

    return resolve


def _not(operator: Any) -> Any:
    return lambda actual, expected: not operator(actual, expected)
