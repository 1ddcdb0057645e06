"""Which Lambda functions run at this moment. `emulators.py` says when an invocation begins and ends; `scheduler.py` waits for its end."""

from __future__ import annotations

import collections
import contextlib
import threading
from collections.abc import Iterator

_running: collections.Counter[str] = collections.Counter()
_counting = threading.Lock()


@contextlib.contextmanager
def running(arn: str) -> Iterator[None]:
    """While one invocation of a function lasts."""
    with _counting:
        _running[arn] += 1
    try:
        yield
    finally:
        with _counting:
            _running[arn] -= 1


def is_running(arn: str) -> bool:
    """`arn`: the function's, also with a version or an alias."""
    return _running[":".join(arn.split(":")[:7])] > 0
