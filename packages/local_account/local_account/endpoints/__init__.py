"""Real-time endpoints: a real HTTP server for every instance, behind a router.

Start reading at `operations.py` (the API, with `models.py` and `configurations.py`) or at `runtime.py` (an invocation). The modules of
this package that run inside an instance (`model_server`, `router_key`, `serving_contract`) import nothing
else of the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_account.context import Context


def install(context: Context) -> None:
    """Make this account's endpoints real. Call once for each account, before it answers requests."""
    from local_account.endpoints import operations

    operations.install(context)
