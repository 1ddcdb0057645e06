"""The arithmetic of Application Auto Scaling: how much capacity a policy asks for. Pure; used by `engine.py` and `batch.py`.

Sources: user guide, target-tracking-scaling-policy-overview and step-scaling-policy-overview.
"""

from __future__ import annotations

import math

from capacity.model import StepPolicy

_ROUNDING = 1e-9  # so that 3 x 600 / 600, computed in binary, does not round up to 4


def tracking_capacity(capacity: float, value: float, target_value: float) -> int:
    """Capacity that brings a per-instance `value` to the target: capacity x value / target, rounded up.

    The user guide says it "scales out proportionally to the metric" and, when rounding, neither adds insufficient nor
    removes too much capacity; both round up to the next whole instance.
    """
    return math.ceil(capacity * value / target_value - _ROUNDING)


def whole_change(change: float) -> int:
    """Rounding of a percentage change: above 1 down, between 0 and 1 to 1, between 0 and -1 to -1, below -1 up."""
    if change == 0:
        return 0
    if abs(change) < 1:
        return 1 if change > 0 else -1
    return math.floor(change + _ROUNDING) if change > 0 else math.ceil(change - _ROUNDING)


def step_adjustment(policy: StepPolicy, value: float, threshold: float) -> int | None:
    """The adjustment of the step that `value` falls into, or None outside all steps.

    Above the threshold the lower bound is inclusive and the upper exclusive; below it is the other way round.
    """
    distance = value - threshold
    for step in policy.steps:
        above = step.lower <= distance < step.upper
        below = step.lower < distance <= step.upper
        if above if distance >= 0 else below:
            return step.adjustment
    return None


def step_capacity(policy: StepPolicy, capacity: int, value: float, threshold: float) -> int:
    """Capacity after the step that `value` falls into; `capacity` unchanged if it falls into none."""
    adjustment = step_adjustment(policy, value, threshold)
    if adjustment is None:
        return capacity
    if policy.adjustment_type == "ExactCapacity":
        return adjustment
    if policy.adjustment_type == "ChangeInCapacity":
        return capacity + adjustment
    change = whole_change(capacity * adjustment / 100)
    smallest = policy.min_adjustment_magnitude
    if change and abs(change) < smallest:
        change = smallest if change > 0 else -smallest
    return capacity + change
