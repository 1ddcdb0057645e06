"""A key policy that would keep its own author from ever changing it again is refused, unless the request says that it is meant so.

Source: KMS API reference, CreateKey and PutKeyPolicy, Policy and BypassPolicyLockoutSafetyCheck. Only the key policy is asked: what the
author's own policies allow may change. Input: who asks for what. Output: nothing, or ServiceError. Used by `enforcement.py`.
"""

from __future__ import annotations

import json
from dataclasses import replace

from local_account.api.reading import Call
from local_account.authorization import policies
from local_account.authorization.evaluation import decide
from local_account.authorization.existing import Existing
from local_account.authorization.principals import Principal
from local_account.authorization.requests import Check
from local_account.errors import ServiceError

_EVERYTHING = policies.policy("everything", json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}))


def require(existing: Existing, principal: Principal, call: Call) -> None:
    """Raises ServiceError for a policy after which the principal could not put another one."""
    is_put = call.service == "kms" and call.operation in ("CreateKey", "PutKeyPolicy")
    text = str(call.parameters.get("Policy") or "")
    if not is_put or not _is_policy(text) or str(call.parameters.get("BypassPolicyLockoutSafetyCheck")).lower() == "true":
        return
    author = replace(principal, identity=(_EVERYTHING,), boundary=None, session=None)
    arn = existing.key_arn(str(call.parameters.get("KeyId") or "")) or f"arn:aws:kms:{existing.region}:{existing.account_id}:key/new"
    if not decide(author, Check("kms:PutKeyPolicy", arn, {}), existing.region, policies.resource_statements(text)).allowed:
        raise ServiceError(
            "MalformedPolicyDocumentException", "The new key policy will not allow you to update the key policy in the future."
        )


def _is_policy(text: str) -> bool:
    """Whether it is written as one; what is wrong with another is said by `api/rules/keys.py`."""
    from local_account.api.rules.policy_documents import is_resource_policy  # the rules' context has this package's parts

    return is_resource_policy(text)
