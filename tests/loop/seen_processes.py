"""Every process that was seen below a folder while the tests of the loop ran: its arguments, and the secrets in its environment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_EVERY_SECONDS = 0.2


@dataclass(frozen=True)
class Seen:
    arguments: str
    secrets: frozenset[str]


class Watch:
    """Looks on a thread of its own. A process that lives shorter than between two looks is not seen."""

    def __init__(self, directory: Path) -> None:
        self.directory = str(directory)
        self.found: set[Seen] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)

    def __iter__(self) -> Iterator[Seen]:
        return iter(set(self.found))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _look_again(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error, OSError):  # it ended meanwhile, or belongs to someone else
                    self._look_at(process)

    def _look_at(self, process: psutil.Process) -> None:
        arguments, variables = " ".join(process.cmdline()), process.environ()
        if self.directory in " ".join([arguments, process.cwd(), *variables.values()]):
            self.found.add(Seen(arguments, frozenset(variables[name] for name in _SECRETS if variables.get(name))))
