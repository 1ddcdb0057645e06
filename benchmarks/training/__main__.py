"""Compares the registered model with the model of AWS's abalone sample on the same test rows, by a paired bootstrap.

    python -m benchmarks.training [--seeds 20]

The pipeline really runs, in a local account, with the budget of models/abalone.py; nothing of the test rows is seen before.
AWS's sample draws rows at random, so it is trained with several seeds; the first (0, XGBoost's default) gives the verdict,
the others say whether it was lucky or not. Output: a table, and benchmarks/results/training.json. Exit code 1 if the registered
model is significantly worse.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.machine import describe_machine
from benchmarks.registered import Registered, registered_abalone
from benchmarks.training.aws_sample import PARAMETERS, ROUNDS, TREE_METHODS, predictions
from build_scripts.step_modules import load
from settings_schema import Model

RESULTS = Path(__file__).resolve().parents[1] / "results" / "training.json"
RESAMPLES = 10_000
Floats = NDArray[np.float64]


def split(model: Model, data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that the version was fitted on (training and validation), and the test rows, by the pipeline's own split."""
    table = load("table").read(data)
    numeric = {column.name: load("table").floats(table.columns[column.name]) for column in model.data.numeric}
    categorical = {column.name: load("table").labels(table.columns[column.name]) for column in model.data.categorical}
    buckets = load("split").content_buckets(numeric, categorical, model.preparation.split.salt)
    _, _, test = load("split").sides(buckets, model.preparation.split.validation, model.preparation.split.test)
    frame = pd.read_csv(data)
    return frame[~test], frame[test]


def registered_predictions(registered: Registered, test: pd.DataFrame) -> Floats:
    """What the registered archive's own code answers to the raw test rows."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(registered.archive)) as archive:
            archive.extractall(folder, filter="data")
        rows, answer = Path(folder, "rows.csv"), Path(folder, "answer.json")
        test[list(registered.model.data.features)].to_csv(rows, index=False, header=False)
        command = [sys.executable, f"{folder}/code/score.py", "--model-dir", folder, "--rows", str(rows), "--output", str(answer)]
        subprocess.run(command, check=True)
        return np.array([row["score"] for row in json.loads(answer.read_text(encoding="utf-8"))["predictions"]])


def paired(target: Floats, ours: Floats, theirs: Floats) -> dict[str, float]:
    """Difference of the RMSE (negative: ours is better) with its 95 % percentile interval over paired resamples of the test rows."""
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, len(target), (RESAMPLES, len(target)))
    errors = [(target - predicted) ** 2 for predicted in (ours, theirs)]
    resampled = [np.sqrt(error[drawn].mean(axis=1)) for error in errors]
    differences = resampled[0] - resampled[1]
    lower, upper = np.quantile(differences, [0.025, 0.975])
    own, other = (float(np.sqrt(error.mean())) for error in errors)
    return {
        "registered_rmse": own,
        "aws_sample_rmse": other,
        "difference": own - other,
        "difference_percent": 100 * (own - other) / other,
        "lower": float(lower),
        "upper": float(upper),
        "share_of_resamples_where_ours_is_better": float((differences < 0).mean()),
    }


def verdict(comparison: dict[str, float]) -> str:
    if comparison["upper"] < 0:
        return "wins"
    return "loses" if comparison["lower"] > 0 else "ties"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20, help="seeds of AWS's sample (default: %(default)s)")
    seeds = parser.parse_args(arguments).seeds
    with registered_abalone() as registered:
        model = registered.model
        train, test = split(model, registered.data)
        ours, facts = registered_predictions(registered, test), dict(registered.version.facts)
    target = test[model.data.target].to_numpy(dtype=np.float64)
    measured = float(np.sqrt(np.mean((target - ours) ** 2)))
    assert abs(measured - float(facts["metric-value"])) < 1e-9, "the test rows are not those of the pipeline"
    comparisons: dict[str, Any] = {}
    for method in TREE_METHODS:
        theirs = [predictions(train, test, model.data.target, method, seed) for seed in range(seeds)]
        others = [float(np.sqrt(np.mean((target - predicted) ** 2))) for predicted in theirs]
        against = [paired(target, ours, predicted) for predicted in theirs]
        comparisons[method] = {
            **against[0],
            "verdict": verdict(against[0]),
            "aws_sample_rmse_over_seeds": {"median": statistics.median(others), "best": min(others), "worst": max(others)},
            "verdicts_over_seeds": dict(collections.Counter(map(verdict, against))),
        }
    return report(model, facts, len(train), len(test), seeds, comparisons)


def report(model: Model, facts: dict[str, str], train: int, test: int, seeds: int, comparisons: dict[str, Any]) -> int:
    print(f"registered: {facts['algorithm']} {facts['hyperparameters']}")
    print(f"{train} training rows, {test} test rows; RMSE in rings\n")
    print(
        f"{'AWS sample':12}{'its RMSE':>10}{'ours':>8}{'difference':>12}{'95 % interval':>20}{'median of seeds':>17}  verdict (over seeds)"
    )
    for method, row in comparisons.items():
        interval = f"[{row['lower']:+.3f}, {row['upper']:+.3f}]"
        median = row["aws_sample_rmse_over_seeds"]["median"]
        over_seeds = ", ".join(f"{count} {name}" for name, count in row["verdicts_over_seeds"].items())
        print(
            f"{method:12}{row['aws_sample_rmse']:10.4f}{row['registered_rmse']:8.4f}{row['difference']:+12.4f}{interval:>20}{median:17.4f}"
            f"  {row['verdict']} ({over_seeds})"
        )
    document = {
        "machine": describe_machine(),
        "dataset": model.name,
        "rows": {"train": train, "test": test},
        "registered": {name: facts[name] for name in ("algorithm", "hyperparameters", "data-sha256", "model-sha256", "libraries")},
        "trials_per_algorithm": model.tuning.trials,
        "aws_sample": {"rounds": ROUNDS, **PARAMETERS, "seeds": seeds},
        "resamples": RESAMPLES,
        "comparison_by_tree_method": comparisons,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 1 if any(row["verdict"] == "loses" for row in comparisons.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
