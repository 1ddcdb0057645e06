"""Makes the same version ten times, half of them with one thread and half with two, and counts the identical ones.

    python -m benchmarks.reproducibility

First a version of abalone that the pipeline registered in a local account, by `build_scripts.reproduce` (half a minute).
That table is so small that training uses one thread whatever it is offered; so then every algorithm on a made-up table that
is large enough for two. Output: a table, and benchmarks/results/reproducibility.json. Exit code 1 unless all are identical.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.preparation.rows import MODEL, write
from benchmarks.registered import registered_abalone
from build_scripts.step_modules import STEPS, load
from pipelines.tabular.specification import specification_json

RESULTS = Path(__file__).resolve().parents[1] / "results" / "reproducibility.json"
REPETITIONS = 10
LARGE_ROWS = 20_000
FEWEST_CELLS_PER_THREAD = 500_000  # of pipelines/tabular/steps/trees.py
#: Short, because only the bytes matter.
TRIALS = {
    "gradient_boosting": {"num_round": "60", "subsample": "0.7"},
    "random_forest": {"num_parallel_tree": "20", "max_depth": "6"},
    "linear": {"lambda": "1.0"},
}
#: Of the blend of all three.
WEIGHTS = "gradient_boosting=0.5 linear=0.2 random_forest=0.3"


def threads(number: int) -> dict[str, str]:
    """Environment of repetition `number`: one thread, two threads, one, ..."""
    count = str(1 + number % 2)
    return {"OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "SM_NUM_CPUS": count}


def registered_version() -> dict[str, Any]:
    """How many of REPETITIONS rebuilds `build_scripts.reproduce` calls identical, by number of threads."""
    identical = {"1": 0, "2": 0}
    with registered_abalone() as registered:
        for number in range(REPETITIONS):
            environment = threads(number)
            finished = registered.script("reproduce", "--model-package-arn", registered.version.arn, **environment)
            last = (finished.stdout + finished.stderr).strip().splitlines()[-1]
            print(f"abalone {number + 1} of {REPETITIONS}, {environment['SM_NUM_CPUS']} thread(s): {last}", flush=True)
            identical[environment["SM_NUM_CPUS"]] += finished.returncode == 0
        facts = registered.version.facts
    return {
        "identical": sum(identical.values()),
        "of": REPETITIONS,
        "identical_by_threads": identical,
        "model_sha256": facts["model-sha256"],
    }


def large_table() -> dict[str, Any]:
    """For every algorithm, how many of REPETITIONS archives are the first one, made by prepare.py, train.py and choose.py."""
    hashes: dict[str, list[str]] = {name: [] for name in (*TRIALS, "blend")}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "data").mkdir()
        write(folder / "data" / "rows.parquet", LARGE_ROWS)
        (folder / "specification.json").write_text(specification_json(MODEL), encoding="utf-8")
        for number in range(REPETITIONS):
            made = folder / f"run-{number}"
            _script(threads(number), "prepare", data=folder / "data", output=made, specification=folder / "specification.json")
            for name in TRIALS:
                _train(made, name, threads(number))
                hashes[name].append(_archive(made, (name,), threads(number), folder / "specification.json"))
            hashes["blend"].append(_archive(made, tuple(TRIALS), threads(number), folder / "specification.json", weights=WEIGHTS))
            print(f"large table {number + 1} of {REPETITIONS}, {threads(number)['SM_NUM_CPUS']} thread(s)", flush=True)
        cells = _cells(folder / "run-0")
    return {
        "training_cells": cells,
        "threads_used_when_two_are_offered": min(2, max(1, cells // FEWEST_CELLS_PER_THREAD)),
        "by_algorithm": {name: {"identical": values.count(values[0]), "of": len(values)} for name, values in hashes.items()},
    }


def _cells(made: Path) -> int:
    part, _ = load("dataset").load(made / "train")
    return int(part.features.size)


def _train(made: Path, algorithm: str, environment: dict[str, str]) -> None:
    folders = {"train": made / "train", "validation": made / "validation", "model-dir": made / f"trial-{algorithm}"}
    _script(environment, "train", algorithm=algorithm, **folders, **TRIALS[algorithm])


def _archive(made: Path, algorithms: Sequence[str], environment: dict[str, str], specification: Path, **weights: str) -> str:
    """SHA-256 of the model.tar.gz with the trials of these algorithms as the only candidates: of one itself, of several the blend."""
    name = "-".join(algorithms)
    candidates, chosen = made / f"candidates-{name}", made / f"chosen-{name}"
    for algorithm in algorithms:
        candidate = candidates / f"candidate-{algorithm}"
        candidate.mkdir(parents=True)
        packed = load("archive").pack({file.name: file.read_bytes() for file in (made / f"trial-{algorithm}").iterdir()})
        (candidate / "model.tar.gz").write_bytes(packed)
    prepared = {part: made / part for part in ("train", "validation", "preparation")}
    _script(environment, "choose", candidates=candidates, **prepared, output=chosen, specification=specification, **weights)
    return hashlib.sha256((chosen / "model" / "model.tar.gz").read_bytes()).hexdigest()


def _script(environment: dict[str, str], name: str, **arguments: object) -> None:
    options = [text for key, value in arguments.items() for text in (f"--{key}", str(value))]
    subprocess.run(
        [sys.executable, str(STEPS / f"{name}.py"), *options], env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL
    )


def main(arguments: Sequence[str]) -> int:
    argparse.ArgumentParser(
        prog="python -m benchmarks.reproducibility", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    ).parse_args(arguments)
    registered, large = registered_version(), large_table()
    print(f"\nregistered abalone: {registered['identical']} of {registered['of']} identical")
    for name, row in large["by_algorithm"].items():
        print(f"{name} on {LARGE_ROWS} rows ({large['training_cells']} cells): {row['identical']} of {row['of']} identical")
    counts = [registered, *large["by_algorithm"].values()]
    document = {"machine": describe_machine(), "registered_version": registered, "large_table": {"rows": LARGE_ROWS, **large}}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if all(row["identical"] == row["of"] for row in counts) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
