"""A version of a made-up table of 30 columns, made by the pipeline's own steps, and rows that come later. Used by `speed.py`.

24 numbers, a third of them with gaps, and 6 columns of categories; two classes, with a facet, so that every judge has something to judge.
Output: the evidence of a version as evaluation leaves it, with its archive; and of later rows what was asked, answered and true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from build_scripts.step_modules import STEPS, load
from pipelines.tabular.specification import specification_json
from settings_schema import Algorithm, Categorical, DataSet, Endpoint, Facet, Gate, Model, Numeric, Problem, Range

NUMERIC = [f"number_{place}" for place in range(24)]
CATEGORICAL = [f"category_{place}" for place in range(6)]
TRAINING_ROWS = 70_000  # 10,500 of them are test rows: more than the evidence keeps
ALGORITHM, HYPERPARAMETERS = "gradient_boosting", {"num_round": 100, "max_depth": 6, "eta": 0.1}
MODEL = Model(
    name="wide",
    data=DataSet(
        problem=Problem.BINARY,
        target="truth",
        positive_class="yes",
        numeric=tuple(Numeric(name=name) for name in NUMERIC),
        categorical=tuple(Categorical(name=name) for name in CATEGORICAL),
        facet=Facet(column=CATEGORICAL[0], disadvantaged="kind 0"),
        metric="auc",
        threshold=0.6,
    ),
    algorithms=(Algorithm(name=ALGORITHM, fixed={"num_round": 100}, tuned={"eta": Range(low=0.05, high=0.2)}),),
    gate=Gate(max_difference_in_proportions=0.2, min_disparate_impact=0.5, max_equal_opportunity_difference=0.2),
    serving={"production": Endpoint()},
)


@dataclass(frozen=True)
class Asked:
    """Of each row its cells in the order of a request (None: missing), the probability of "yes", what was decided, and the truth."""

    cells: list[list[float | str | None]]
    scores: list[float]
    decided: list[str]
    truth: list[str]


def make(folder: Path) -> None:
    """The evidence in `folder`. Raises SystemExit with the words of the step that fails."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        frame = _table(np.random.default_rng(1), TRAINING_ROWS, shift=0.0)
        (scratch / "data").mkdir()
        frame.to_csv(scratch / "data" / "wide.csv", index=False)
        specification = scratch / "specification.json"
        specification.write_text(specification_json(MODEL), encoding="utf-8")
        specified = ["--specification", specification]
        parts = ["--train", scratch / "train", "--validation", scratch / "validation"]
        _step("prepare", "--data", scratch / "data", "--output", scratch, *specified)
        pairs = [text for name, value in HYPERPARAMETERS.items() for text in (f"--{name}", value)]
        _step("train", "--algorithm", ALGORITHM, *parts, "--model-dir", scratch / "trained", *pairs)
        candidate = scratch / "candidates" / "candidate-1"
        candidate.mkdir(parents=True)
        with tarfile.open(candidate / "model.tar.gz", "w:gz") as archive:
            archive.add(scratch / "trained", arcname=".")
        prepared = ["--preparation", scratch / "preparation"]
        _step("choose", "--candidates", candidate.parent, *parts, *prepared, "--output", scratch, *specified)
        made = ["--model", scratch / "model", "--choice", scratch / "choice", "--test", scratch / "test"]
        _step("evaluate", *made, *parts, *prepared, "--output", folder, *specified)
        shutil.copy(scratch / "model" / "model.tar.gz", folder)


def _step(name: str, *arguments: object) -> None:
    finished = subprocess.run([sys.executable, STEPS / f"{name}.py", *map(str, arguments)], env=os.environ, capture_output=True, text=True)
    if finished.returncode:
        raise SystemExit(f"the step {name} failed:\n{finished.stderr}")


class Version:
    """The version whose evidence `make` left in a folder."""

    def __init__(self, folder: Path) -> None:
        load(f"algorithms.{ALGORITHM}")  # imports its siblings, which only this makes possible
        with tempfile.TemporaryDirectory() as unpacked:
            load("archive").unpack(folder / "model.tar.gz", Path(unpacked))
            self._served = load("served").load(Path(unpacked))

    def asked(self, seed: int, rows: int) -> Asked:
        """Rows that come later: one number has moved, so that something has to be said of it."""
        frame = _table(np.random.default_rng(seed), rows, shift=0.5)
        labels = []
        for name in CATEGORICAL:
            codes, distinct = pd.factorize(frame[name])
            labels.append((distinct.tolist(), codes.astype(np.int64)))
        answer = self._served.answer(frame[NUMERIC].to_numpy(np.float64), labels)
        classes = self._served.about["classes"]
        features = frame.drop(columns="truth").astype(object)
        cells: list[Any] = features.where(features.notna(), None).to_numpy().tolist()
        return Asked(cells, answer.scores.tolist(), [classes[int(place)] for place in answer.decided], frame["truth"].tolist())


def _table(generator: np.random.Generator, rows: int, shift: float) -> pd.DataFrame:
    """`shift`: of one column, in its standard deviations."""
    standard: NDArray[np.float64] = generator.normal(size=(rows, len(NUMERIC)))
    standard[:, 1] += shift
    codes = generator.integers(0, 20, (rows, len(CATEGORICAL)))
    log_odds = standard[:, 1:6].sum(axis=1) + standard[:, 6] * standard[:, 7] + (codes[:, 1] - 10) / 5
    truth = generator.random(rows) < 1 / (1 + np.exp(-log_odds))
    numbers = (100 + 30 * standard).round(3)
    numbers[:, ::3][generator.random((rows, len(NUMERIC[::3]))) < 0.1] = np.nan
    columns = {name: numbers[:, place] for place, name in enumerate(NUMERIC)}
    columns |= {name: np.char.add("kind ", codes[:, place].astype(str)).astype(object) for place, name in enumerate(CATEGORICAL)}
    return pd.DataFrame({**columns, "truth": np.where(truth, "yes", "no")})
