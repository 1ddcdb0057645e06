"""What SageMaker's tuner lets a program in its XGBoost image tune, and in which line it looks for the objective.

The tuner holds the image for an algorithm of its own, also where it runs a program of ours: it refuses metric definitions, and ranges of
hyperparameters that the image does not declare (aws/sagemaker-xgboost-container#121, where its maintainer reproduced it, and
aws/sagemaker-python-sdk#2226). So the names are the image's, which are XGBoost's. Source of the lists: that repository at 3.2-0,
`algorithm_mode/hyperparameter_validation.py`, `algorithm_mode/metrics.py` and `constants/xgb_constants.py`.
Standard library only, because settings are read where nothing else is installed. Used by settings_schema/steps.py, jobs.py and `train.py`.
"""

from __future__ import annotations

from typing import NamedTuple


class Tunable(NamedTuple):
    """`low` and `high` are allowed, but for a `low` that is `open`."""

    low: float
    high: float = float("inf")
    is_integer: bool = False
    is_open: bool = False


TUNABLE = {
    "num_round": Tunable(1, is_integer=True),
    "max_depth": Tunable(0, is_integer=True),
    "eta": Tunable(0, 1),
    **dict.fromkeys(("gamma", "min_child_weight", "max_delta_step", "lambda", "alpha"), Tunable(0)),
    **dict.fromkeys(("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode"), Tunable(0, 1, is_open=True)),
}
#: What an algorithm may fix besides: numbers and words that the image declares.
DECLARED = frozenset(TUNABLE) | {
    *("base_score", "booster", "early_stopping_rounds", "grow_policy", "max_bin", "max_leaves", "nthread", "num_parallel_tree"),
    *("rate_drop", "sampling_method", "scale_pos_weight", "seed", "skip_drop", "tree_method", "tweedie_variance_power", "verbosity"),
}
#: The image wants it of every search; 1 where nothing is boosted.
REQUIRED = "num_round"
#: Metrics of the model's file that the image calls something else. It knows no loss of quantiles, so that one goes by the name of the
#: loss that it is of the median, twice: the tuner minimises what is printed under that name.
_IMAGES_NAME = {"average_precision": "aucpr", "log_loss": "logloss", "macro_f1": "f1_macro", "pinball": "mae"}
#: Metrics that XGBoost itself measures after each round, with its names: what Hyperband can judge a trial by before its end.
OF_A_ROUND = {"rmse": "rmse", "mae": "mae", "auc": "auc", "average_precision": "aucpr", "log_loss": "logloss"}
#: Set in the environment of trials whose strategy judges each round. Otherwise a trial prints its objective once, at its end.
EACH_ROUND_VARIABLE = "OBJECTIVE_EACH_ROUND"
#: The program of this variable is the algorithm of a trial: as a hyperparameter its name would be refused.
ALGORITHM_VARIABLE = "ALGORITHM"


def objective(metric: str, problem: str) -> str:
    """A metric of the model's file as the tuner knows it: `validation:rmse`."""
    known = "pinball" if metric.startswith("pinball_") else metric
    name = "mlogloss" if (metric, problem) == ("log_loss", "multiclass") else _IMAGES_NAME.get(known, known)
    return f"validation:{name}"


def line(metric: str, problem: str, value: float, number: int = 0) -> str:
    """The line that the tuner reads, of a round or at the end. `#011` is the tab that XGBoost prints, as SageMaker's logs show it; the
    image's expression has it.
    """
    return f"[{number}]#011{objective(metric, problem).replace(':', '-')}:{value:.9g}"
