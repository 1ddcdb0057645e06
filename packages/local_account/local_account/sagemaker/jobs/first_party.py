"""AWS's own algorithms: what CreateTrainingJob and CreateHyperParameterTuningJob refuse of a job that runs in the image of one. Pure.

SageMaker knows them by their images, and holds `sagemaker-xgboost` for an algorithm also where it runs somebody's program. Sources:
aws/sagemaker-xgboost-container#121 (reproduced by its maintainer) and #113, aws/sagemaker-python-sdk#2226; the words of the first refusal
are in awslabs/mlspace's tests; the words of the others are ours. The specification that the image declares to SageMaker: that repository at
3.2-0, `algorithm_mode/hyperparameter_validation.py` and `metrics.py`. Used by `training.py` and `../tuning/job.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from local_account.errors import InvalidError

#: In an account of AWS's; the same image in a repository of one's own is nobody's algorithm.
_XGBOOST = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/sagemaker-xgboost[:@].+")
_INTEGER = frozenset({"num_round", "max_depth"})
_CONTINUOUS = frozenset(
    {"eta", "gamma", "min_child_weight", "max_delta_step", "subsample", "lambda", "alpha"}
    | {f"colsample_by{part}" for part in ("tree", "level", "node")}
)
_REQUIRED = "num_round"
_SHARES = {"eta", "subsample"} | {name for name in _CONTINUOUS if name.startswith("colsample_")}
_MAXIMIZED = (
    *("accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "precision", "r2", "recall"),
    *("precision_macro", "precision_micro", "recall_macro", "recall_micro"),
)
_MINIMIZED = (
    *("aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy", "logloss", "mae", "mape"),
    *("merror", "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle", "tweedie-nloglik"),
)
_DIRECTIONS = {f"validation:{name}": "Maximize" for name in _MAXIMIZED} | {f"validation:{name}": "Minimize" for name in _MINIMIZED}


def metric_definitions(specification: Mapping[str, Any]) -> list[Mapping[str, str]]:
    """The metrics of a job by its AlgorithmSpecification: AWS's for its own image, else those of the request.

    Raises ServiceError for a request that would change AWS's.
    """
    given: list[Mapping[str, str]] = list(specification.get("MetricDefinitions") or [])
    if not _XGBOOST.fullmatch(str(specification.get("TrainingImage", ""))):
        return given
    if given:
        raise InvalidError(
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request without specifying metric "
            "definitions."
        )
    return [{"Name": name, "Regex": rf".*\[[0-9]+\].*#011{name.replace(':', '-')}:(\S+)"} for name in _DIRECTIONS]


def check_tuning(definition: Mapping[str, Any], ranges: Mapping[str, Any], objective: Mapping[str, Any]) -> None:
    """Raises ServiceError for a search that the algorithm does not offer. `ranges`: ParameterRanges or HyperParameterRanges."""
    if not _XGBOOST.fullmatch(str(definition["AlgorithmSpecification"].get("TrainingImage", ""))):
        return
    for kind, names in (("Integer", _INTEGER), ("Continuous", _CONTINUOUS), ("Categorical", frozenset[str]())):
        for item in ranges.get(f"{kind}ParameterRanges") or []:
            _check_range(item, kind, names)
    given = {item["Name"] for listed in ranges.values() if isinstance(listed, list) for item in listed}
    if _REQUIRED not in given | set(definition.get("StaticHyperParameters") or {}):
        raise InvalidError(f"The hyperparameter {_REQUIRED} is required by the algorithm and missing from StaticHyperParameters.")
    name, direction = objective["MetricName"], objective["Type"]
    if _DIRECTIONS.get(name) != direction:
        raise InvalidError(
            f"The objective metric {name} with type {direction} is none of the algorithm's: {', '.join(sorted(_DIRECTIONS))}."
        )


def _check_range(item: Mapping[str, Any], kind: str, names: frozenset[str]) -> None:
    name = str(item["Name"])
    if name not in names:
        tunable = ", ".join(sorted(_INTEGER | _CONTINUOUS))
        raise InvalidError(
            f"The {kind.lower()} hyperparameter {name} isn't tunable for the algorithm. Its tunable hyperparameters: {tunable}."
        )
    low, high = float(item["MinValue"]), float(item["MaxValue"])
    if low < 0 or (name in _SHARES and high > 1):
        raise InvalidError(f"The range [{item['MinValue']}, {item['MaxValue']}] of hyperparameter {name} is outside of what it may be.")
