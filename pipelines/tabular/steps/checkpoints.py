"""What a trial keeps of its rounds, so that it goes on where it was interrupted and ends with the model that it would have had.

SageMaker makes `/opt/ml/checkpoints` in a job that has a `CheckpointConfig`, keeps it in S3 while the job runs and brings it back when
the job starts anew (SageMaker guide, "Checkpoints in Amazon SageMaker AI"; `LocalPath` in the API reference). Trials of one search may
share that place: each has a folder by its job's name. Used by `boosting.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hosts import of_first
from light_xgboost import xgboost

#: Between two checkpoints. What an interruption costs, against the predictions that are computed anew after each.
ROUNDS = 50
FILE = "booster.ubj"


class Checkpoints:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> bytearray | None:
        """The booster that was saved last, the same on all hosts; None where there is none, or a broken one."""
        try:
            found = bytearray((self._folder / FILE).read_bytes())
            xgboost.Booster(model_file=found)
        except (OSError, xgboost.core.XGBoostError):
            found = None
        read: bytearray | None = of_first(found)
        return read

    def save(self, booster: bytearray) -> None:
        """Whoever reads the folder finds all of it, or the one before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        begun = self._folder / f"{FILE}.part"
        begun.write_bytes(booster)
        begun.replace(self._folder / FILE)


def of_job(environment: Mapping[str, str] = os.environ) -> Checkpoints | None:
    """None where the job keeps none. The folder is a sibling of the model's."""
    model = environment.get("SM_MODEL_DIR")
    folder = Path(model).parent / "checkpoints" if model else None
    if folder is None or not folder.is_dir():
        return None
    return Checkpoints(folder / environment.get("TRAINING_JOB_NAME", "") / environment.get("SM_CURRENT_HOST", ""))
