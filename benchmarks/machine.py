"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform

import psutil


def describe_machine() -> dict[str, str | int | float]:
    return {
        "cpus": os.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def scheduling() -> str:
    """Whether the measured processes, which inherit it, went before all others."""
    if not hasattr(os, "sched_getscheduler"):  # not Linux
        return "normal"
    return "before all others" if os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO) else "normal"
