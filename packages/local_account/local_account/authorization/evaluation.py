"""IAM's decision about one check, and what was lacking if it is no.

The order is that of the IAM user guide, "Policy evaluation logic" (no organization): an explicit deny anywhere ends it;
a resource's policy that names the user or the session itself allows it; one that names the role or everybody allows it within the
boundary and the session's policies; else an identity-based policy must allow it, within both, and a key or a role must agree.
"Cross-account policy evaluation logic": a resource of another account needs both, an identity-based policy and the resource's own.
Input: `Principal`, `Check`. Output: `Decision`. Next: `statements.py`,
`enforcement.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from local_account.authorization import policies
from local_account.authorization.policies import Policy, ResourceStatement
from local_account.authorization.principals import Principal
from local_account.authorization.requests import Check
from local_account.authorization.statements import Statement

IDENTITY, BOUNDARY, SESSION, RESOURCE = "identity-based policy", "permissions boundary", "session policy", "resource-based policy"


@dataclass(frozen=True)
class Decision:
    """`lacking` is the kind of policy that denied (`explicit`) or did not allow; `policy` the one that denied, if it has a name.

    `statement` is the one of the identity-based policies that allowed it; None where the resource's policy did alone.
    """

    allowed: bool
    lacking: str = ""
    explicit: bool = False
    policy: str = ""
    statement: Any = None


_ALLOWED = Decision(True)


def decide(
    principal: Principal, check: Check, region: str, statements: Sequence[ResourceStatement] | None = None, owner: str = ""
) -> Decision:
    """`statements`: the resource's own policy, where it has one. `owner`: the resource's account, if it is another than the principal's."""
    if principal.is_internal:
        return _ALLOWED
    asked = _asked(principal, check, region)
    own = statements or ()
    boundary = (principal.boundary,) if principal.boundary else ()
    for kind, layer in ((IDENTITY, principal.identity), (BOUNDARY, boundary), (SESSION, principal.session or ())):
        if denying := _first(asked, layer, "Deny"):
            return Decision(False, kind, explicit=True, policy=denying[0].name)
    if _allows(asked, [item.statement for item in own if _is_denied(item, principal)], "Deny"):
        return Decision(False, RESOURCE, explicit=True)
    if principal.is_service:
        return _ALLOWED if _allows(asked, [item.statement for item in own if _is_for(item, principal)]) else Decision(False, RESOURCE)
    is_foreign = owner not in ("", principal.account_id)
    if not is_foreign and _allows(asked, [item.statement for item in own if _names_itself(item.principal, principal.arn)]):
        return _ALLOWED
    narrowed = _narrowed(asked, principal)
    by_name = not is_foreign and _allows(asked, [item.statement for item in own if _names(item.principal, principal.arn)])
    if by_name:
        return narrowed or _ALLOWED
    allowing = _first(asked, principal.identity)
    if allowing is None:
        return Decision(False, IDENTITY)
    if narrowed:
        return narrowed
    must_agree = is_foreign or (check.action.partition(":")[0] in policies.REQUIRED_BY and statements is not None)
    if must_agree and not _allows(asked, [item.statement for item in own if _is_for(item, principal)]):
        return Decision(False, RESOURCE)
    return Decision(True, statement=allowing[1])


def allowing(principal: Principal, check: Check, region: str) -> list[tuple[str, int]]:
    """Every statement of the identity-based policies that allows it, as name of its policy and its place there, counted from 0."""
    asked = _asked(principal, check, region)
    return [
        (policy.name, index)
        for policy in principal.identity
        for index, statement in enumerate(policy.statements)
        if _allows(asked, [statement])
    ]


def _asked(principal: Principal, check: Check, region: str) -> Any:
    from ministack.core.iam_evaluator import EvalContext

    return EvalContext(
        principal_arn=principal.role_arn,
        principal_type=principal.kind,
        principal_account=principal.account_id,
        action=check.action,
        resource_arn=check.resource,
        region=region,
        source_ip="127.0.0.1",
        secure_transport=True,  # the port stands for TLS endpoints (`context_keys.py`)
        service_context=dict(check.keys) if type(check.keys) is dict else check.keys,
        principal_keys=dict(principal.keys),
    )


def _narrowed(asked: Any, principal: Principal) -> Decision | None:
    """The refusal of a boundary or of the session's policies that do not allow it."""
    if principal.boundary is not None and not _first(asked, (principal.boundary,)):
        return Decision(False, BOUNDARY)
    if principal.session is not None and not _first(asked, principal.session):
        return Decision(False, SESSION)
    return None


def _first(asked: Any, layer: Iterable[Policy], effect: str = "Allow") -> tuple[Policy, Statement] | None:
    """The first statement that matches, with its policy."""
    statements = ((policy, statement) for policy in layer for statement in policy.statements if statement.effect == effect)
    return next((found for found in statements if found[1].matches(asked)), None)


def _allows(asked: Any, statements: Iterable[Statement], effect: str = "Allow") -> bool:
    return any(statement.effect == effect and statement.matches(asked) for statement in statements)


def _is_for(item: ResourceStatement, principal: Principal) -> bool:
    """Whether a statement is for this principal, by name, as one of an account, or as everybody."""
    if item.everybody_but is not None:
        return not _listed(item.everybody_but, principal)
    return _listed(item.principal, principal)


def _is_denied(item: ResourceStatement, principal: Principal) -> bool:
    """Whether a statement, if it denies, does so to this principal.

    `NotPrincipal` spares whose every identity it lists: a user and its account, a session, its role and their account.
    Source: IAM user guide, "AWS JSON policy elements: NotPrincipal", "Specifying NotPrincipal with Deny".
    """
    if item.everybody_but is None or principal.is_service:
        return _is_for(item, principal)
    spared = _arns(item.everybody_but)
    account = (principal.account_id, f"arn:aws:iam::{principal.account_id}:root")
    identities = {principal.arn, principal.role_arn} - {account[1]}
    return "*" not in spared and not (any(name in spared for name in account) and identities <= set(spared))


def _listed(named: Any, principal: Principal) -> bool:
    from ministack.core.iam_evaluator import _principal_matches, _service_principal_matches

    if principal.is_service:
        return named == "*" or bool(_service_principal_matches(named, principal.arn)) or "*" in _arns(named)
    return any(bool(_principal_matches({"AWS": [arn]}, principal.arn)) for arn in _arns(named))


def _arns(named: Any) -> list[str]:
    listed = named.get("AWS", []) if isinstance(named, dict) else named
    return [listed] if isinstance(listed, str) else list(listed or [])


def _names(named: Any, arn: str) -> bool:
    """More than the principal's account: itself, its role, or everybody."""
    from ministack.core.iam_evaluator import _names_caller

    return bool(named) and bool(_names_caller(named, arn))


def _names_itself(named: Any, arn: str) -> bool:
    from ministack.core.iam_evaluator import _names_caller_directly

    return bool(named) and bool(_names_caller_directly(named, arn))
