"""The policies that stand in the account, parsed once for as long as their text stays the same.

Input: names of roles and users, ARNs of resources. Output: statements. MiniStack keeps the documents and parses them; a role of
the project has some twenty statements, and every request asks them, so what is parsed is remembered by its text: a changed policy
is another text. Next: `principals.py`, `evaluation.py`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_account.authorization.existing import Existing, identity
from local_account.authorization.statements import Statement, parse

#: Whose resources have policies, by which services of AWS may be let in.
WITH_POLICIES = ("kms", "lambda", "s3", "sns", "sqs")
#: Resources that nobody may use unless their own policy says so, or leaves it to the account's: IAM user guide, "Policy evaluation
#: logic"; KMS developer guide, "Key policies".
REQUIRED_BY = ("kms", "sts")


@dataclass(frozen=True)
class Policy:
    """Statements under a name that a refusal can give: a managed policy's ARN, or an inline policy's name."""

    name: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class ResourceStatement:
    """One statement of a resource's policy: for whom (`Principal`, or everybody but `NotPrincipal`), and what."""

    principal: Any
    everybody_but: Any
    statement: Statement


def policy(name: str, document: str | Mapping[str, Any] | None) -> Policy:
    return Policy(name, _statements(_text(document)))


def of_identity(account_id: str, kind: str, name: str) -> tuple[tuple[Policy, ...], Policy | None]:
    """The policies of a `role` or `user` and its permissions boundary; none of either for one that is not there. There are no groups."""
    from ministack.services import iam

    found = identity(account_id, kind, name)
    inline = iam._user_inline_policies.get_scoped(account_id, None, name) if kind == "user" else found.get("InlinePolicies")
    own = (policy(policy_name, document) for policy_name, document in (inline or {}).items())
    attached = (managed(account_id, arn) for arn in found.get("AttachedPolicies") or ())
    boundary = found.get("PermissionsBoundary")
    return (*own, *attached), managed(account_id, boundary) if boundary else None


def managed(account_id: str, arn: str) -> Policy:
    """A managed policy by its ARN; one that allows nothing if it is not there."""
    from ministack.core.iam_evaluator import _resolve_managed_policy_document

    return policy(arn, _resolve_managed_policy_document(arn, account_id))


def of_resource(existing: Existing, action: str, arn: str) -> Sequence[ResourceStatement] | None:
    """The statements of a resource's own policy, whosever it is; None for a resource that is not there, or whose kind has none."""
    service = action.partition(":")[0]
    if service == "sts":
        return of_trust(arn)
    if service == "sagemaker":
        owner = existing.owner(arn)
        text = owner.policy_elsewhere(arn) if owner else None
        return resource_statements(text) if text else None
    if service == "logs":
        return None
    with existing.around(arn):
        found = _of_bus(arn) if service == "events" else _kept_by_ministack(service, arn)
    if found is None:
        return None
    document = found
    if service == "kms" and not document:
        return resource_statements(_KEY_WITHOUT_POLICY)
    return resource_statements(_text(document)) if document else ()


def _kept_by_ministack(service: str, arn: str) -> Any:
    from ministack.core import iam_evaluator

    found = iam_evaluator._resource_policy(service, arn)
    return None if found is None else found[0]


def _of_bus(arn: str) -> Any:
    """EventBridge user guide, "Permissions for event buses in Amazon EventBridge"."""
    from ministack.services import eventbridge

    return eventbridge._event_bus_policies.get(arn.partition(":event-bus/")[2])


def of_trust(role_arn: str) -> Sequence[ResourceStatement]:
    """A role's trust policy, in whatever account the role is; nobody may assume a role that is not there."""
    role = identity(role_arn.split(":")[4] if role_arn.count(":") >= 5 else "", "role", role_arn)
    return resource_statements(_text(role["AssumeRolePolicyDocument"])) if role.get("Arn") == role_arn else ()


@functools.lru_cache(maxsize=512)
def resource_statements(text: str) -> tuple[ResourceStatement, ...]:
    """A resource's policy, parsed."""
    listed, version = _listed(text)
    found = []
    for item in listed:
        parsed = parse([item if "Resource" in item or "NotResource" in item else {**item, "Resource": "*"}], version)
        found += [ResourceStatement(item.get("Principal"), item.get("NotPrincipal"), statement) for statement in parsed]
    return tuple(found)


#: KMS developer guide, "Default key policy": the account's own policies decide.
_KEY_WITHOUT_POLICY = json.dumps({"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}})


@functools.lru_cache(maxsize=1024)
def _statements(text: str) -> tuple[Statement, ...]:
    return parse(*_listed(text))


def _listed(text: str) -> tuple[list[Mapping[str, Any]], str]:
    """A policy's statements, and the version of the language that they are written in."""
    document = json.loads(text or "{}")
    listed = document.get("Statement", [])
    return [listed] if isinstance(listed, dict) else listed, str(document.get("Version", ""))


def _text(document: str | Mapping[str, Any] | None) -> str:
    return document if isinstance(document, str) else json.dumps(document or {})
