"""AutoGluon's tabular default on the same rows: run by the Python of its own environment.

    python autogluon_default.py <folder> <threads>

It is given training and validation rows together and holds out its own, as it does for whoever calls `TabularPredictor.fit` without
settings; no limit of time. Its neural networks want torch, which is not installed. Out: autogluon.npz with "train" and "all", which are
the same, and as JSON what it chose.
"""

import json
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor

METRIC = {"rmse": "root_mean_squared_error", "auc": "roc_auc", "log_loss": "log_loss"}


def main(folder: Path, threads: int) -> None:
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    frame = pd.read_csv(task["table"], keep_default_na=False, na_values=[""], dtype=dict.fromkeys(task["categorical"], str))
    frame = frame[[*task["numeric"], *task["categorical"], task["target"]]]
    part, started = np.load(folder / "parts.npy"), time.process_time()
    with tempfile.TemporaryDirectory() as scratch:
        of = {"label": task["target"], "problem_type": task["problem"], "eval_metric": METRIC[task["metric"]], "path": scratch}
        if task["problem"] == "binary":
            of["positive_class"] = task["classes"][-1]
        predictor = TabularPredictor(**of, verbosity=0).fit(frame[part < 2], num_cpus=threads)
        rows = frame[part == 2].drop(columns=task["target"])
        if task["problem"] == "regression":
            predicted = predictor.predict(rows).to_numpy(dtype=float)
        else:
            shares = predictor.predict_proba(rows)
            predicted = shares[task["classes"][-1] if task["problem"] == "binary" else task["classes"]].to_numpy(dtype=float)
        best = predictor.model_best
    np.savez(folder / "autogluon.npz", train=predicted, all=predicted)
    print(json.dumps({"chosen": best, "cpu_seconds": round(time.process_time() - started, 1)}))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main(Path(sys.argv[1]), int(sys.argv[2]))
