"""The story in order: infrastructure, a change, the training of each model, its release, its work, what it learns from that.

Each chapter is a file of its own. In: a `Terminal`, a `Narrator`, and whose story it is. Out: `Facts`, what happened, for `timings.py` and
`page.py`; StageError ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo import infrastructure, loop, release, scoring, training, watching
from demo import scaling as traffic
from demo.clock import AccountClock, next_monday
from demo.facts import Facts, ModelFacts
from demo.narrator import Narrator
from demo.own_paths import PERMISSIONS, ask
from demo.side_by_side import side_by_side
from demo.subject import Subject
from demo.terminal import Terminal
from settings_schema import Endpoint, Serverless
from settings_schema.reading import Settings


@dataclass(frozen=True)
class Options:
    """`port` 0 takes a free one; the speeds are simulated seconds per real second."""

    port: int = 0
    speed: float = 60.0
    traffic_speed: float = 120.0
    on_account_end: Callable[[str], None] | None = None  # called on another thread, with the reason


def tell(
    terminal: Terminal, narrator: Narrator, settings: Settings, subjects: Sequence[Subject], options: Options, working_directory: Path
) -> Facts:
    """Live through the whole loop once. `working_directory` takes the cloud assembly and the repository."""
    facts = Facts(stages=narrator.stages, models=[ModelFacts(subject) for subject in subjects])
    loop.check_data(terminal, subjects)
    narrator.chapter("The account and its infrastructure")
    infrastructure.start_account(terminal, narrator, options.port, options.speed, options.on_account_end)
    facts.account = dict(terminal.account)
    clock = AccountClock(terminal.account)
    clock.set(now=next_monday(traffic.time_zone(subjects)))
    infrastructure.deploy(terminal, narrator, settings, subjects, working_directory / "cdk.out")
    narrator.chapter("A change is pushed")
    training.push_and_train(terminal, narrator, settings, facts, working_directory / "repository")
    narrator.chapter("The versions are released" if len(facts.models) > 1 else "The version is released")
    side_by_side([release.releasing(terminal, narrator, model) for model in facts.models])
    narrator.chapter("Production at work")
    _work(terminal, narrator, facts, clock, options.traffic_speed)
    facts.worked_at = narrator.elapsed()
    for model in watching.watched(facts.models):
        narrator.chapter("Production is watched, and learns")
        watching.watch(terminal, narrator, model, clock)
    facts.permissions = ask(terminal.account, "GET", PERMISSIONS)
    return facts


def _work(terminal: Terminal, narrator: Narrator, facts: Facts, clock: AccountClock, speed: float) -> None:
    """Files are scored, and endpoints answer at once; then the traffic of a morning has the machine to itself. A queue has no story."""
    served = [model for model in facts.models if isinstance(model.subject.in_production, Endpoint | Serverless)]
    for model in facts.models:
        if model in served:
            traffic.ask(terminal, narrator, model)
        elif model.subject.model.is_batch_only:
            scoring.score(terminal, narrator, model)
    for model in traffic.scaled(served):
        traffic.scale(terminal, narrator, model, clock, speed)
