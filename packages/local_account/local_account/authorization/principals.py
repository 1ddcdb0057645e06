"""Who asks: a user, a session of a role, or a service of AWS, with every policy that decides for them.

Input: what an access key stands for (`credentials.py`). Output: a `Principal`. Next: `evaluation.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local_account.authorization import policies
from local_account.authorization.existing import identity
from local_account.authorization.policies import Policy
from local_account.errors import ServiceError


@dataclass(frozen=True)
class Principal:
    """`arn` as `sts get-caller-identity` gives it; a service's is its name, such as `events.amazonaws.com`.

    `identity` are the identity-based policies. `boundary` and `session` narrow them and are None where there are none.
    `keys` are context keys about who asks, in lower case. `is_temporary`: with credentials that end. `is_internal`: the emulator's own
    bookkeeping, which nobody else can be.
    """

    arn: str
    kind: str
    account_id: str
    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] | None = None
    keys: Mapping[str, Any] = field(default_factory=dict)
    is_temporary: bool = False
    is_internal: bool = False

    @property
    def is_service(self) -> bool:
        return self.kind == "AWSService"

    @property
    def role_arn(self) -> str:
        """Of a session of a role, the role as policies name it; else `arn`."""
        return str(self.keys.get("aws:principalarn", self.arn))


def internal(account_id: str) -> Principal:
    return Principal(f"arn:aws:iam::{account_id}:root", "Root", account_id, is_internal=True)


def service(name: str, account_id: str, source_arn: str) -> Principal:
    """A service of AWS that asks in its own name, on behalf of one of the account's resources.

    IAM user guide, "The confused deputy problem": it says for which with `aws:SourceArn` and `aws:SourceAccount`.
    """
    keys = {
        "aws:sourceaccount": account_id,
        "aws:sourcearn": source_arn or None,
        "aws:principalisawsservice": "true",
        "aws:principalservicename": name,
    }
    return Principal(name, "AWSService", account_id, keys={key: value for key, value in keys.items() if value})


def through(caller: Principal, name: str) -> Principal:
    """A principal for whom a service asks: IAM user guide, "AWS global condition context keys", aws:CalledVia and its like."""
    chain = [*caller.keys.get("aws:calledvia", ()), name]
    keys = {"aws:calledvia": chain, "aws:calledviafirst": chain[0], "aws:calledvialast": chain[-1], "aws:viaawsservice": "true"}
    return replace(caller, keys={**caller.keys, **keys})


def of_credential(credential: Any, session: Mapping[str, Any]) -> Principal:
    """The principal of a key that MiniStack has resolved; `session` is its record of temporary credentials, empty for a user's.

    Raises ServiceError (403) if whom a session was made from is gone, also if there is another of the same name by now.
    """
    from ministack.core.iam_evaluator import _principal_keys

    _require_origin(credential, session)
    account_id, kind = credential.account_id, credential.principal_type
    keys = dict(_principal_keys(credential))
    of, name = _name(credential)
    if of == "role":
        keys["aws:principalarn"] = str(identity(account_id, of, name).get("Arn") or f"arn:aws:iam::{account_id}:role/{name}")
    own, boundary = policies.of_identity(account_id, of, name)
    narrowed = _of_session(session, account_id)
    return Principal(credential.principal_arn, kind, account_id, own, boundary, narrowed, keys, is_temporary=bool(session))


def _name(credential: Any) -> tuple[str, str]:
    """Whether it is of a role or of a user, and whose."""
    is_role = credential.principal_type == "AssumedRole"
    return ("role", credential.principal_arn.split("/")[1]) if is_role else ("user", credential.principal_name)


def _require_origin(credential: Any, session: Mapping[str, Any]) -> None:
    """IAM user guide, "IAM identifiers", unique IDs: a session is of the role or user with an id, not of whoever has its name later."""
    of, name = _name(credential)
    found = identity(credential.account_id, of, name)
    identifier = found.get("RoleId") if of == "role" else found.get("UserId")
    if session and identifier != credential.principal_id.partition(":")[0]:
        raise ServiceError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)


def _of_session(session: Mapping[str, Any], account_id: str) -> tuple[Policy, ...] | None:
    passed = session.get("SessionPolicies")
    if not passed:
        return None
    inline = [policies.policy("the session policy", passed["Policy"])] if passed.get("Policy") else []
    return (*inline, *(policies.managed(account_id, arn) for arn in passed.get("PolicyArns") or ()))
