"""The story in order: infrastructure, a change, its training, its release, its traffic. Each chapter is a file of its own.

In: a `Terminal` and a `Narrator`. Out: `Facts`, what happened, for `timings.py` and `page.py`; StageError ends it early.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from demo import infrastructure, loop, release, scaling, training
from demo.clock import AccountClock, next_monday
from demo.facts import Facts
from demo.narrator import Narrator
from demo.own_paths import PERMISSIONS, ask
from demo.terminal import Terminal
from settings import PRODUCTION


@dataclass(frozen=True)
class Options:
    """`port` 0 takes a free one; the speeds are simulated seconds per real second; `data` None takes the example's."""

    port: int = 0
    speed: float = 60.0
    traffic_speed: float = 120.0
    data: Path | None = None
    on_account_end: Callable[[str], None] | None = None  # called on another thread, with the reason


def tell(terminal: Terminal, narrator: Narrator, options: Options, working_directory: Path) -> Facts:
    """Live through the whole loop once. `working_directory` takes the cloud assembly and the repository."""
    facts = Facts(stages=narrator.stages)
    loop.require_data(terminal, options.data)
    narrator.chapter("The account and its infrastructure")
    infrastructure.start_account(terminal, narrator, options.port, options.speed, options.on_account_end)
    facts.account = dict(terminal.account)
    clock = AccountClock(terminal.account)
    time_zone = PRODUCTION.autoscaling.time_zone if PRODUCTION.autoscaling else "Etc/UTC"
    clock.set(now=next_monday(time_zone))
    infrastructure.deploy(terminal, narrator, working_directory / "cdk.out", options.data)
    narrator.chapter("A change is pushed")
    training.push_and_train(terminal, narrator, facts, working_directory / "repository")
    narrator.chapter("The version is released")
    release.release(terminal, narrator, facts)
    narrator.chapter("Production meets its traffic")
    scaling.ask(terminal, narrator, facts)
    scaling.scale(terminal, narrator, facts, clock, options.traffic_speed)
    facts.permissions = ask(terminal.account, "GET", PERMISSIONS)
    return facts
