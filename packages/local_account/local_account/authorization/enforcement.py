"""Refuses what the asking principal may not do, in the words and with the code of the service that was asked.

Input: a principal and a `Call`. Output: nothing, or ServiceError. Sources of the words: IAM user guide, "Troubleshoot access denied
error messages"; of the codes: the services' API references, "Common errors". Used by `gateway.py`. Next: nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local_account.api.reading import Call
from local_account.authorization import key_use, linked_roles, own_checks, passing, policies, requests
from local_account.authorization.actions import tables
from local_account.authorization.context_keys import Keys
from local_account.authorization.credentials import Credentials, Keyring
from local_account.authorization.evaluation import IDENTITY, RESOURCE, Decision, decide
from local_account.authorization.existing import Existing
from local_account.authorization.principals import Principal
from local_account.authorization.record import Record
from local_account.authorization.requests import Check
from local_account.errors import ServiceError

#: Services that speak AWS JSON or REST JSON answer `AccessDeniedException`; those of the query and XML protocols, `AccessDenied`.
_QUERY = ("iam", "sts", "cloudformation", "s3", "cloudwatch", "sqs")
_CODES = {"sns": "AuthorizationError", "ec2": "UnauthorizedOperation"}
#: Over AWS JSON a client's error has status 400.
_JSON_STATUS = 400
_FORBIDDEN = 403
_REST_JSON = ("lambda", "scheduler")
_MAKES_A_GLOBAL_NAME = "s3:CreateBucket"
#: Services whose resources other accounts may be let in to, as far as this account has them.
_REACHED = ("kms", "lambda", "s3", "sagemaker", "sns", "sqs")
#: STS API reference, GetSessionToken: "Temporary credentials cannot call it"; what narrows a session would be gone from the next one.
_OF_LASTING_KEYS = ("sts", "GetSessionToken")


class Authorizer:
    """Asks the policies for requests of one account in one region. Thread-safe: it keeps nothing but the `record` of what was asked."""

    def __init__(self, keyring: Keyring, existing: Existing, record: Record | None = None) -> None:
        self._keyring, self._existing = keyring, existing
        self.record = record or Record()

    def require(self, principal: Principal, call: Call) -> None:
        """Raise ServiceError for the first permission that the principal lacks."""
        if not principal.is_internal:
            self._keyring.here(lambda: _require(self._existing, self.record, principal, call))

    def account_of(self, call: Call) -> str:
        """The account whose resource a request is about, in which it is served: another than the caller's where it names one of another's.

        IAM user guide, "Cross account resource access in IAM": services in which a resource may have a policy of its own, and so be
        reached by its ARN, URL or global name. STS finds a role by its ARN itself.
        """
        if call.service not in _REACHED or call.operation in _FREE.get(call.service, ()):
            return self._existing.account_id
        with self._existing.around("*"):
            asked = requests.checks_of(self._existing, call)
            return (_owner(self._existing, asked[0]) if asked else "") or self._existing.account_id

    def lets_service(self, service: str, action: str, key: str, given: Mapping[str, Any]) -> bool:
        """Whether a key's policy lets a service of AWS use it in its own name. `given` are context keys in lower case.

        It says for which account it asks only in the context (`kms:EncryptionContext:...`).
        """

        def ask() -> bool:
            arn = self._existing.key_arn(key) or key
            check = Check(action, arn, dict(given))
            asking = Principal(service, "AWSService", self._existing.account_id)
            return decide(asking, check, self._existing.region, policies.of_resource(self._existing, action, arn)).allowed

        return self._keyring.here(ask)

    def decision(self, credentials: Credentials, permissions: Sequence[str], resource: str, keys: Mapping[str, Any]) -> Decision:
        """Of several names of one permission that is no operation of an API: allowed if one of them is and none is denied.

        `keys` are context keys, in lower case, that whoever asks knows. The name that decided is recorded.
        """
        principal = self._keyring.principal_of(credentials.access_key, credentials.token)

        def ask() -> Decision:
            found = []
            for permission in permissions:
                service, _, operation = permission.partition(":")
                check = Check(permission, resource, Keys(Call(service, operation, {}), self._existing, resource, keys))
                statements = policies.of_resource(self._existing, permission, resource)
                found.append((check, decide(principal, check, self._existing.region, statements)))
            check, decided = min(found, key=lambda pair: (not pair[1].explicit, not pair[1].allowed))
            self.record.note(principal, check, decided)
            return decided

        return self._keyring.here(ask)

    def completed(self, credentials: Credentials, call: Call) -> Call:
        """A call with the user that it means, where it names none: the caller's own. Raises ServiceError for a caller that is no user."""
        if call.service != "iam" or call.operation not in tables()["of_own_user"] or call.parameters.get("UserName"):
            return call
        principal = self._keyring.here(lambda: self._keyring.principal_of(credentials.access_key, credentials.token))
        name = principal.keys.get("aws:username")
        if not name:
            raise ServiceError("ValidationError", "Must specify userName when calling with non-User credentials", 400)
        return Call(call.service, call.operation, {**call.parameters, "UserName": str(name)})

    def require_of(self, credentials: Credentials, service: str, operation: str, parameters: Mapping[str, Any]) -> None:
        """The same for what a service of ours does for a role without sending a request. `parameters` as the API has them."""
        self.require(self._keyring.principal_of(credentials.access_key, credentials.token), Call(service, operation, parameters))


def _require(existing: Existing, record: Record, principal: Principal, call: Call) -> None:
    if principal.is_temporary and (call.service, call.operation) == _OF_LASTING_KEYS:
        raise ServiceError("AccessDenied", f"Cannot call {call.operation} with session credentials", _FORBIDDEN)
    _require_each(existing, record, principal, call)
    own_checks.require_length(principal, call)
    own_checks.require_way_back(existing, principal, call)
    for tried in own_checks.tried(call):
        try:
            _require_each(existing, record, principal, tried)
        except ServiceError as refused:
            raise ServiceError("ValidationException", refused.message) from refused


def _require_each(existing: Existing, record: Record, principal: Principal, call: Call) -> None:
    for check in checks_of(existing, call, principal.keys if principal.is_service else {}):
        statements = policies.of_resource(existing, check.action, check.resource)
        if principal.is_service and statements is None and check.action.partition(":")[0] in policies.WITH_POLICIES:
            continue  # there is no such resource, and its service says so
        decision = decide(principal, check, existing.region, statements, _owner(existing, check))
        record.note(principal, check, decision, statements)
        if not decision.allowed:
            raise refusal(principal, check, decision, call.service)


def _owner(existing: Existing, check: Check) -> str:
    """Whose resource it is; that there is a bucket of the name already, S3 says itself."""
    return "" if check.action == _MAKES_A_GLOBAL_NAME else existing.account_of(check.resource)


def checks_of(existing: Existing, call: Call, given: Mapping[str, Any]) -> list[Check]:
    """All that a request needs: its own actions, the roles that it passes or makes, the keys that it makes a service use."""
    if call.operation in _FREE.get(call.service, ()):
        return []
    return [check for part in (requests, passing, linked_roles, key_use) for check in part.checks_of(existing, call, given)]


def _free() -> Mapping[str, frozenset[str]]:
    named = [name.split(":") for name in tables()["always_allowed"]]
    return {service: frozenset(name for prefix, name in named if prefix == service) for service, _ in named}


_FREE = _free()


def refusal(principal: Principal, check: Check, decision: Decision, service: str) -> ServiceError:
    """The error that AWS answers. `service` is the one that was asked, which may be another than the action's."""
    if check.action == "iam:PassRole" and decision.lacking == RESOURCE:  # what Lambda and SageMaker say of a role of another account
        return ServiceError(*_code_of(service, "Cross-account pass role is not allowed."))
    who = principal.arn if principal.is_service else f"User: {principal.arn}"
    what = f"{who} is not authorized to perform: {check.action} on resource: {check.resource}"
    article = "an" if decision.lacking == IDENTITY else "a"
    if decision.explicit:
        named = f": {decision.policy}" if decision.policy.startswith("arn:") else ""
        why = f"with an explicit deny in {article} {decision.lacking}{named}"
    else:
        why = f"because no {decision.lacking} allows the {check.action} action"
    return ServiceError(*_code_of(service, f"{what} {why}"))


def _code_of(service: str, message: str) -> tuple[str, str, int]:
    if service in _CODES or service in _QUERY:
        return _CODES.get(service, "AccessDenied"), message, _FORBIDDEN
    return "AccessDeniedException", message, _FORBIDDEN if service in _REST_JSON else _JSON_STATUS
