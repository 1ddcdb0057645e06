"""What a role was granted, what of it was used, and what would be missed: least privilege, measured.

Input: a role's policies as they are now, and the requests of `record.py`. Output: for each statement how often it allowed a request, what
it allows and nobody asked for, and whether something fails without it. Pure. Next: `local_account/permissions.py`, which serves it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from local_account.authorization import enforcement, policies
from local_account.authorization.evaluation import allowing, decide
from local_account.authorization.principals import Principal
from local_account.authorization.record import Asked
from local_account.authorization.requests import Check
from local_account.authorization.statements import matches_pattern


@dataclass(frozen=True)
class Role:
    """`stack` and `logical_id` are empty for a role that no stack made; `trusted` are the services that may assume it."""

    arn: str
    stack: str
    logical_id: str
    trusted: Sequence[str]
    documents: Mapping[str, Mapping[str, Any]]

    @property
    def name(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    def without(self, policy: str, index: int) -> Role:
        """The same role after one statement was taken away."""
        left = [item for place, item in enumerate(statements_of(self.documents[policy])) if place != index]
        return replace(self, documents={**self.documents, policy: {"Statement": left}})

    def without_policy(self, policy: str) -> Role:
        """The same role without a whole policy, if it has it."""
        return replace(self, documents={name: document for name, document in self.documents.items() if name != policy})

    def principal(self) -> Principal:
        identity = tuple(policies.policy(name, document) for name, document in self.documents.items())
        return Principal(self.arn, "AssumedRole", self.arn.split(":")[4], identity, keys={"aws:principalarn": self.arn})


@dataclass(frozen=True)
class Grant:
    """One allowing statement. `requests` counts what it allowed, `alone` how many different requests nothing else would have allowed.

    `never_used` are its actions that nobody asked for, `never_reached` its resources that no allowed request was about.
    """

    policy: str
    index: int
    sid: str
    actions: Sequence[str]
    resources: Sequence[str]
    condition: Mapping[str, Any]
    requests: int
    alone: int
    used: Sequence[str]
    never_used: Sequence[str]
    never_reached: Sequence[str]

    @property
    def services(self) -> list[str]:
        """Of the actions that were used."""
        return sorted({action.partition(":")[0] for action in self.used})


@dataclass(frozen=True)
class RoleUse:
    role: Role
    grants: Sequence[Grant]
    refused: Sequence[Asked]

    @property
    def requests(self) -> int:
        return sum(grant.requests for grant in self.grants)


def measured(roles: Iterable[Role], requests: Sequence[Asked], region: str) -> list[RoleUse]:
    """What each role used of its policies. A statement that denies is no grant."""
    return [_of_role(role, [asked for asked in requests if asked.role == role.arn], region) for role in roles]


def _of_role(role: Role, requests: Sequence[Asked], region: str) -> RoleUse:
    allowed = [asked for asked in requests if asked.allowed and asked.identity]
    by_request = [(asked, allowing_statements(role, asked, region)) for asked in allowed]
    grants = [_grant(name, index, item, by_request) for name, index, item in statements(role)]
    return RoleUse(role, grants, [asked for asked in requests if not asked.allowed])


def allowing_statements(role: Role, asked: Asked, region: str) -> list[tuple[str, int]]:
    """Policy and place of every statement of a role that allows a request that was recorded, asked again of the engine."""
    return allowing(role.principal(), Check(asked.action, asked.resource, dict(asked.keys)), region)


def refused(role: Role, asked: Asked, region: str, own: Mapping[str, Any] | None, owner: str) -> str:
    """What a request that was recorded would be answered under these policies: a refusal's words; empty if it is allowed.

    `own`: the policy of the resource, if it has one; `owner`: the resource's account.
    """
    check = Check(asked.action, asked.resource, dict(asked.keys))
    listed = policies.resource_statements(json.dumps(own)) if own is not None else None
    decision = decide(role.principal(), check, region, listed, owner)
    return "" if decision.allowed else enforcement.refusal(role.principal(), check, decision, asked.action.partition(":")[0]).message


def statements(role: Role) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Every allowing statement, with its policy and its place there."""
    for name, document in role.documents.items():
        for index, item in enumerate(statements_of(document)):
            if item.get("Effect") == "Allow":
                yield name, index, item


def _grant(name: str, index: int, item: Mapping[str, Any], by_request: Sequence[tuple[Asked, Sequence[tuple[str, int]]]]) -> Grant:
    mine = [(asked, len(found)) for asked, found in by_request if (name, index) in found]
    actions, resources = as_list(item.get("Action")), as_list(item.get("Resource"))
    used = [pattern for pattern in actions if any(_matches(pattern, asked.action) for asked, _ in mine)]
    reached = [pattern for pattern in resources if any(_matches(pattern, asked.resource) for asked, _ in mine)]
    return Grant(
        name,
        index,
        str(item.get("Sid", "")),
        actions,
        resources,
        item.get("Condition", {}),
        requests=sum(asked.count for asked, _ in mine),
        alone=sum(1 for _, allowed_by in mine if allowed_by == 1),
        used=used,
        never_used=[action for action in actions if action not in used],
        never_reached=[resource for resource in resources if resource not in reached],
    )


def statements_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of a policy, which may have one without a list."""
    listed = document.get("Statement", [])
    return [listed] if isinstance(listed, dict) else list(listed)


def as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value or ()]


def _matches(pattern: str, given: str) -> bool:
    """IAM's wildcards, whatever the letters' case: in resources, which are written as they are, it makes no difference."""
    return matches_pattern(given.lower(), pattern.lower())
