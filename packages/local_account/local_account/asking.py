"""Who asks for what is being done: for answers that say by whom something was changed, as CodePipeline's and the model registry's do.

Set by `gateway.py` for each request; whatever no request asks for is done by the account itself.
"""

from __future__ import annotations

from contextvars import ContextVar

from local_account.authorization.credentials import Credentials
from local_account.context import Context

_caller: ContextVar[Credentials | None] = ContextVar("caller", default=None)
note = _caller.set


def arn(context: Context) -> str:
    """As `sts get-caller-identity` gives it."""
    caller = _caller.get()
    if caller is None:
        return f"arn:aws:iam::{context.settings.account_id}:root"
    keyring = context.keyring
    return keyring.here(lambda: keyring.principal_of(caller.access_key, caller.token)).arn


def user_context(context: Context) -> dict[str, dict[str, str]]:
    """SageMaker's `CreatedBy` and `LastModifiedBy` of what the registry has: UserContext of its service model."""
    return {"IamIdentity": {"Arn": arn(context)}}
