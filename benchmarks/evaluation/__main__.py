"""Judges a version, beside another one in production, on more and more test rows, and says what that took.

    python -m benchmarks.evaluation [--rows 500000 5000000]

The version is made by the steps themselves; then other test rows are put in the place of its own. Memory is what evaluate.py and the
process that asks the other version hold together, sampled ten times a second; shared libraries are counted in both. Output: a table,
and benchmarks/results/evaluation.json. Exit code 1 if the most rows take more than 1.5 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.evaluation.rows import MODEL, write
from benchmarks.machine import describe_machine
from build_scripts.step_modules import STEPS
from pipelines.tabular.specification import specification_json

RESULTS = Path(__file__).resolve().parents[1] / "results" / "evaluation.json"
LEARNED_ROWS = 100_000
TRIALS = {"gradient_boosting": ("--num_round", "100", "--max_depth", "6"), "linear": ("--lambda", "1.0")}
INPUTS = ("model", "choice", "train", "validation", "test", "preparation")
MOST_GB = 1.5


class Judged:
    """A version to be judged and one to compare it with, made in `folder` by the pipeline's own steps."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        specification = folder / "specification.json"
        specification.write_text(specification_json(MODEL), encoding="utf-8")
        self._specified = ["--specification", str(specification)]
        self._channels = [text for name in ("train", "validation") for text in (f"--{name}", str(folder / name))]
        write(folder / "table.parquet", LEARNED_ROWS, seed=1)
        self._step("prepare", "--data", str(folder / "table.parquet"), "--output", str(folder), *self._specified)
        for algorithm, pairs in TRIALS.items():
            self._train(algorithm, pairs)
        shutil.copytree(folder / "candidates" / "candidate-linear", folder / "rival" / "candidates" / "candidate-linear")
        for place in (folder, folder / "rival"):
            folders = ["--candidates", str(place / "candidates"), "--preparation", str(folder / "preparation"), "--output", str(place)]
            self._step("choose", *folders, *self._channels, *self._specified)

    def _train(self, algorithm: str, pairs: Sequence[str]) -> None:
        trial, packed = self._folder / "trials" / algorithm, self._folder / "candidates" / f"candidate-{algorithm.replace('_', '-')}"
        self._step("train", "--algorithm", algorithm, *self._channels, "--model-dir", str(trial), *pairs)
        packed.mkdir(parents=True)
        with tarfile.open(packed / "model.tar.gz", "w:gz") as archive:
            archive.add(trial, arcname=".")

    def _step(self, name: str, *arguments: str) -> None:
        subprocess.run([sys.executable, str(STEPS / f"{name}.py"), *arguments], check=True, stdout=subprocess.DEVNULL)

    def judge(self, rows: int) -> dict[str, Any]:
        write(self._folder / "test" / "test.parquet", rows, seed=2)
        folders = [text for name in INPUTS for text in (f"--{name}", str(self._folder / name))]
        champion = ["--champion-model", str(self._folder / "rival" / "model" / "model.tar.gz")]
        output = self._folder / "evaluation"
        command = [sys.executable, str(STEPS / "evaluate.py"), *folders, *champion, "--output", str(output), *self._specified]
        took = _watched(command)
        evaluation = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
        auc = evaluation["binary_classification_metrics"]["auc"]
        said = {"auc": auc["value"], "auc_interval": [auc["lower"], auc["upper"]], "sampled": evaluation.get("sampled", {})}
        return {"rows": rows, **took, **said, "compared": evaluation["champion"]["compared"]}


def _watched(command: Sequence[str]) -> dict[str, float]:
    before, started, peak = os.times(), time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, sum(map(_resident_bytes, [root, *root.children()])))
            time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"evaluate.py ended with {process.returncode}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": round(time.perf_counter() - started, 1), "cpu_seconds": round(cpu, 1), "peak_gb": round(peak / 1e9, 3)}


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evaluation", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[500_000, 5_000_000], help="test rows (default: %(default)s)")
    given = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        judged = Judged(Path(scratch))
        found = []
        for rows in given.rows:
            found.append(judged.judge(rows))
            print("{rows:>10,} rows {seconds:8.1f} s {cpu_seconds:8.1f} CPU s {peak_gb:6.2f} GB".format(**found[-1]), flush=True)
    document = {"machine": describe_machine(), "load_before": round(load, 1), "columns": len(MODEL.data.features), "judged": found}
    RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if found[-1]["peak_gb"] <= MOST_GB else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
