"""How a model's production is watched: when, by which windows, and from which change on somebody is told.

Each limit is the size of a change, never a p-value: whether a change is more than chance is tested beside it, for the rows that there are
(pipelines/monitoring/steps/). Next: pipelines/monitoring/code.py, which hands these to the job that watches.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from capacity.schedule import parse
from settings_schema.serving import InstanceType
from settings_schema.times import Cron, TimeZone
from settings_schema.value import Value

#: A window that ended longer ago is not caught up with (pipelines/monitoring/steps/windows.py), so runs are no further apart.
CATCH_UP = timedelta(days=7)
_CLOCK_CHANGE = timedelta(hours=1)  # a weekly schedule is that much later once a year
_WEEK_HOURS = 168
_WHOLE = [hours for hours in range(1, _WEEK_HOURS + 1) if _WEEK_HOURS % hours == 0]

_Share = Annotated[float, Field(gt=0, lt=1)]


class Monitoring(Value):
    """None of `cron` and `window_hours` goes by how the model serves: an endpoint is looked at each hour, what batches scored each day.

    `cron`: when what has ended is judged. A window ends on the hour in UTC and is judged from a quarter past on: captured files come late.
    """

    cron: Cron | None = None
    time_zone: TimeZone = "Etc/UTC"
    window_hours: Annotated[int, Field(ge=1, le=_WEEK_HOURS)] | None = None  # a week has a whole number of windows, from Monday 00:00 UTC
    min_rows: int = Field(default=200, ge=30)  # a window with fewer is judged together with those before it, or not at all
    max_drift: _Share = 0.04  # Jensen-Shannon distance of one feature, or of the predictions, to the test rows of the version: 0 to 1
    max_joint_auc: float = Field(default=0.55, gt=0.5, lt=1)  # of a classifier that tells production from the test rows; 0.5: it cannot
    # By how much a share of the rows may grow over that of the version's own data.
    max_missing_increase: _Share = 0.05
    max_out_of_range_increase: _Share = 0.05
    max_unseen_increase: _Share = 0.05  # categories that training has not seen
    max_wrong_type_increase: _Share = 0.05
    max_refused_increase: _Share = 0.05  # requests that the version answered with an error of the client's
    max_quality_loss: float = Field(default=0.1, gt=0)  # of the metric at evaluation, estimated or realised: 0.1 is a tenth worse
    min_attribution_ndcg: float = Field(default=0.9, gt=0, le=1)  # of the ranking of features, as SageMaker Clarify defined it
    instance_type: InstanceType = "ml.m5.large"

    @model_validator(mode="after")
    def _loses_no_window(self) -> Monitoring:
        hours = self.window_hours
        whole = f"{', '.join(map(str, _WHOLE))}: a week has a whole number of such windows"
        self.require(hours is None or hours in _WHOLE, "window_hours", hours, whole)
        if self.cron is not None:
            often = f"times at most {CATCH_UP.days} days apart, also where a clock change skips one: what ended before that is not judged"
            self.require(_longest_wait(self.cron, self.time_zone) <= CATCH_UP + _CLOCK_CHANGE, "cron", self.cron, often)
        return self

    @property
    def looks_daily(self) -> bool:
        return self.cron is not None and _longest_wait(self.cron, self.time_zone) <= timedelta(days=1) + _CLOCK_CHANGE

    def for_endpoint(self) -> Monitoring:
        return self._with("20 * ? * * *", 1)

    def for_batch(self) -> Monitoring:
        return self._with("20 0 ? * * *", 24)

    def _with(self, cron: str, window_hours: int) -> Monitoring:
        return self.but(cron=self.cron or cron, window_hours=self.window_hours or window_hours)


@functools.cache
def _longest_wait(cron: str, time_zone: str) -> timedelta:
    """For the next run, from any day of two years on; longer than CATCH_UP if a schedule ends within them."""
    schedule, longest = parse(f"cron({cron})", time_zone), timedelta(0)
    first = datetime(2027, 1, 1, tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    for day in range(0, 730, 3):
        then = first + timedelta(days=day)
        following = schedule.next_after(then)
        longest = max(longest, following - then if following else CATCH_UP * 2)
    return longest
