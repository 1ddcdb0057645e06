"""Refuses a configuration that the service refuses only when it runs, or resolves by chance.

Input: a `Configuration`. Raises CapacityError with one line. Called by `template.py` and `api.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from capacity.bounds import scheduled_times
from capacity.model import Configuration, ScheduledAction, TargetTrackingPolicy, require

_MEETINGS_PER_ACTION = 2000  # an action every few minutes has met the others by then


def check(configuration: Configuration) -> Configuration:
    """The configuration itself, if names differ, metrics differ and schedules agree."""
    target = configuration.target
    names = [policy.name for policy in configuration.policies]
    require(len(names) == len(set(names)), f"scaling policies of {target.resource_id} are named {names}; allowed: different names")
    titles = [action.name for action in configuration.scheduled_actions]
    require(len(titles) == len(set(titles)), f"scheduled actions of {target.resource_id} are named {titles}; allowed: different names")
    metrics = [policy.metric for policy in configuration.policies if isinstance(policy, TargetTrackingPolicy)]
    require(
        len(metrics) == len(set(metrics)),
        f"target tracking policies of {target.resource_id} share a metric; allowed: a different metric each",
    )
    _check_schedules(configuration)
    return configuration


def _check_schedules(configuration: Configuration) -> None:
    target = configuration.target
    created = datetime(2026, 1, 1, tzinfo=UTC)  # any year does: what matters is which actions meet
    seen: dict[datetime, ScheduledAction] = {}
    for action in configuration.scheduled_actions:
        low = target.min_capacity if action.min_capacity is None else action.min_capacity
        high = target.max_capacity if action.max_capacity is None else action.max_capacity
        require(low <= high, f"scheduled action {action.name}: min capacity {low} is above max capacity {high} of the scalable target")
        for count, moment in enumerate(scheduled_times(action, created).between(created, created + timedelta(days=366))):
            other = seen.setdefault(moment, action)
            agree = (other.min_capacity, other.max_capacity) == (action.min_capacity, action.max_capacity)
            require(
                agree,
                f"scheduled actions {other.name} and {action.name} contradict: both run at {moment:%Y-%m-%d %H:%M} UTC, bounds differ",
            )
            if count > _MEETINGS_PER_ACTION:
                break
