"""Policy documents as AWS takes them: grammar, principals that exist, and how long they may be.

moto's validators (`moto.iam.policy_validation`) know IAM's grammar and its words; a resource's policy differs in that each statement
names a principal. Sources: IAM user guide, "Grammar of the IAM JSON policy language" and "IAM and AWS STS quotas"; KMS developer guide,
"Creating a key policy" (invalid principals); S3 user guide, "Policies and permissions" (20 KB). Used by the services' rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from local_account.authorization.existing import identity
from local_account.context import Context
from local_account.errors import ServiceError

#: Characters, without white space.
LONGEST_OF_ROLE, LONGEST_OF_USER, LONGEST_MANAGED, LONGEST_TRUST = 10_240, 2_048, 6_144, 2_048
#: Managed policies that a role may have (can be raised to 25).
MOST_ATTACHED = 10
_ENTITY = re.compile(r"arn:aws:iam::(\d{12}):(role|user)/(.+)")


def length(document: str) -> int:
    """IAM does not count white space."""
    return len(re.sub(r"\s", "", document))


def require_identity_policy(document: str, *, is_managed: bool = False) -> None:
    """Raises MalformedPolicyDocument for a policy that cannot be a user's or a role's. Only a managed one must have the newer version."""
    from moto.iam.policy_validation import IAMPolicyDocumentValidator

    _validate(IAMPolicyDocumentValidator, _as_moto_has_it(document, keeps_version=is_managed))
    if any("Principal" in statement or "NotPrincipal" in statement for statement in statements_of(document)):
        raise _malformed("Policy document should not specify a principal.")


def require_trust_policy(context: Context, document: str) -> None:
    """Raises MalformedPolicyDocument for a policy that cannot say who assumes a role."""
    from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator

    _validate(IAMTrustPolicyDocumentValidator, _as_moto_has_it(document))
    if not all("Principal" in statement or "NotPrincipal" in statement for statement in statements_of(document)):
        raise _malformed("AssumeRole policy must contain principals.")  # the words of IAM are not published
    if stranger := missing_principal(context, document):
        raise _malformed(f'Invalid principal in policy: "AWS":"{stranger}"')


def require_resource_policy(context: Context, document: str, code: str, longest: int, *, names_resource: bool = True) -> None:
    """Raises `code` for a policy that no resource can have. `longest`: how many bytes its service takes."""
    _require_grammar(document, code, names_resource=names_resource)
    if stranger := missing_principal(context, document):
        raise ServiceError(code, f"Invalid principal in policy: {stranger}")
    if len(document.encode()) > longest:
        raise ServiceError(code, f"The policy has {len(document.encode())} bytes; allowed: at most {longest}")


def is_resource_policy(document: str) -> bool:
    """Whether a document is within the grammar of a resource's policy."""
    try:
        _require_grammar(document, "", names_resource=True)
    except ServiceError:
        return False
    return True


def _require_grammar(document: str, code: str, *, names_resource: bool) -> None:
    from moto.iam.policy_validation import BaseIAMPolicyValidator

    try:
        _validate(BaseIAMPolicyValidator, _as_moto_has_it(document))
    except ServiceError as error:
        raise ServiceError(code, error.message) from error
    for statement in statements_of(document):
        for given in (("Principal", "NotPrincipal"), *((("Resource", "NotResource"),) if names_resource else ())):
            if not any(name in statement for name in given):
                raise ServiceError(code, f"Missing required field {given[0]}")


def missing_principal(context: Context, document: str) -> str | None:
    """The first role or user that a policy names and that is not there. Of accounts that are not in this process nothing can be known."""
    return next((arn for arn in _principals(document) if not _exists(context, arn)), None)


def statements_of(document: str) -> list[Mapping[str, Any]]:
    listed = json.loads(document)["Statement"]
    return [listed] if isinstance(listed, Mapping) else list(listed)


def _principals(document: str) -> Iterator[str]:
    for statement in statements_of(document):
        for name in ("Principal", "NotPrincipal"):
            named = statement.get(name)
            listed = named.get("AWS", []) if isinstance(named, Mapping) else []
            yield from [listed] if isinstance(listed, str) else listed


def _exists(context: Context, arn: str) -> bool:
    found = _ENTITY.fullmatch(arn)
    if found is None or found[1] not in context.places.account_ids:
        return True
    return identity(found[1], found[2], found[3]).get("Arn") == arn


def _as_moto_has_it(document: str, *, keeps_version: bool = False) -> str:
    """A document in the form that moto's validators know, which want the newer version and conditions of texts.

    The older version is what a document without `Version` has: its grammar lacks policy variables only. A condition's value may be a number
    (IAM user guide, "Grammar of the IAM JSON policy language": `<condition_value>` is a string, a number or a truth value).
    """
    try:
        read = json.loads(document, parse_int=str, parse_float=str)
    except ValueError:
        return document
    is_older = isinstance(read, dict) and read.get("Version", "2008-10-17") == "2008-10-17"
    return json.dumps({**read, "Version": "2012-10-17"} if is_older and not keeps_version else read)


def _validate(validator: Any, document: str) -> None:
    from moto.iam.exceptions import MalformedPolicyDocument

    try:
        validator(document).validate()
    except MalformedPolicyDocument as error:
        raise _malformed(str(error.message)) from error


def _malformed(message: str) -> ServiceError:
    return ServiceError("MalformedPolicyDocument", message)
