"""Runs the scripts as the pipeline does: each as a process of its own, connected by folders."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from settings_schema import DataSet
from tests.steps import forked_script
from tests.steps.conftest import STEPS
from tests.steps.small_data import write_specification

#: Small enough for a test, large enough to learn.
BUDGET = {
    "gradient_boosting": {"num_round": "120", "eta": "0.1", "max_depth": "4"},
    "random_forest": {"num_parallel_tree": "50", "max_depth": "8"},
    "linear": {"lambda": "1.0"},
}


#: What evaluation writes.
EVIDENCE = {
    *("evaluation.json", "report.html", "golden.csv", "bias.json", "explainability.json", "statistics.json", "constraints.json"),
    *("model_constraints.json", "contract.json", "review.json", "reference.npz", "estimator.json"),
}


@dataclass(frozen=True)
class Journey:
    """One run of the steps in `folder`, which holds `data/`. `draws`: the report's pictures, too."""

    folder: Path
    specification: Path
    draws: bool = False

    @classmethod
    def begin(cls, folder: Path, dataset: DataSet, *, draws: bool = False, **preparation: Any) -> Journey:
        return cls(folder, write_specification(folder / "specification.json", dataset, **preparation), draws)

    def script(self, name: str, *arguments: str, threads: int = 1, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SM_NUM_CPUS": str(threads), "SM_OUTPUT_DIR": str(self.folder / "failure")}
        result = forked_script.run(STEPS / f"{name}.py", arguments, environment, draws=self.draws or name != "evaluate")
        assert not check or result.returncode == 0, result.stderr
        return result

    def prepare(self, **options: Any) -> subprocess.CompletedProcess[str]:
        return self.script("prepare", "--data", str(self.folder / "data"), "--output", str(self.folder), *self._specified(), **options)

    def train(self, algorithm: str, hyperparameters: Mapping[str, str] | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        trained = self.folder / "trained" / algorithm
        pairs = [text for name, value in (hyperparameters or BUDGET[algorithm]).items() for text in (f"--{name}", value)]
        folders = ["--train", str(self.folder / "train"), "--validation", str(self.folder / "validation"), "--model-dir", str(trained)]
        result = self.script("train", "--algorithm", algorithm, *folders, *pairs, "--_tuning_objective_metric", "ignored", **options)
        if trained.is_dir():
            self.pack(algorithm)
        return result

    def pack(self, algorithm: str) -> None:
        """What SageMaker does with a trial's model folder."""
        candidate = self.folder / "candidates" / f"candidate-{algorithm.replace('_', '-')}"
        candidate.mkdir(parents=True, exist_ok=True)
        with tarfile.open(candidate / "model.tar.gz", "w:gz") as archive:
            archive.add(self.folder / "trained" / algorithm, arcname=".")

    def choose(self, **options: Any) -> subprocess.CompletedProcess[str]:
        folders = [
            "--candidates",
            str(self.folder / "candidates"),
            *("--train", str(self.folder / "train"), "--validation", str(self.folder / "validation")),
            *("--preparation", str(self.folder / "preparation"), "--output", str(self.folder)),
        ]
        return self.script("choose", *folders, *self._specified(), **options)

    def evaluate(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        names = ("model", "choice", "train", "validation", "test", "preparation")
        folders = [text for name in names for text in (f"--{name}", str(self.folder / name))]
        output = ["--output", str(self.folder / "evaluation")]
        return self.script("evaluate", *folders, *output, *self._specified(), *arguments, **options)

    def all(self, *arguments: str, algorithms: tuple[str, ...] = tuple(BUDGET)) -> dict[str, Any]:
        """Every step; returns evaluation.json."""
        self.prepare()
        for algorithm in algorithms:
            self.train(algorithm)
        self.choose()
        self.evaluate(*arguments)
        return self.evaluation

    @property
    def evaluation(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "evaluation" / "evaluation.json").read_text(encoding="utf-8")))

    @property
    def model(self) -> Path:
        return self.folder / "model" / "model.tar.gz"

    def again(self, folder: Path) -> Journey:
        """The same data and settings in another place."""
        shutil.copytree(self.folder / "data", folder / "data")
        shutil.copy(self.specification, folder / "specification.json")
        return Journey(folder, folder / "specification.json")

    def _specified(self) -> list[str]:
        return ["--specification", str(self.specification)]
