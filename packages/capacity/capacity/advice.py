"""Says a recommendation in words, and what no reactive policy can do. Used by the command line and the page."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from capacity.model import LEAST_OUTSTANDING_REQUESTS, RANDOM, Assumptions
from capacity.outcome import Budget, Outcome
from capacity.queueing import P99_BUDGET
from capacity.recommend import Recommendation
from capacity.traffic import Traffic

ROUTING_WORDS = {
    RANDOM: "RANDOM: a request goes to any instance, busy or not",
    LEAST_OUTSTANDING_REQUESTS: "LEAST_OUTSTANDING_REQUESTS: a request goes to the instance with the fewest in flight",
}


def budget_words(budget: Budget) -> str:
    """What is allowed: `at most 1 % slower than the SLO and 4 h broken`."""
    hours = "" if math.isinf(budget.broken_hours) else f" and {budget.broken_hours:.3g} h broken"
    average = " on average" if budget.on_average else ""
    return f"at most {100 * budget.slow_share:.3g} % slower than the SLO{hours}{average}"


def outcome_words(outcome: Outcome, *, on_average: bool = False) -> str:
    """Cost and the worst replay (or their mean): an hour is broken when more than 1 % of its requests are slower than the SLO."""
    if on_average:
        slow, hours = np.mean(outcome.breaches), np.mean(outcome.broken_hours)
        return f"{outcome.usd:,.2f} USD, on average {100 * slow:.3f} % slower and {hours:.1f} h broken"
    return f"{outcome.usd:,.2f} USD, at worst {100 * outcome.worst_breach:.2f} % slower and {outcome.worst_hours:g} h broken"


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """How fast a reactive policy can be, against how fast the traffic grows. Seconds, and ratios of load."""

    seconds: float  # from a rise to instances that serve it, with one-minute values
    high_resolution_seconds: float  # the same with 10-second values
    growth: float  # the largest factor by which the load grows within `seconds`
    high_resolution_growth: float
    at: float  # when (Unix seconds)

    @property
    def highest_safe_share(self) -> float:
        """Utilisation to start from so that the growth still fits: 1 / growth."""
        return 1 / self.growth


def reaction(traffic: Traffic, assumptions: Assumptions) -> Reaction:
    """Detection (3 values), publication, action and provisioning: nothing that reacts to a metric is faster."""
    rest = assumptions.alarm_action_seconds + assumptions.provisioning_seconds
    slow = assumptions.scale_out_datapoints * 60 + assumptions.metric_delay_seconds + rest
    fast = assumptions.scale_out_datapoints * 10 + assumptions.high_resolution_delay_seconds + rest
    growth, at = _largest_growth(traffic, slow)
    return Reaction(
        seconds=slow, high_resolution_seconds=fast, growth=growth, high_resolution_growth=_largest_growth(traffic, fast)[0], at=at
    )


def _largest_growth(traffic: Traffic, seconds: float) -> tuple[float, float]:
    steps = min(len(traffic.rate) - 1, math.ceil(seconds / traffic.step_seconds))
    if steps < 1:
        return 1.0, traffic.start
    before, after = traffic.rate[:-steps], traffic.rate[steps:]
    matters = after > 0.2 * traffic.rate.max()  # a night's trickle that doubles is no news
    factor = np.where(matters, after / np.maximum(before, 0.01 * max(float(traffic.rate.max()), 1e-9)), 1.0)
    index = int(np.argmax(factor))
    return max(1.0, float(factor[index])), traffic.start + index * traffic.step_seconds


def caveat(
    found: Recommendation, traffic: Traffic, assumptions: Assumptions, static_count: int, static_usd: float
) -> tuple[str, list[str]]:
    """Title and lines to say when the choice breaks the budget, in the search or on traffic it has not seen; empty otherwise."""
    if found.holds_unseen:
        return "", []
    if found.best is None or found.held_out.worst_breach > P99_BUDGET:
        title = "What no reactive policy can do, and what would"
        return title, what_would_hold(reaction(traffic, assumptions), static_count, static_usd)
    return "Not kept on other days", [
        "On variations that the search has not seen, the recommendation breaks the SLO more often than was allowed. "
        "Allow less than you can bear (--slow-percent, --broken-hours), or take a dearer point of the trade-off curve."
    ]


def what_would_hold(found: Reaction, static_count: int, static_usd: float) -> list[str]:
    """What helps when no reactive policy holds the SLO, most certain first. Plain sentences."""
    return [
        f"A metric-driven policy needs {found.seconds:.0f} s from a rise to serving instances; the traffic grows {found.growth:.1f}-fold "
        f"in that time. It could only keep up from at most {100 * found.highest_safe_share:.0f} % utilisation.",
        f"Capacity that is there before: a static fleet of {static_count} holds it for {static_usd:,.2f} USD; a minimum of that size, "
        "or a scheduled action some minutes before, if the time of the rise is known (a campaign, a launch).",
        f"A faster signal: 10-second concurrency values cut the reaction to {found.high_resolution_seconds:.0f} s, in which the traffic "
        f"grows {found.high_resolution_growth:.1f}-fold.",
        "Faster provisioning: a smaller image and model; measure it and pass --assume provisioning_seconds=...",
        "Fewer requests at once: a queue with asynchronous inference, a cache, or throttling with retry at the client.",
    ]
