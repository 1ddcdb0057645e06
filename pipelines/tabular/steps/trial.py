"""What a model is worth on the validation rows, and what is fitted by what it says of them: the record of a trial.

Input: a model that has not learned from those rows. Output: `trial.json` and `predictions.json`, which travel with the version also where
its model is fitted again on all rows. Used by `train.py`, and by `choose.py` for a blend.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import prediction_shares
from algorithms import Model
from dataset import Batches
from decisions import Predictions, fit_threshold
from failure import BadInput
from measures import measure

FILE = "trial.json"


def judged(algorithm: str, model: Model, validation: Batches, about: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The hyperparameters in force, the quality and, of a binary problem, the decision threshold; and how predictions are spread.

    Raises BadInput for a model that says no numbers.
    """
    scores = np.concatenate([model.predict(part.features) for part in validation])
    truth = np.concatenate([part.target for part in validation])
    diverged = BadInput(f"{algorithm} diverged with {model.settings}; narrow its ranges in the model's file")
    if not np.all(np.isfinite(scores)):
        raise diverged
    threshold = fit_threshold(about["decision_metric"], truth, scores) if about["problem"] == "binary" else None
    value = measure(about["metric"], truth, Predictions.of(scores, threshold))
    if not math.isfinite(value):
        raise diverged
    record = {"algorithm": algorithm, "hyperparameters": model.settings, "metric": about["metric"], "validation": value}
    if threshold is not None:
        record |= {"decision_metric": about["decision_metric"], "decision_threshold": threshold}
    return record, prediction_shares.describe(scores)


def write(folder: Path, record: Mapping[str, Any], shares: Mapping[str, Any]) -> None:
    (folder / FILE).write_text(json.dumps(record, sort_keys=True), encoding="utf-8")
    (folder / prediction_shares.FILE).write_text(json.dumps(shares), encoding="utf-8")
