"""Images in other registries than the account's: AWS's own are not here, and no repository's policy is asked between accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.api.rules.rule import rule
from local_account.context import Context
from local_account.errors import NotEmulatedError


@rule("ecr", "BatchGetImage")
def _of_another_registry(context: Context, request: Mapping[str, Any]) -> None:
    """Not "no such image", which whoever asks for one of AWS's would take for true."""
    registry = request.get("registryId") or context.settings.account_id
    if registry != context.settings.account_id:
        raise NotEmulatedError("ecr", f"BatchGetImage of the registry {registry}")
