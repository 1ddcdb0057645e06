"""A progress line on standard error; silent when that is not a terminal."""

from __future__ import annotations

import sys
import time


class Bar:
    """`show(done, total)` redraws one line, with the time that is left."""

    def __init__(self, title: str) -> None:
        self._title, self._begin = title, time.monotonic()

    def show(self, done: int, total: int) -> None:
        if not sys.stderr.isatty():
            return
        filled = 30 * done // max(total, 1)
        left = (time.monotonic() - self._begin) * (total - done) / max(done, 1)
        end = "\n" if done >= total else ""
        print(
            f"\r{self._title} {'#' * filled}{'.' * (30 - filled)} {done:,}/{total:,}, {left:4.0f} s left ",
            end=end,
            file=sys.stderr,
            flush=True,
        )
