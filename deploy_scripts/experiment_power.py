"""What an experiment can find, said before it begins: the smallest difference in the metric that it would miss once in five times. Pure.

From the new version's own evaluation: the interval of its metric on so many test rows says how much one answer varies, and so how much the
difference between two numbers of answers does. Both versions are taken to vary alike. A request of several rows says less than as many
requests. Source: Kohavi, Tang & Xu 2020, "Trustworthy Online Controlled Experiments", chapter 17 (power; 5 % and 80 %).
Used by review/facts.py and experiment.py; what is found: pipelines/monitoring/steps/experiment_statistics.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from settings_schema import Endpoint, Experiment, Prices

#: Of a two-sided interval of 95 %, and of a difference that is found in 80 % of such experiments.
_SURE, _FOUND = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(0.8)
_HOURS = 24


def expected_labels(experiment: Experiment) -> tuple[int, int]:
    """Labelled answers of the champion and of the challenger."""
    challenger = round(experiment.labelled_answers * experiment.challenger_percent / 100)
    return experiment.labelled_answers - challenger, challenger


def smallest_difference(measured: Mapping[str, float | None], rows: int, experiment: Experiment) -> float | None:
    """In the metric. `measured`: its value with `lower` and `upper` of 95 %, on `rows` test rows. None where they say nothing."""
    lower, upper = measured.get("lower"), measured.get("upper")
    if lower is None or upper is None or rows <= 0 or upper <= lower:
        return None
    of_one_answer = (upper - lower) / (2 * _SURE) * math.sqrt(rows)
    champion, challenger = expected_labels(experiment)
    return (_SURE + _FOUND) * of_one_answer * math.sqrt(1 / champion + 1 / challenger)


def plan(experiment: Experiment, serving: Endpoint, prices: Prices, metric: str, found: float | None) -> dict[str, Any]:
    """For the approver's page. `found`: `smallest_difference`. `instances`: of the challenger, at the least and at the most, as it scales.

    `usd_per_day`: of one of them; None where no price is noted.
    """
    price = prices.usd_per_hour.get(serving.instance_type)
    champion, challenger = expected_labels(experiment)
    return {
        "percent": experiment.challenger_percent,
        "metric": metric,
        "labels": {"champion": champion, "challenger": challenger},
        "days": experiment.days_at_most,
        "smallest_difference": found,
        "instances": [experiment.instances(count) for count in (serving.fewest_instances, serving.most_instances)],
        "instance_type": serving.instance_type,
        "usd_per_day": None if price is None else _HOURS * price,
    }
