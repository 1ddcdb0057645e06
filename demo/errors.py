"""What can end the demo before its end."""

from __future__ import annotations

from pathlib import Path


class SetupError(Exception):
    """Something that the demo needs is not there. Nothing was started; the message says what to do. Exit code 2."""


class StageError(Exception):
    """A stage of the story failed. `log` is the file that tells why. Exit code 1."""

    def __init__(self, reason: str, log: Path | None = None) -> None:
        super().__init__(reason)
        self.log = log


class AccountEndedError(BaseException):
    """The local account ended in the middle of the story; the message says how and where its logs are. Exit code 2.

    Not an Exception: whatever fails next, on any thread, fails because of this.
    """


class Interrupted(BaseException):
    """Ctrl-C or a signal that asks to stop. Not an Exception, so that nothing but the clean-up handles it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number
