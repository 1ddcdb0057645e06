"""The algorithms that compete unless a model names its own: each with its fixed hyperparameters and those that are searched."""

from __future__ import annotations

from settings_schema import Algorithm, Range

COMPETITORS = (
    Algorithm(
        name="gradient_boosting",
        fixed={"num_round": 600},
        tuned={
            "eta": Range(low=0.02, high=0.2, log=True),
            "max_depth": Range(low=3, high=7),
            "min_child_weight": Range(low=1.0, high=12.0),
            "subsample": Range(low=0.6, high=1.0),
        },
    ),
    Algorithm(
        name="random_forest",
        fixed={"num_round": 1},
        tuned={"max_depth": Range(low=6, high=12), "colsample_bynode": Range(low=0.3, high=0.9)},
    ),
    Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.001, high=100.0, log=True)}),
)
