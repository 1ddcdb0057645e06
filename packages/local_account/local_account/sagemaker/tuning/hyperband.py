"""Which trials Hyperband stops, and when. Pure.

Source: "How hyperparameter tuning with Amazon SageMaker works" and HyperbandStrategyConfig of the API reference: a trial is not stopped
before MinResource epochs and is at MaxResource; in between by asynchronous successive halving (AWS's Machine Learning Blog, "Amazon
SageMaker Automatic Model Tuning now provides up to three times faster hyperparameter tuning with Hyperband"; Li et al. 2020, ASHA): at
rungs of MinResource x 3^k epochs the best third goes on. The three, and that the best value so far counts, are assumptions. "Others" are
trials with a lower number, as in early_stopping.py, so that a seed stops the same ones whatever runs in parallel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

REDUCTION = 3
#: "The maximum value is 20,000 epochs."
MOST_EPOCHS = 20_000
#: Where MaxResource is taken from if it is not given, as the API reference says.
EPOCHS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")


@dataclass(frozen=True)
class Resources:
    """In epochs: values of the objective that a trial printed."""

    least: int
    most: int

    @classmethod
    def of(cls, config: Mapping[str, Any], static: Mapping[str, str]) -> Resources:
        """Of StrategyConfig and the fixed hyperparameters. Raises ValueError for what AWS refuses."""
        given = config.get("HyperbandStrategyConfig") or {}
        inferred = next((int(static[name]) for name in EPOCHS if static.get(name, "").isdigit()), None)
        least, most = given.get("MinResource", 1), given.get("MaxResource", inferred)
        if most is None:
            raise ValueError(f"Hyperband needs MaxResource, or one of the static hyperparameters {', '.join(EPOCHS)}")
        if not least <= most <= MOST_EPOCHS:
            raise ValueError(f"Hyperband has MinResource {least} and MaxResource {most}; allowed: up to {MOST_EPOCHS}, in this order")
        return cls(least, most)

    def rungs(self) -> Iterator[int]:
        rung = self.least
        while rung < self.most:
            yield rung
            rung *= REDUCTION


def stop_epoch(objectives: Sequence[float], previous: Sequence[Sequence[float]], resources: Resources, *, maximize: bool) -> int | None:
    """Number of the epoch (from 1) at whose end the trial is to be stopped; None if it may go on, or has nothing left to stop."""
    best = max if maximize else min
    for rung in resources.rungs():
        if len(objectives) <= rung:
            return None
        own, others = best(objectives[:rung]), [best(values[:rung]) for values in previous if len(values) >= rung]
        better = sum(value != own and best(value, own) == value for value in others)
        if len(others) + 1 >= REDUCTION and better >= (len(others) + 1) // REDUCTION:
            return rung
    return resources.most if len(objectives) > resources.most else None
