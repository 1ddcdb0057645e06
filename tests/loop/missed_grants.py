"""What of a recorded journey would have been refused without a grant between two places: the same engine decides each request again.

In: the grants that were found (`crossings.py`), and the requests that the account has recorded. Out: for each grant the requests that miss
it, in the words of their refusal. For test_three_accounts.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local_account.authorization.record import Asked
from local_account.authorization.usage import Role, refused
from tests.loop.crossings import Crossing, Policy, without

Missed = Mapping[Crossing, Sequence[tuple[Asked, str]]]


@dataclass(frozen=True)
class Grants:
    """Everything that is granted from one place to another, and what it stands in.

    `owners`: the account of each bucket; `region`: the project's.
    """

    policies: Sequence[Policy]
    roles: Sequence[Role]
    crossings: Sequence[Crossing]
    owners: Mapping[str, str]
    region: str

    def of(self, kind: str, part: str, action: str) -> list[Crossing]:
        """Those of a kind of resource, in the policy of what is called so, for this action."""
        mine = [item for item in self.crossings if item.role is None and (item.kind, item.action) == (kind, action)]
        return [item for item in mine if part in item.holder]

    def answer(self, asked: Asked, lacking: Crossing | None = None) -> str:
        """Of a request without the crossing: a refusal's words; empty if it is allowed all the same."""
        role = next(role for role in self.roles if role.arn == asked.role)
        holder = _holder(asked.resource)
        own = next((policy.document for policy in self.policies if policy.arn == holder), None)
        if lacking is not None and lacking.role is not None:
            role = without(role, lacking)
        elif lacking is not None and own is not None:
            own = lacking.taken_from(own)
        _, _, service, region, account, *_ = asked.resource.split(":") if ":" in asked.resource else [""] * 5  # `*`
        owner = self.owners.get(holder.rsplit(":", 1)[-1], "") if service == "s3" else account
        return refused(role, asked, region or self.region, own, owner)

    def missed(self, asked: Sequence[Asked]) -> Missed:
        return {crossing: self._missing(crossing, asked) for crossing in self.crossings}

    def _missing(self, crossing: Crossing, asked: Sequence[Asked]) -> list[tuple[Asked, str]]:
        mine = [item for item in asked if covers(crossing.action, item.action) and _concerns(crossing, item)]
        return [(item, words) for item in mine if (words := self.answer(item, crossing))]


def covers(pattern: str, action: str) -> bool:
    """The case of letters does not count in actions."""
    wanted, given = pattern.lower(), action.lower()
    return given.startswith(wanted[:-1]) if wanted.endswith("*") else given == wanted


def _concerns(crossing: Crossing, item: Asked) -> bool:
    return item.role == crossing.role.arn if crossing.role else _holder(item.resource) == crossing.holder


def _holder(resource: str) -> str:
    """ARN of what has the policy: of an object its bucket, of a version its group."""
    if resource.startswith("arn:aws:s3:::"):
        return resource.split("/")[0]
    if ":model-package/" in resource:
        return resource.replace(":model-package/", ":model-package-group/").rsplit("/", 1)[0]
    return resource
