"""How long a session of a role may last: what the role says, and an hour for whoever has a role already.

Source: IAM user guide, "Methods to assume a role" (role chaining), and the STS API reference, AssumeRole, DurationSeconds. Input: who asks
for what. Output: nothing, or ServiceError. Used by `enforcement.py`.
"""

from __future__ import annotations

from local_account.api.reading import Call
from local_account.authorization.existing import identity
from local_account.authorization.principals import Principal
from local_account.errors import ServiceError

_CHAINED_SECONDS = 3600


def require(principal: Principal, call: Call) -> None:
    """Raises ServiceError for an AssumeRole that asks for more seconds than it may have."""
    if (call.service, call.operation) != ("sts", "AssumeRole"):
        return
    seconds = int(call.parameters.get("DurationSeconds") or 0)
    role_arn = str(call.parameters["RoleArn"])
    role = identity(role_arn.split(":")[4] if role_arn.count(":") >= 5 else "", "role", role_arn)
    if principal.kind == "AssumedRole" and seconds > _CHAINED_SECONDS:
        said = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise ServiceError("ValidationError", said)
    if seconds > int(role.get("MaxSessionDuration") or _CHAINED_SECONDS):
        raise ServiceError("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
