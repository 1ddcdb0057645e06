"""What becomes of the candidates: whether a blend of them competes, and whether the chosen model is fitted again on all rows."""

from __future__ import annotations

from pydantic import Field

from settings_schema.value import Value


class Blend(Value):
    """What a blend of the best trial of each algorithm may cost (steps/blending.py). It competes like any other candidate.

    `max_latency_ratio`: of a row alone, by what the models say of it (steps/row_cost.py), to the best single model's. `max_megabytes`: of
    the members together. `significance`: it is chosen where the single one is at least as good in less than this share of paired resamples.
    """

    max_members: int = Field(default=3, ge=2, le=5)
    max_latency_ratio: float = Field(default=1.5, ge=1)
    max_megabytes: float = Field(default=50.0, gt=0)
    significance: float = Field(default=0.1, gt=0, lt=0.5)


class Choice(Value):
    """`refit`: the chosen model is fitted again on training and validation rows, with what validation found (steps/refit.py).

    `blend`: None, where no blend competes.
    """

    refit: bool = True
    blend: Blend | None = Blend()
