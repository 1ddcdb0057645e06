"""One thread on which time passes for metrics, alarms and scaling, in this order, for one account and region after another.

In: `on_beat(context, action)`; out: `action(now)` about every ten simulated seconds, `now` in Unix seconds of the account's clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from local_account.context import Context, Part
from local_account.places import scope

_log = logging.getLogger(__name__)

#: High-resolution metrics have a value every ten seconds, so nothing happens more often than that.
BEAT_SIMULATED_SECONDS = 10.0
#: Bounds of the pause in real seconds: not a busy loop at high speed, and a change of speed is noticed soon.
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.1, 1.0

Action = Callable[[float], None]


class Actions(Part):
    """What happens at every beat of one account and region, in order."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.every: list[Action] = []


def on_beat(context: Context, action: Action) -> None:
    """Call `action` at every beat, after those that were added before it."""
    Actions.at(context).every.append(action)


def run(context: Context) -> None:
    """Beat for every place of the process until it stops. An action that fails is logged and called again at the next beat."""
    while not context.stopping.wait(_pause(context)):
        now = context.clock.now().timestamp()
        for place in context.places.all():
            with scope(place.settings.account_id, place.settings.region):
                _beat(place, now)


def _beat(context: Context, now: float) -> None:
    for action in tuple(Actions.at(context).every):
        try:
            action(now)
        except Exception:  # one failing action must not stop the time of the others
            if not context.stopping.is_set():
                _log.exception("%s failed", getattr(action, "__qualname__", action))


def _pause(context: Context) -> float:
    return min(max(context.clock.real_seconds(BEAT_SIMULATED_SECONDS), _SHORTEST_SECONDS), _LONGEST_SECONDS)
