"""Each action of a role's statements taken away once: which requests of a journey are refused then, in which words.

In: roles and requests as the local account has recorded them (`local_account.permissions`). Out: `Taken`. The account's own engine decides
each request again; a grant that nothing misses has its reason in tests/infra/unused_grants.py, or goes. Used by test_ways_back.py,
test_released_kinds.py and the journeys of fleets. Between accounts both sides are taken away: missed_grants.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from local_account import permissions
from local_account.authorization.record import Asked
from local_account.authorization.usage import Role, as_list, refused, statements, statements_of
from tests.infra.unused_grants import reason
from tests.loop.missed_grants import covers


@dataclass(frozen=True)
class Taken:
    """`missing`: the requests that only this action of this statement allowed, with the words of their refusal."""

    role: Role
    sid: str
    action: str
    missing: Sequence[tuple[Asked, str]]

    @property
    def name(self) -> str:
        return f"{self.role.name}: {self.sid}, {self.action}"

    @property
    def kind(self) -> tuple[str, str, str]:
        """The same for each model: `deployment`, `offer`."""
        return self.role.name.rpartition("--")[2], self.sid, self.action


def unmissed(report: Mapping[str, Any], roles: Collection[str], statements: Collection[str] = ()) -> list[str]:
    """What of these roles, by their names, nothing has missed until here, though no reason keeps it; and refusals that do not say what.

    `report`: of the account (`local_account.permissions`). `statements`: only those that are called so.
    """
    known, requests = permissions.read(report)
    found = list(taken_away([role for role, _ in known if role.name in roles], requests, report["region"]))
    judged = [item for item in found if not statements or item.sid in statements]
    idle = set(roles) - {item.role.name for item in judged if item.missing}
    return [*(f"{role}: everything" for role in sorted(idle)), *unexplained(judged), *misnamed(judged)]


def taken_away(roles: Iterable[Role], requests: Sequence[Asked], region: str) -> Iterator[Taken]:
    for role in roles:
        own = [asked for asked in requests if asked.role == role.arn and asked.allowed and asked.identity]
        for policy, index, statement in statements(role):
            for action in as_list(statement["Action"]):
                mine, less = [asked for asked in own if covers(action, asked.action)], _lacking(role, policy, index, action)
                missing = [(asked, words) for asked in mine if (words := refused(less, asked, region, None, ""))]
                yield Taken(role, str(statement.get("Sid", index)), action, missing)


def _lacking(role: Role, policy: str, index: int, action: str) -> Role:
    """The role after one action of one statement was taken away."""
    listed = statements_of(role.documents[policy])
    left = [
        {**item, "Action": [each for each in as_list(item["Action"]) if each != action]} if at == index else item
        for at, item in enumerate(listed)
    ]
    return replace(role, documents={**role.documents, policy: {"Statement": [item for item in left if item["Action"]]}})


def unexplained(found: Sequence[Taken]) -> list[str]:
    """What nothing has missed, and no reason keeps. Of roles of one kind, of several models, one that misses it is enough."""
    missed = {item.kind for item in found if item.missing}
    return sorted(item.name for item in found if item.kind not in missed and reason(item.role.logical_id, item.action) is None)


def misnamed(found: Iterable[Taken]) -> list[str]:
    """Refusals that do not say who lacks what on which resource."""
    said = [(asked, words) for item in found for asked, words in item.missing]
    return [words for asked, words in said if not all(part in words for part in (asked.role, asked.action, asked.resource))]
