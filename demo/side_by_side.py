"""Does things at the same time: the first failure is raised at once, and whatever else goes on ends with the account.

The threads are daemons, because they wait for AWS: a story that ends early must not wait for them in its turn.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

#: A signal that another thread was handed is handled once the main thread runs (docs.python.org/3/library/signal.html).
_LOOK_SECONDS = 0.1


def side_by_side(works: Sequence[Callable[[], None]]) -> None:
    """Returns when all have ended; raises what the first of them raises."""
    ended: queue.Queue[BaseException | None] = queue.Queue()

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # raised again below, whatever it is
            ended.put(error)
        else:
            ended.put(None)

    for work in works:
        threading.Thread(target=run, args=(work,), daemon=True).start()
    for _ in works:
        error = _next(ended)
        if error is not None:
            raise error


def _next(ended: queue.Queue[BaseException | None]) -> BaseException | None:
    while True:
        try:
            return ended.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            continue
