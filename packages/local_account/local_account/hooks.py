"""Puts functions of ours around those of the emulators, whose modules keep them from one account of a process to the next.

    eventbridge._put_events = around(eventbridge._put_events, functools.partial(_put_events, context))

In: the emulator's function, and one of ours that is given it before its own arguments. Out: what stands in its place. An earlier account's
is taken off, so that each account wraps the emulator's own. `packages/local_account/tests/test_hooks_contract.py` lists what is wrapped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def around(function: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    """A function that answers `ours(original, *arguments)`, `original` being the emulator's."""
    original = getattr(function, "emulators_own", function)

    @functools.wraps(original)
    def call(*arguments: Any, **options: Any) -> Any:
        return ours(original, *arguments, **options)

    call.emulators_own = original  # type: ignore[attr-defined]  # what a later account of this process begins with
    return call
