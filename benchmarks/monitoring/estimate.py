"""How near the metric that monitoring estimates without labels is to the truth, on windows that drift, beside NannyML's.

    python -m benchmarks.monitoring.estimate [--windows 10] [--splits 8]

Both are fitted on the same test rows and see the same windows, whose features drift and whose answers do not (`answered_tables.py`).
NannyML is installed once, with its pinned version, into an environment of its own under .cache/.
Output: a table, and benchmarks/results/estimate.json. Exit code 1 if ours are further from the truth, or our intervals miss it too often.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.machine import describe_machine
from benchmarks.monitoring.answered_tables import Answered, Table, drifting, tables
from build_scripts.step_modules import folder, load

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "estimate.json"
NANNYML, PYTHON = "nannyml==0.13.1", "3.12"
#: Which NannyML imports and does not declare.
UNDECLARED = "statsmodels==0.15.0"
SIZES = (300,)
#: Ours -> NannyML's names; None: it does not estimate it.
METRICS: Mapping[str, Mapping[str, str | None]] = {
    "regression": {"rmse": "rmse", "mae": "mae", "mse": "mse", "r2": None},
    "binary": {
        "auc": "roc_auc",
        "accuracy": "accuracy",
        "f1": "f1",
        "average_precision": "average_precision",
        **dict.fromkeys(("log_loss", "balanced_accuracy", "macro_f1")),
    },
    "multiclass": {"accuracy": "accuracy", "macro_f1": "f1", "balanced_accuracy": None, "log_loss": None},
}
LEAST_COVERED = 0.9


@dataclass(frozen=True)
class Trial:
    """A table with its model, and windows of so many rows. `theirs`: what NannyML estimates, by metric."""

    table: Table
    windows: Sequence[Answered]
    folder: Path

    @property
    def theirs(self) -> Mapping[str, Sequence[Mapping[str, float]]]:
        answer: dict[str, list[dict[str, float]]] = json.loads((self.folder / "answer.json").read_text(encoding="utf-8"))
        return answer


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.monitoring.estimate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=10, help="windows of each table, split and size (default 10)")
    parser.add_argument("--splits", type=int, default=8, help="times that each table is split and its model trained (default 8)")
    given = parser.parse_args(arguments)
    sys.path.extend(str(folder(kind)) for kind in ("tabular", "monitoring"))
    peer = _nannyml_python()
    with tempfile.TemporaryDirectory() as scratch:
        trials = [
            _trial(table, rows, given.windows, split, Path(scratch))
            for split in range(given.splits)
            for table in tables(split)
            for rows in SIZES
        ]
        _ask_nannyml(peer, trials, Path(scratch))
        grouped: dict[tuple[str, int], list[Trial]] = {}
        for trial in trials:
            grouped.setdefault((trial.table.name, trial.windows[0].rows.count), []).append(trial)
        results = [_compared(metric, alike) for alike in grouped.values() for metric in METRICS[alike[0].table.problem]]
    _report(results)
    return _verdict(results)


def _trial(table: Table, rows: int, count: int, split: int, scratch: Path) -> Trial:
    """With what NannyML needs in a folder."""
    windows = list(drifting(table, rows, count, split))
    features = [*table.test.rows.numeric, *table.test.rows.categorical]
    metrics = {ours: theirs for ours, theirs in METRICS[table.problem].items() if theirs}
    task = {"problem": table.problem, "classes": table.classes, "rows": rows, "features": features, "metrics": metrics}
    trial = Trial(table, windows, scratch / f"{table.name}-{rows}-{split}".replace(" ", "-"))
    trial.folder.mkdir()
    table.test.frame().to_csv(trial.folder / "reference.csv", index=False)
    pd.concat([window.frame() for window in windows]).to_csv(trial.folder / "windows.csv", index=False)
    (trial.folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
    return trial


def _ask_nannyml(python: Path, trials: Sequence[Trial], scratch: Path) -> None:
    # A copy: beside its siblings, Python would find them before the environment's packages.
    script = shutil.copy(HERE / "nannyml_estimates.py", scratch)
    command = [str(python), str(script), *(str(trial.folder) for trial in trials)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise SystemExit(f"NannyML failed:\n{finished.stdout}{finished.stderr}")


def _compared(metric: str, trials: Sequence[Trial]) -> dict[str, Any]:
    """Over all splits of one table."""
    truths: list[float] = []
    befores: list[float] = []
    ours: list[Mapping[str, Any]] = []
    theirs: list[Mapping[str, Any]] = []
    for trial in trials:
        found, truth, before = _estimated(metric, trial)
        ours += found
        truths += truth
        befores += [before] * len(truth)
        theirs += trial.theirs.get(metric, [])
    result = {
        "table": trials[0].table.name,
        "problem": "regression" if trials[0].table.problem == "regression" else "classes",
        "metric": metric,
        "rows": trials[0].windows[0].rows.count,
        "windows": len(truths),
        "ours": _distance(truths, ours),
        "nannyml": _distance(truths, theirs) if theirs else None,
        "at_evaluation": float(np.abs(np.array(truths) - befores).mean()),
    }
    own, peer = result["ours"], result["nannyml"]
    print(
        f"{result['table']:22} {metric:18} {result['rows']:5} rows  ours {own['error']:.4f} covers {own['covered']:.0%}  "
        + (f"NannyML {peer['error']:.4f} covers {peer['covered']:.0%}" if peer else "NannyML has none")
        + f"  no drift assumed {result['at_evaluation']:.4f}",
        flush=True,
    )
    return result


def _estimated(metric: str, trial: Trial) -> tuple[list[Mapping[str, Any]], list[float], float]:
    """Our estimates, the truth of each window, and the metric at evaluation."""
    measure, estimate = load("measures").measure, importlib.import_module("estimates").estimate
    test, table = trial.table.test, trial.table
    before = measure(metric, test.rows.target, test.predicted)
    fitted = load("evaluation.estimator").fit(metric, table.problem, test.rows, test.predicted, table.classes)
    estimator = {**fitted, "metric": metric, "more_is_better": True, "at_evaluation": before}
    found = [estimate(estimator, window, {"max_quality_loss": 0.1}).document() for window in trial.windows]
    return found, [measure(metric, window.rows.target, window.predicted) for window in trial.windows], before


def _distance(truths: Sequence[float], found: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    truth = np.array(truths)
    value, lower, upper = (np.array([each[name] for each in found], dtype=np.float64) for name in ("value", "lower", "upper"))
    return {
        "error": float(np.abs(truth - value).mean()),
        "covered": float(((lower <= truth) & (truth <= upper)).mean()),
        "width": float((upper - lower).mean()),
    }


def _nannyml_python() -> Path:
    environment = ROOT / ".cache" / "nannyml"
    python = environment / "bin" / "python"
    if not python.exists():
        print(f"installing {NANNYML} into .cache/nannyml", flush=True)
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--python", PYTHON, str(environment)], check=True)
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", str(python), NANNYML, UNDECLARED], check=True)
    return python


def _both(results: Sequence[Mapping[str, Any]]) -> list[float]:
    """Our error as a share of theirs, for each that both estimate."""
    return [result["ours"]["error"] / result["nannyml"]["error"] for result in results if result["nannyml"]]


def _summary(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    covered = [(result["ours"]["covered"], result["windows"]) for result in results]
    return {
        "error_as_share_of_nannyml": float(np.exp(np.mean(np.log(_both(results))))),
        "covered": sum(share * count for share, count in covered) / sum(count for _, count in covered),
        "covered_by_nannyml": float(np.mean([result["nannyml"]["covered"] for result in results if result["nannyml"]])),
    }


def _by_problem(results: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """A good number of one kind of problem must not hide a bad one of the other."""
    return {kind: _summary([result for result in results if result["problem"] == kind]) for kind in ("classes", "regression")}


def _verdict(results: Sequence[Mapping[str, Any]]) -> int:
    summaries = _by_problem(results).values()
    return 0 if all(one["error_as_share_of_nannyml"] <= 1 and one["covered"] >= LEAST_COVERED for one in summaries) else 1


def _report(results: Sequence[dict[str, Any]]) -> None:
    summaries = {"all": _summary(results), **_by_problem(results)}
    for kind, summary in summaries.items():
        print(
            f"{kind}: our mean absolute error is {summary['error_as_share_of_nannyml']:.2f} times NannyML's (geometric mean); "
            f"our intervals cover the truth in {summary['covered']:.1%} of windows, theirs in {summary['covered_by_nannyml']:.1%}"
        )
    document = {"machine": describe_machine(), "summary": summaries, "results": results}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
