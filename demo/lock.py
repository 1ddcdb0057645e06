"""One demo at a time in one output directory.

The lock belongs to the process: the system frees it however the process ends, so a killed demo leaves no stale lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from demo.errors import SetupError


@contextlib.contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Hold `directory` until the end of the block. Raises SetupError, naming the process, if another demo holds it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{directory} cannot be written ({error.strerror}). Choose another directory with --out.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise SetupError(f"A demo is already running here (process {holder}). Wait for it, or stop it with `kill {holder}`.") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
