"""What was asked of the policies since the account began: each request of a role, how often, and each refusal of anybody.

A decision is noted in about a microsecond: only a request that was not seen before is looked at. Of a request those context keys are
kept that a condition of its principal's statements asks for, or of the resource's own, so that it can be decided again under other
policies.
Input: decisions. Output: `Asked`. Used by `enforcement.py`. Next: `usage.py`, which says what of a role was used.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_account.authorization.evaluation import Decision
from local_account.authorization.policies import ResourceStatement
from local_account.authorization.principals import Principal
from local_account.authorization.requests import Check
from local_account.authorization.statements import Statement

#: Of one action by one statement so many resources are kept apart, whatever else is asked for: an account may stay for days.
MOST_RESOURCES = 200
_OTHERS = "..."


@dataclass
class Asked:
    """One request as the policies saw it. `role` is the role's ARN, empty for who is no role's session.

    `identity` says whether an identity-based policy allowed it: a resource's policy may do so alone. `lacking` is empty if it was allowed.
    """

    principal: str
    role: str
    action: str
    resource: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    identity: bool = False
    lacking: str = ""
    explicit: bool = False
    count: int = 0

    @property
    def allowed(self) -> bool:
        return not self.lacking


class Record:
    """Of one account. Thread-safe."""

    def __init__(self) -> None:
        # A statement is known by its object, which is kept here, so that no other one gets its id.
        self._groups: dict[tuple[str, str, int, str], tuple[Any, dict[str, Asked]]] = {}
        self._lock = threading.Lock()

    def note(self, principal: Principal, check: Check, decision: Decision, own: Sequence[ResourceStatement] | None = None) -> None:
        """Count a decision. What a user may do is not counted: a person's permissions are nobody's templates.

        `own`: the resource's policy, where it has one.
        """
        if principal.is_internal or (decision.allowed and principal.kind != "AssumedRole"):
            return
        key = (principal.role_arn, check.action, id(decision.statement), decision.lacking)
        with self._lock:
            group = self._groups.get(key)
            if group is None:
                group = self._groups[key] = (decision.statement, {})
            asked = group[1].get(check.resource)
            if asked is None:
                resource = check.resource if len(group[1]) < MOST_RESOURCES else _OTHERS
                asked = group[1].get(resource) or group[1].setdefault(resource, _asked(principal, check, decision, own or ()))
            asked.count += 1

    def requests(self) -> list[Asked]:
        with self._lock:
            return [asked for _, group in self._groups.values() for asked in group.values()]


def _asked(principal: Principal, check: Check, decision: Decision, own: Sequence[ResourceStatement]) -> Asked:
    role = principal.role_arn if principal.kind == "AssumedRole" else ""
    asking = [statement for policy in principal.identity for statement in policy.statements] + [item.statement for item in own]
    found = {key: check.keys.get(key) for key in sorted(set(_condition_keys(asking, check.action)))}
    keys = {key: value for key, value in found.items() if value is not None}
    identity = decision.statement is not None
    return Asked(principal.arn, role, check.action, check.resource, keys, identity, decision.lacking, decision.explicit)


def _condition_keys(statements: Iterable[Statement], action: str) -> Iterator[str]:
    from ministack.core.iam_evaluator import _action_matches

    for parsed in (statement.parsed for statement in statements):
        if parsed.conditions and _action_matches(action, parsed.actions, parsed.not_actions):
            yield from (key.lower() for wanted in parsed.conditions.values() for key in wanted)
