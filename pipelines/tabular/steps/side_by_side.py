"""Runs tasks that need nothing of each other on all processors, where there are rows enough to gain by it.

Each runs in a copy of this process, which has all that the task looks at. They are no threads: NumPy's work on blocks that a processor's
cache holds is so short that threads wait for each other's turn (two took twice the time of one). Used by `fitting.py` and
`prepared_rows.py`.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from failure import BadInput

Result = TypeVar("Result")

#: What fewer rows take is done before other processes are there.
FEWEST_ROWS = 400_000

_tasks: Sequence[Callable[[], Any]] = ()


def results(tasks: Sequence[Callable[[], Result]], rows: int) -> list[Result]:
    """Of each task, in their order, whatever ends first. Raises what the first of them raises that fails."""
    processes = min(processors(), len(tasks))
    if processes < 2 or rows < FEWEST_ROWS or sys.platform != "linux":  # macOS has libraries that no forked process may use
        return [task() for task in tasks]
    try:
        with ProcessPoolExecutor(processes, multiprocessing.get_context("fork"), _take, (tasks,)) as pool:
            return list(pool.map(_run, range(len(tasks))))
    except BrokenProcessPool:
        memory = f"one of {processes} processes that prepare {rows:,} rows was killed, mostly for want of memory"
        raise BadInput(f"{memory}; take a larger ProcessingInstanceType, or give fewer columns") from None


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _take(tasks: Sequence[Callable[[], Any]]) -> None:
    """In a new process, which gets them as they are."""
    global _tasks
    _tasks = tasks


def _run(number: int) -> Any:
    return _tasks[number]()
