"""An A/B experiment in production: a new version answers a share of the requests beside the one that serves, until enough is known."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TypeVar

from pydantic import Field, model_validator

from settings_schema.scaling import Autoscaling, Schedule
from settings_schema.value import Value

#: What other kinds of endpoint say. SageMaker guide, "Testing models with production variants" and "Exclusions" of its guardrails.
NOT_HERE = "only in an Endpoint(...), which has instances for each of two versions and captures what each answers"
#: After `days_at_most`, so long is a result waited for that nobody has answered yet. A review of CodePipeline is open for 60 days at most.
DAYS_TO_ANSWER = 7
#: Labelled requests of each version; of fewer nothing is said (pipelines/monitoring/steps/experiment.py).
FEWEST_REQUESTS = 30

_Bounds = TypeVar("_Bounds", Autoscaling, Schedule)


class Experiment(Value):
    """Once a person has let a version into production, it gets `challenger_percent` of the requests there; the champion has the rest.

    It is over with `labelled_answers` of both together whose truth is known, or after `days_at_most`, whichever comes first. Then it is
    judged, once, by `metric` (None: the data set's), and a person says whether the challenger is rolled out. Without a difference in its
    favour the champion stays.
    """

    challenger_percent: int = Field(default=20, ge=1, le=50)
    labelled_answers: int = Field(default=2000, ge=100, le=1_000_000)
    days_at_most: int = Field(default=14, ge=1, le=60 - DAYS_TO_ANSWER)
    metric: str | None = None

    @model_validator(mode="after")
    def _can_be_judged(self) -> Experiment:
        """So many that the challenger's share of them is enough to say anything."""
        fewest = math.ceil(FEWEST_REQUESTS * 100 / self.challenger_percent)
        allowed = (
            f"at least {fewest} with challenger_percent={self.challenger_percent}, as {FEWEST_REQUESTS} of the challenger's are needed"
        )
        self.require(self.labelled_answers >= fewest, "labelled_answers", self.labelled_answers, allowed)
        return self

    def instances(self, champions: int) -> int:
        """Of the challenger, where all requests would need so many of the champion: it gets its share of the requests."""
        return math.ceil(champions * self.challenger_percent / 100)

    def share_of(self, autoscaling: Autoscaling) -> Autoscaling:
        """How the challenger scales: by the champion's policies, which go by an instance's requests, in its share of the bounds."""
        schedules = tuple(self._bounded(each) for each in autoscaling.schedules)
        return self._bounded(autoscaling).but(schedules=schedules)

    def _bounded(self, bounds: _Bounds) -> _Bounds:
        return bounds.but(min_capacity=self.instances(bounds.min_capacity), max_capacity=self.instances(bounds.max_capacity))

    @property
    def review_lasts(self) -> timedelta:
        return timedelta(days=self.days_at_most + DAYS_TO_ANSWER)
