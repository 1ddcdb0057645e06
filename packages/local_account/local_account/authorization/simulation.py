"""`iam simulate-principal-policy`, answered by the engine that decides about requests.

Source: IAM API reference, SimulatePrincipalPolicy: identity-based policies and the boundary of the principal, and a resource's policy
only if the request brings it. Input: the request's form. Output: MiniStack's form of an answer. Installed by `install`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape

from local_account.authorization import policies
from local_account.authorization.evaluation import Decision, decide
from local_account.authorization.existing import identity
from local_account.authorization.principals import Principal
from local_account.authorization.requests import Check

#: What an ARN says if nobody gives it.
_OF_THE_ARN = ("aws:resourceaccount", "s3:resourceaccount")

Params = Mapping[str, Sequence[str]]


def install() -> None:
    from ministack.services import iam

    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = _simulate


def _principal(params: Params) -> Principal | None:
    """The user or role of `PolicySourceArn`; None if there is none."""
    from ministack.services import iam

    arn, account_id = _one(params, "PolicySourceArn"), iam.get_account_id()
    kind, _, path = arn.rpartition(":")[2].partition("/")
    name = path.rpartition("/")[2]
    if not identity(account_id, kind, name):
        return None
    own, boundary = policies.of_identity(account_id, kind, name)
    keys = {"aws:principalarn": arn} if kind == "role" else {"aws:username": name}
    return Principal(arn, "AssumedRole" if kind == "role" else "User", account_id, own, boundary, keys=keys)


def _simulate(params: Params) -> Any:
    from ministack.core.responses import get_region
    from ministack.services import iam

    principal = _principal(params)
    if principal is None:
        return iam._error(404, "NoSuchEntity", f"{escape(_one(params, 'PolicySourceArn'))} does not exist", ns="iam")
    results = "".join(
        _result(principal, action, resource, get_region(), _keys(params))
        for action in _listed(params, "ActionNames")
        for resource in _listed(params, "ResourceArns") or ["*"]
    )
    inner = f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>"
    result = f"<SimulatePrincipalPolicyResult>{inner}</SimulatePrincipalPolicyResult>"
    return iam._xml(200, "SimulatePrincipalPolicyResponse", result, ns="iam")


class _Given(dict[str, Any]):
    """The context keys of a simulation, which remembers those that a condition asked for and nobody gave."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        super().__init__(keys)
        self.missing: dict[str, None] = {}

    def __contains__(self, key: object) -> bool:
        is_given = super().__contains__(key)
        if not is_given and key not in _OF_THE_ARN:
            self.missing[str(key)] = None
        return is_given

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, default) if key in self else default


def _result(principal: Principal, action: str, resource: str, region: str, keys: Mapping[str, Any]) -> str:
    given = _Given(keys)
    decision = decide(principal, Check(action, resource, given), region)
    said = "allowed" if decision.allowed else "explicitDeny" if decision.explicit else "implicitDeny"
    deciding = () if said == "implicitDeny" else _deciding(principal, Check(action, resource, keys), region, decision)
    matched = "".join(_statement(name, principal) for name in deciding)
    missing = "".join(f"<member>{escape(name)}</member>" for name in given.missing if name not in principal.keys)
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalDecision>{said}</EvalDecision><MatchedStatements>{matched}</MatchedStatements>"
        f"<MissingContextValues>{missing}</MissingContextValues></member>"
    )


def _deciding(principal: Principal, check: Check, region: str, decision: Decision) -> Iterator[str]:
    """The names of the identity-based policies that, alone, decide as all do."""
    for policy in principal.identity:
        alone = decide(replace(principal, identity=(policy,), boundary=None, session=None), check, region)
        if alone.allowed if decision.allowed else alone.explicit:
            yield policy.name


def _statement(policy: str, principal: Principal) -> str:
    """IAM API reference, Statement: the policy's name and where it comes from."""
    if policy.startswith("arn:"):
        kind = "aws-managed" if ":iam::aws:" in policy else "user-managed"
    else:
        kind = "user" if principal.kind == "User" else "role"
    name = escape(policy.rsplit("/", 1)[-1])
    return f"<member><SourcePolicyId>{name}</SourcePolicyId><SourcePolicyType>{kind}</SourcePolicyType></member>"


def _keys(params: Params) -> dict[str, Any]:
    """`ContextEntries`, by key in lower case."""
    found: dict[str, Any] = {}
    number = 1
    while name := _one(params, f"ContextEntries.member.{number}.ContextKeyName"):
        values = _listed(params, f"ContextEntries.member.{number}.ContextKeyValues")
        found[name.lower()] = values[0] if len(values) == 1 else values
        number += 1
    return found


def _one(params: Params, name: str) -> str:
    value = params.get(name) or [""]
    return str(value[0] if isinstance(value, list | tuple) else value)


def _listed(params: Params, name: str) -> list[str]:
    found: list[str] = []
    while value := _one(params, f"{name}.member.{len(found) + 1}"):
        found.append(value)
    return found
