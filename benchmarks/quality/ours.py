"""The template's own way from a table to a model, without an account: its steps, in the order of the pipeline, in this process.

Prepare, then of each competitor the trials that the local account's tuner draws for `Tuning`'s seed, then Choose. What is asked about the
test rows is the packed version. Output: predictions, what was chosen, and when the code that made it changes, another `version()`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.rows import Rows
from build_scripts.step_modules import STEPS, load
from local_account.sagemaker.tuning import ranges, strategies
from pipelines.tabular.competitors import COMPETITORS
from settings_schema import Algorithm, Tuning
from settings_schema.steps import steps_module

_TUNABLE = steps_module("tuner_contract").TUNABLE


@functools.cache
def version() -> str:
    """Of the steps, the competitors and the budget: what was measured with others is measured again."""
    code = load("archive").sha256(load("archive").code_files(STEPS))
    competitors = json.dumps([algorithm.model_dump() for algorithm in COMPETITORS], sort_keys=True)
    return hashlib.sha256(f"{code} {competitors} {Tuning().model_dump_json()}".encode()).hexdigest()[:12]


def refits() -> bool:
    """Whether Choose fits the winner again on training and validation rows: then the others are, too."""
    return "--train" in load("choose").parser().format_help()


def run(rows: Rows, threads: int) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Predictions for the test rows (values, probabilities of the positive class, or rows x classes) and what was chosen."""
    os.environ["SM_NUM_CPUS"] = str(threads)
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
        work = prepare(rows, Path(scratch))
        for algorithm in rows.model.algorithms:
            best = search(algorithm, rows.model.tuning, work, more_is_better=rows.model.data.more_is_better)
            _pack(best, work / "candidates" / f"candidate-{algorithm.name.replace('_', '-')}")
        names = ("preparation", "train", "validation") if refits() else ("preparation",)
        folders = {"candidates": work / "candidates", "output": work, **{name: work / name for name in names}}
        load("choose").main([text for name, folder in folders.items() for text in (f"--{name}", str(folder))] + _specified(rows))
        load("archive").unpack(work / "model" / "model.tar.gz", work / "version")
        served = load("served").load(work / "version")
        predicted = np.asarray(served.model.predict(test_matrix(rows, work)), dtype=np.float64)
    return predicted, {name: served.version[name] for name in ("algorithm", "hyperparameters", "validation")}


def prepare(rows: Rows, work: Path) -> Path:
    """Fills the folder with what Prepare writes, and gives it back."""
    if str(STEPS) not in sys.path:  # behind everything else: algorithms are imported when they are asked for
        sys.path.append(str(STEPS))
    with contextlib.redirect_stdout(io.StringIO()):
        load("prepare").main(["--data", str(rows.table), "--output", str(work), *_specified(rows)])
    return work


def search(algorithm: Algorithm, tuning: Tuning, work: Path, *, more_is_better: bool) -> Path:
    """The folder of the best trial: its model and trial.json. Of equal ones the first, as the tuner does."""
    trials = []
    for number, hyperparameters in enumerate(points(algorithm, tuning)):
        folder = work / "trials" / f"{algorithm.name}-{number}"
        pairs = [text for name, value in hyperparameters.items() for text in (f"--{name}", value)]
        folders = ["--train", str(work / "train"), "--validation", str(work / "validation"), "--model-dir", str(folder)]
        load("train").main(["--algorithm", algorithm.name, *folders, *pairs])
        trials.append((json.loads((folder / "trial.json").read_text(encoding="utf-8"))["validation"], folder))
    sign = -1 if more_is_better else 1
    return min(trials, key=lambda trial: sign * trial[0])[1]


def points(algorithm: Algorithm, tuning: Tuning) -> list[dict[str, str]]:
    """The hyperparameters of each trial, the fixed ones among them."""
    of = {name: (values, "Logarithmic" if values.log else "Linear") for name, values in sorted(algorithm.tuned.items())}
    axes = [ranges.Numeric(name, values.low, values.high, scale, _TUNABLE[name].is_integer) for name, (values, scale) in of.items()]
    fixed = {name: str(value) for name, value in algorithm.fixed.items()}
    drawn = strategies.points(tuning.strategy, axes, tuning.seed, tuning.trials)
    return [{**fixed, **strategies.hyperparameters(axes, point)} for point in drawn]


def test_matrix(rows: Rows, work: Path) -> NDArray[np.float32]:
    """The raw test rows as the fitted preparation gives them to the model, in the order of the table."""
    specification = load("specification").load(str(rows.folder / "specification.json"))
    test = load("parts").require(load("table").read(rows.table), specification)
    taken = test.rows.take(test.masks["test"])
    preparer = load("features").Preparer(json.loads((work / "preparation" / "preparation.json").read_text(encoding="utf-8")))
    numeric = load("features").stack(taken.numeric, specification.numeric, taken.count)
    return np.asarray(preparer.transform(numeric, [taken.categorical[name] for name in specification.categorical]))


def _pack(trial: Path, candidate: Path) -> None:
    """As SageMaker hands a trial's folder to the next step."""
    candidate.mkdir(parents=True)
    packed = load("archive").pack({file.name: file.read_bytes() for file in trial.iterdir()})
    (candidate / "model.tar.gz").write_bytes(packed)


def _specified(rows: Rows) -> list[str]:
    return ["--specification", str(rows.folder / "specification.json")]
