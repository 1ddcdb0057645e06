"""Application Auto Scaling of endpoint variants: the API (`operations.py`) and the loop that acts (`control_loop.py`).

What is decided, and when, is `capacity.engine`'s business, which the simulator uses too; here it meets real processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_account.context import Context


def install(context: Context) -> None:
    """Answer the API."""
    from local_account.scaling import operations

    operations.install(context)


def begin(context: Context) -> None:
    """Act on every scalable target of this account and region until they stop."""
    from local_account.monitoring import heartbeat
    from local_account.scaling import control_loop

    heartbeat.on_beat(context, control_loop.ControlLoop(context).step)
