"""What a run took and cost, when it has ended: the seconds that are paid for, by step, and USD at the prices of settings.py.

What is billed, pipelines/tabular/steps/billing.py asks, as it does for the evaluation's report.
Input: the steps of an execution. Output: lines. Used by run_pipeline.py and follow.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from settings_schema import Prices
from settings_schema.steps import steps_module

_BILLING = steps_module("billing")


def lines(sagemaker: Any, steps: Sequence[Mapping[str, Any]], prices: Prices) -> list[str]:
    """A line for each step that had instances, and one for all; why there are none, where whoever asks may not see the jobs."""
    try:
        known = [step for step in _BILLING.of_steps(sagemaker, steps) if step.jobs]
    except ClientError as error:
        return [f"what it cost cannot be seen: {error.response['Error'].get('Message', error)}"]
    return [*map(_line, known), _total(_BILLING.instance_hours(known), prices)] if known else []


def _line(step: Any) -> str:
    of = "" if len(step.jobs) == 1 else f"{len(step.jobs)} jobs, "
    saved = "" if step.saved is None else f"; they ran {step.ran_seconds:,.0f} s, so spare capacity saved {step.saved:.0%}"
    return f"{step.name:<24} {step.billed_seconds:7,.0f} s billed  {of}{step.instances}{saved}"


def _total(hours: Mapping[str, float], prices: Prices) -> str:
    unknown = sorted(set(hours) - set(prices.usd_per_hour))
    said = f"together {sum(hours.values()):.2f} instance-hours"
    if unknown:
        return f"{said}; what they cost is not known: no price of {', '.join(unknown)} in PRICES of settings.py"
    usd = sum(prices.usd_per_hour[kind] * count for kind, count in hours.items())
    return f"{said}, {usd:,.2f} USD at the prices noted {prices.as_of} in settings.py"
