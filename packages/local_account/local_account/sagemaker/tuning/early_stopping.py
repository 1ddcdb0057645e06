"""The median rule of TrainingJobEarlyStoppingType Auto. Pure.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-early-stopping.html: after each epoch, a trial is
stopped if its objective is worse than the median of the running averages that previous trials had up to the same epoch.
AWS does not say how many previous trials it wants; `MINIMUM_PREVIOUS` is our assumption: with fewer, a median says nothing.

"Previous" here means trials with a lower number, not those that happened to end earlier: so the same seed stops the same
trials, whatever runs in parallel and however fast the machine is.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

MINIMUM_PREVIOUS = 3


def stop_epoch(objectives: Sequence[float], previous: Sequence[Sequence[float]], *, maximize: bool) -> int | None:
    """Number of the epoch (from 1) at whose end the trial is to be stopped; None if it may go on.

    `objectives` has one value per epoch; `previous` the same for every previous trial. A trial that stands at its last
    epoch has nothing left to stop: the epoch counts only if another one follows it in `objectives`.
    """
    if len(previous) < MINIMUM_PREVIOUS:
        return None
    for epoch in range(1, len(objectives)):
        averages = [statistics.fmean(values[:epoch]) for values in previous if len(values) >= epoch]
        if len(averages) < MINIMUM_PREVIOUS:
            return None
        median = statistics.median(averages)
        worse = objectives[epoch - 1] < median if maximize else objectives[epoch - 1] > median
        if worse:
            return epoch
    return None
