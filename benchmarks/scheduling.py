"""Whether what is measured goes before all other processes of the machine."""

from __future__ import annotations

import os


def scheduling() -> str:
    """Of this process, which those that it starts inherit."""
    if not hasattr(os, "sched_getscheduler"):  # not Linux
        return "normal"
    return "before all others" if os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO) else "normal"
