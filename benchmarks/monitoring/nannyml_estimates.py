"""What NannyML estimates for the same windows: run by the Python of an environment of its own, which `estimate.py` makes.

    python nannyml_estimates.py <folder>...

In each folder reference.csv, windows.csv and task.json: {"problem", "classes", "rows" of a window, "features", "metrics": {our name:
NannyML's}}. Out: answer.json beside them: our name -> a list with "value", "lower" and "upper" of each window.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import nannyml
import pandas as pd


def estimator(task: dict[str, Any]) -> nannyml.base.AbstractEstimator:
    metrics, size = list(task["metrics"].values()), task["rows"]
    if task["problem"] == "regression":
        return nannyml.DLE(
            feature_column_names=task["features"],
            y_pred="score",
            y_true="truth",
            metrics=metrics,
            chunk_size=size,
            tune_hyperparameters=False,
        )
    kind = "classification_binary" if task["problem"] == "binary" else "classification_multiclass"
    scores = "score" if task["problem"] == "binary" else {str(index): f"score_{index}" for index in range(task["classes"])}
    return nannyml.CBPE(y_pred_proba=scores, y_pred="decided", y_true="truth", problem_type=kind, metrics=metrics, chunk_size=size)


def main(folder: Path) -> None:
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    frames = [pd.read_csv(folder / name) for name in ("reference.csv", "windows.csv")]
    if task["problem"] != "regression":
        for frame in frames:
            for column in ("truth", "decided"):
                frame[column] = frame[column].astype(int)
                if task["problem"] == "multiclass":
                    frame[column] = frame[column].astype(str)
    fitted = estimator(task).fit(frames[0])
    found = fitted.estimate(frames[1].drop(columns="truth")).filter(period="analysis").to_df()
    answers = {}
    for ours, theirs in task["metrics"].items():
        part = found[theirs]
        answers[ours] = [
            {"value": value, "lower": lower, "upper": upper}
            for value, lower, upper in zip(
                part["value"].tolist(), part["lower_confidence_boundary"].tolist(), part["upper_confidence_boundary"].tolist(), strict=True
            )
        ]
    (folder / "answer.json").write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    pd.set_option("future.infer_string", False)  # NannyML 0.13.1 cannot read the texts of pandas 3
    for name in sys.argv[1:]:
        main(Path(name))
