"""Tells the story: one line for each stage with its seconds, on a terminal with a spinner, otherwise as plain text.

Output: lines on standard output and `stages`, from which `timings.py` and `page.py` make their files.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.status import Status

_TITLE_WIDTH = 36


@dataclass
class Stage:
    """One line of the story. `started` is in seconds since the demo began."""

    chapter: str
    title: str
    started: float
    seconds: float = 0.0
    note: str = ""
    failed: bool = False


class Narrator:
    """Safe to use from several threads: stages may overlap, each is told when it ends."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(
            highlight=False, soft_wrap=True, emoji=False, color_system=None if "NO_COLOR" in os.environ else "auto"
        )
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._running: list[Stage] = []
        self._status: Status | None = None
        self._chapter = ""
        self._is_closed = False
        self.stages: list[Stage] = []

    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._began

    def chapter(self, title: str) -> None:
        with self._lock:
            self._chapter = title
            self._console.print(f"\n[bold]{escape(title)}[/bold]")

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        """Time the block; set `note` of the stage that it gets, to say what came out. A block that raises is told as failed."""
        stage = self.begin(title)
        try:
            yield stage
        except BaseException:
            stage.failed = True
            raise
        finally:
            self.end(stage)

    def begin(self, title: str) -> Stage:
        """A stage that some later `end` finishes, for stages that overlap."""
        stage = Stage(self._chapter, title, self.elapsed())
        with self._lock:
            if not self._is_closed:
                self._running.append(stage)
                self._show_running()
        return stage

    def end(self, stage: Stage) -> None:
        stage.seconds = self.elapsed() - stage.started
        with self._lock:
            if stage not in self._running:
                return  # the story was closed before
            self._running.remove(stage)
            self.stages.append(stage)
            mark = "[red]✗[/red]" if stage.failed else "[green]✓[/green]"
            title, note = escape(stage.title.ljust(_TITLE_WIDTH)), escape(stage.note)
            self._console.print(f"  {mark} {stage.seconds:6.1f} s  {title} {note}".rstrip())
            self._show_running()

    def say(self, text: str) -> None:
        with self._lock:
            self._console.print(escape(text))

    def complain(self, text: str) -> None:
        """One line on standard error."""
        self.close()
        Console(stderr=True, highlight=False, soft_wrap=True).print(escape(text))

    def close(self) -> None:
        """What other threads still do is not told any more."""
        with self._lock:
            self._is_closed = True
            self._running.clear()
            self._show_running()

    def _show_running(self) -> None:
        """Keep a spinner with the stages under way at the bottom of a terminal; nothing elsewhere."""
        if not self._console.is_terminal:
            return
        if not self._running:
            if self._status:
                self._status.stop()
                self._status = None
            return
        text = escape(" · ".join(stage.title for stage in self._running))
        if self._status:
            self._status.update(text)
        else:
            self._status = self._console.status(text)
            self._status.start()
