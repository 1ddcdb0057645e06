"""Keys: whose they are, and temporary ones for what the account's services start in the name of a role.

Three kinds sign here. A user's or a session's, which MiniStack keeps as in AWS. A service's own (`events.amazonaws.com` writing to a
queue), which only a resource's policy can allow. And the emulator's, for its bookkeeping, whose secret never leaves this process.
Input: access keys, role ARNs. Output: `Principal`s and `Credentials`. Next: `principals.py`.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from local_account.authorization import policies, principals
from local_account.authorization.evaluation import decide
from local_account.authorization.principals import Principal
from local_account.authorization.requests import Check
from local_account.errors import ServiceError

ADMINISTRATOR = "administrator"
ADMINISTRATOR_KEY = "AKIALOCALADMINISTRAT"
_ADMINISTRATOR_ACCESS = "arn:aws:iam::aws:policy/AdministratorAccess"
_LASTS_SECONDS = 12 * 3600
_RENEW_SECONDS = 1800
_SESSION_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Credentials:
    access_key: str
    secret: str
    token: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs in its environment to be this principal."""
        token = {"AWS_SESSION_TOKEN": self.token} if self.token else {}
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret, **token}


@dataclass(frozen=True)
class Key:
    """Of the emulator or of a service: of the account that it asks in, and for whom."""

    credentials: Credentials
    account_id: str
    principal: Callable[[], Principal]


@dataclass
class Issued:
    """The keys that a process has given out besides those in MiniStack's records, of all of its accounts.

    `keys` are by access key and `known` by whom they are for; of users' there are the `administrators`' by account, and roles' `sessions`.
    """

    keys: dict[str, Key] = field(default_factory=dict)
    known: dict[tuple[str, ...], Credentials] = field(default_factory=dict)
    administrators: dict[str, Credentials] = field(default_factory=dict)
    sessions: dict[tuple[str, str, str, str], tuple[Credentials, float]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def once(self, whom: tuple[str, ...], account_id: str, principal: Callable[[], Principal], access_key: str = "") -> Credentials:
        """The keys of `whom`, made when they are first asked for."""
        with self.lock:
            if whom not in self.known:
                made = Credentials(access_key or _temporary_key(), secrets.token_hex(20))
                self.known[whom], self.keys[made.access_key] = made, Key(made, account_id, principal)
            return self.known[whom]


def _temporary_key() -> str:
    """IAM user guide, "IAM identifiers": how the access key of a session or service begins."""
    return f"ASIA{secrets.token_hex(8).upper()}"


class Keyring:
    """The keys of one account as they are used in one region. Whose a key is can be asked of any account's. Thread-safe."""

    def __init__(self, account_id: str, region: str, administrators_secret: str, issued: Issued | None = None) -> None:
        self._account_id, self._region = account_id, region
        self._issued = issued or Issued()
        first = not self._issued.administrators
        key = ADMINISTRATOR_KEY if first else f"AKIA{account_id}ADMI"
        secret = administrators_secret if first else secrets.token_hex(20)  # one account's keys say nothing of another's
        self._issued.administrators.setdefault(account_id, Credentials(key, secret))
        self.internal = self._issued.once((account_id,), account_id, lambda: principals.internal(account_id), access_key=account_id)

    @property
    def administrator(self) -> Credentials:
        """The keys of the person at the keyboard."""
        return self._issued.administrators[self._account_id]

    def make_administrator(self) -> None:
        """A user who may do everything: somebody has to begin, and AWS advises against its root user for that."""
        from ministack.services import iam

        def make() -> None:
            iam._create_user({"UserName": [ADMINISTRATOR]})
            iam._users[ADMINISTRATOR]["AttachedPolicies"].append(_ADMINISTRATOR_ACCESS)
            key, secret = self.administrator.access_key, self.administrator.secret
            record = {"UserName": ADMINISTRATOR, "AccessKeyId": key, "SecretAccessKey": secret}
            iam._access_keys[key] = {**record, "Status": "Active", "CreateDate": iam._now()}

        self.here(make)

    def here(self, work: Callable[[], Result]) -> Result:
        """Run something that reads MiniStack's records in this account's name, on whichever thread."""
        from ministack.core.responses import request_scope

        with request_scope(self._account_id, self._region):
            return work()

    # ------------------------------------------------------------------------------- who signed

    def secret_and_account_of(self, access_key: str) -> tuple[str, str]:
        """A key's secret, and the account that issued it: whose resources its requests are about.

        Raises ServiceError (403) for a key that nobody has, or has any more.
        """
        if key := self._issued.keys.get(access_key):
            return key.credentials.secret, key.account_id
        found = self._resolved(access_key)
        return str(found.secret_access_key), str(found.account_id)

    def principal_of(self, access_key: str, token: str) -> Principal:
        """Raises ServiceError (403) for a key that nobody has, or temporary credentials without their token."""
        from ministack.services import sts

        if key := self._issued.keys.get(access_key):
            return key.principal()
        session = sts._sessions.get(access_key) or {}
        if session and not secrets.compare_digest(str(session.get("SessionToken", "")).encode(), token.encode()):
            raise ServiceError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        return principals.of_credential(self._resolved(access_key), session)

    def _resolved(self, access_key: str) -> Any:
        from ministack.core.iam_evaluator import (
            ResolvedCredential,
            find_iam_access_key_account,
            is_root_access_key,
            resolve_credential,
        )
        from ministack.services import sts

        session = sts._sessions.get(access_key) or {}
        account_id = session.get("AccountId") or find_iam_access_key_account(access_key) or self._account_id
        found = None if is_root_access_key(access_key) else resolve_credential(access_key, account_id)
        if isinstance(found, ResolvedCredential):
            return found
        code, message = "UnrecognizedClientException", f"Access key {access_key} is not known to this local account."
        if found is not None and found.code == "ExpiredTokenException":
            code, message = found.code, found.message
        raise ServiceError(code, message, 403)

    # --------------------------------------------------------------------------- whom we make ask

    def assume(self, role_arn: str, service: str, session_name: str, source_arn: str = "") -> Credentials:
        """Temporary credentials of a role for an AWS service, once the role's trust policy has let that service assume it.

        `source_arn` is what the service acts for, which a trust policy may ask about. Raises ServiceError (AccessDenied) as STS does.
        """
        from ministack.services import sts

        name = _SESSION_NAME.sub("-", session_name)[:64].ljust(2, "-")
        self._require_trust(role_arn, service, source_arn)
        role_id = self.here(lambda: sts._role_id(role_arn))  # a role that was made anew under its name is another one
        key = (role_id, service, name, source_arn)
        with self._issued.lock:
            known = self._issued.sessions.get(key)
            if known is None or known[1] < time.time() + _RENEW_SECONDS:
                known = self._session(role_arn, role_id, name), time.time() + _LASTS_SECONDS
                self._issued.sessions[key] = known
            return known[0]

    def trusts(self, role_arn: str, service: str, source_arn: str = "") -> bool:
        """Whether a role is there and its trust policy lets a service assume it, for `source_arn`."""
        asking = principals.service(service, self._account_id, source_arn)
        check = Check("sts:AssumeRole", role_arn, dict(asking.keys))
        trust = self.here(lambda: policies.of_trust(role_arn))
        return decide(asking, check, self._region, trust).allowed

    def _require_trust(self, role_arn: str, service: str, source_arn: str) -> None:
        if not self.trusts(role_arn, service, source_arn):
            message = (
                f"{service} is not authorized to perform: sts:AssumeRole on resource: {role_arn}: the role does not exist, or its trust "
                f"policy does not let {service} assume it{f' for {source_arn}' if source_arn else ''}."
            )
            raise ServiceError("AccessDenied", message, 403)

    def _session(self, role_arn: str, role_id: str, name: str) -> Credentials:
        from ministack.services import sts

        account_id, role_name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
        made = Credentials(_temporary_key(), secrets.token_hex(20), secrets.token_hex(40))
        record = {
            "Arn": f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{name}",
            "UserId": f"{role_id}:{name}",
            "SecretAccessKey": made.secret,
            "SessionToken": made.token,
            "Expiration": time.time() + _LASTS_SECONDS,
            "AccountId": account_id,
            "PrincipalType": "AssumedRole",
        }
        sts.register_session(made.access_key, record)
        return made

    def of_service(self, service: str, source_arn: str = "") -> Credentials:
        """Keys of a service that asks in its own name for one of the account's resources."""
        asking = principals.service(service, self._account_id, source_arn)
        return self._issued.once((self._account_id, service, source_arn), self._account_id, lambda: asking)

    def in_the_name_of(self, caller: Credentials, service: str) -> Credentials:
        """Keys with which a service asks for its caller, with the caller's permissions. IAM user guide, "Forward access sessions"."""
        if caller == self.internal:
            return caller
        through = lambda: principals.through(self.principal_of(caller.access_key, caller.token), service)  # noqa: E731 - asked anew each time
        return self._issued.once((caller.access_key, service), self.secret_and_account_of(caller.access_key)[1], through)
