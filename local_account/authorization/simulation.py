"""`iam simulate-principal-policy` and `simulate-custom-policy`, answered by the engine that decides about requests.

Source: IAM API reference, SimulatePrincipalPolicy: identity-based policies and the boundary of the principal, and a resource's policy
only if the request brings it. Input: the request's form. Output: MiniStack's form of an answer. Installed by `install`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from local_account.authorization import policies
from local_account.authorization.evaluation import decide
from local_account.authorization.principals import Principal
from local_account.authorization.requests import Check

Params = Mapping[str, Sequence[str]]


def install(region: str) -> None:
    from ministack.services import iam

    def simulate_principal(params: Params) -> Any:
        return _answer("SimulatePrincipalPolicy", region, params, _principal(params))

    def simulate_custom(params: Params) -> Any:
        given = tuple(policies.policy("PolicyInputList", text) for text in _listed(params, "PolicyInputList"))
        user = f"arn:aws:iam::{iam.get_account_id()}:root"
        return _answer("SimulateCustomPolicy", region, params, Principal(user, "User", iam.get_account_id(), given))

    handlers: dict[str, Callable[[Params], Any]] = {"SimulatePrincipalPolicy": simulate_principal, "SimulateCustomPolicy": simulate_custom}
    iam._IAM_HANDLERS.update(handlers)


def _principal(params: Params) -> Principal | None:
    """The user or role of `PolicySourceArn`; None if there is none."""
    from ministack.services import iam

    arn, account_id = _one(params, "PolicySourceArn"), iam.get_account_id()
    kind, _, path = arn.rpartition(":")[2].partition("/")
    name = path.rsplit("/", 1)[-1]
    if kind == "role" and iam._roles.get(name):
        identity, boundary = policies.of_role(account_id, name)
        return Principal(arn, "AssumedRole", account_id, identity, boundary, keys={"aws:principalarn": arn})
    if kind == "user" and iam._users.get(name):
        identity, boundary = policies.of_user(account_id, name)
        return Principal(arn, "User", account_id, identity, boundary, keys={"aws:username": name})
    return None


def _answer(operation: str, region: str, params: Params, principal: Principal | None) -> Any:
    from ministack.services import iam

    if principal is None:
        return iam._error(404, "NoSuchEntity", f"{escape(_one(params, 'PolicySourceArn'))} does not exist", ns="iam")
    results = "".join(
        _result(principal, action, resource, region, _keys(params))
        for action in _listed(params, "ActionNames")
        for resource in _listed(params, "ResourceArns") or ["*"]
    )
    inner = f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>"
    return iam._xml(200, f"{operation}Response", f"<{operation}Result>{inner}</{operation}Result>", ns="iam")


def _result(principal: Principal, action: str, resource: str, region: str, keys: Mapping[str, Any]) -> str:
    decision = decide(principal, Check(action, resource, keys), region)
    said = "allowed" if decision.allowed else "explicitDeny" if decision.explicit else "implicitDeny"
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalDecision>{said}</EvalDecision><MatchedStatements></MatchedStatements><MissingContextValues></MissingContextValues></member>"
    )


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
