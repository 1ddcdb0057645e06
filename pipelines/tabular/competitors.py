"""The algorithms that compete unless a model names its own: each with its fixed hyperparameters and those that are searched.

The ranges of boosting won on public sets other than those of the judged table (docs/decisions/0190-defaults-are-chosen-on-other-sets.md).
"""

from __future__ import annotations

from settings_schema import Algorithm, Range

COMPETITORS = (
    Algorithm(
        name="gradient_boosting",
        fixed={"num_round": 1000},
        tuned={
            "eta": Range(low=0.03, high=0.12, log=True),
            "max_depth": Range(low=3, high=8),
            "min_child_weight": Range(low=1.0, high=12.0, log=True),
            "subsample": Range(low=0.6, high=1.0),
            "colsample_bytree": Range(low=0.4, high=1.0),
        },
    ),
    Algorithm(
        name="random_forest",
        fixed={"num_round": 1},
        tuned={"max_depth": Range(low=6, high=12), "colsample_bynode": Range(low=0.3, high=0.9)},
    ),
    Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.001, high=100.0, log=True)}),
)
