"""May whoever asks deploy: assume the roles of the bootstrap that `cdk deploy` works with? By IAM's own simulation, which changes nothing.

Source: IAM API reference, SimulatePrincipalPolicy (identity policies and the boundary of a user or role). The roles trust their account
(the CDK's bootstrap-template.yaml), so that in it the identity's policies decide. Who may not assume them deploys with what they may
themselves (the CLI says "Proceeding anyway"), which is not looked at. Next: `service_roles.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from preflight.finding import Finding, NotSeenError, passed, unseen
from preflight.situation import Situation

_WHAT = "deployer"


def check_deployer(situation: Situation) -> Iterator[Finding]:
    """In the project's own account: of another one the bootstrap's trust says it."""
    roles = [] if situation.trusted else _roles(situation)
    if not roles:
        return
    principal = _principal(situation)
    if principal is None:
        yield passed(_WHAT, "the root user, who can assume no role; cdk then deploys with what root may, which is everything")
        return
    lacking = [_name(role) for role in roles if role not in _allowed(situation, principal, roles)]
    if lacking:
        found = f"{principal} may not assume {', '.join(lacking)}; cdk then deploys with what it may itself, which was not looked at"
        yield unseen(_WHAT, found, "allow it sts:AssumeRole on these roles")
    else:
        yield passed(_WHAT, f"may assume {', '.join(map(_name, roles))}")


def _roles(situation: Situation) -> list[str]:
    """ARNs of the roles that `cdk deploy` assumes and that are there; the rest `bootstrap.py` has said."""
    given = {situation.place.filled(str(stack.properties.get("assumeRoleArn", ""))) or "" for stack in situation.stacks}
    return [arn for arn in sorted(given) if arn and situation.account.find("iam", "get_role", RoleName=_name(arn)) is not None]


def _name(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def _principal(situation: Situation) -> str | None:
    """ARN of the user or role of the credentials; None for the root user. A session's ARN names its role without the path."""
    arn = str(situation.identity["Arn"])
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind == "root":
        return None
    if kind == "user":
        return arn
    role = situation.account.find("iam", "get_role", RoleName=name.partition("/")[0]) if kind == "assumed-role" else None
    if role is None:
        raise NotSeenError(f"what {arn} may do cannot be simulated: it is no user and no role of the account")
    return str(role["Role"]["Arn"])


def _allowed(situation: Situation, principal: str, roles: list[str]) -> set[str]:
    request = {"PolicySourceArn": principal, "ActionNames": ["sts:AssumeRole"], "ResourceArns": roles}
    results = situation.account.read_all("iam", "simulate_principal_policy", "EvaluationResults", **request)
    return {str(item["EvalResourceName"]) for item in results if item["EvalDecision"] == "allowed"}
