"""Real-time endpoints: a real HTTP server for every instance, behind a router.

Start reading at `operations.py` (the API, with `models.py` and `configurations.py`) or at `runtime.py` (an invocation). The modules of
this package that run inside an instance (`model_server`, `router_key`, `serving_contract`) import nothing
else of the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_account.context import Context


def begin(context: Context) -> None:
    """Make this account's endpoints real. Called once for each account and region, before it answers requests."""
    from local_account.endpoints import operations

    operations.begin(context)
