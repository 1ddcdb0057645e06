"""Finds processes that outlived the one that started them: by a mark in their environment, or by the folder they work in."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

MARK = "LOOP_TEST_RUN"


def survivors(mark: str, directory: Path) -> list[str]:
    """Command lines of living processes that carry the mark or use the directory, except this one."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get(MARK) == mark or str(directory) in " ".join([process.cwd(), *process.cmdline()])
            if ours and process.pid != psutil.Process().pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:  # it ended meanwhile, or belongs to someone else
            continue
    return found


def survivors_after(mark: str, directory: Path, seconds: float = 10.0) -> list[str]:
    """Those that are still there when processes that are on their way out had this long."""
    deadline = time.monotonic() + seconds
    while (found := survivors(mark, directory)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
