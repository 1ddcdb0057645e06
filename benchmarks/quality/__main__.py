"""Our default budget beside LightGBM and CatBoost, tuned by Optuna, and AutoGluon's default, on the same rows of public data sets.

    python -m benchmarks.quality [--sets diamonds,oj] [--splits 5] [--trials 50] [--who ours,lightgbm,catboost,autogluon] [--threads 2]

The whole takes hours of processor time. It is kept in pieces (.cache/quality-work): what was measured is not measured again, ours only
where its code, its competitors or its budget changed. `--report` measures nothing. Runs behind all other processes (nice 19).
The others are installed once into environments of their own under .cache/. Protocol: tuned.py, autogluon_default.py and ours.py.
Output: a table of what is there, and benchmarks/results/quality.json, with what is missing. Exit code 1 if ours loses on a set.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality import ours
from benchmarks.quality.comparison import loss
from benchmarks.quality.environments import AUTOGLUON, CACHE, PEERS, autogluon_python, peers_python
from benchmarks.quality.measured import Floats, Key, Measured
from benchmarks.quality.report import report
from benchmarks.quality.rows import Rows, split
from benchmarks.quality.sets import JUDGED, SETS

WORK = CACHE / "quality-work"
HERE = Path(__file__).resolve().parent
WHO = ("ours", "lightgbm", "catboost", "autogluon")
TUNED_SEED = 1


def main(arguments: Sequence[str]) -> int:
    given = _given(arguments)
    os.nice(19)
    measured = Measured(WORK)
    for number in range(1, given.splits + 1) if not given.report else ():
        for name in given.sets:
            missing = [who for who in given.who if Key(name, number, who, version(who, given.trials)) not in measured]
            if missing:
                rows = split(SETS[name], number, WORK)
                for who in missing:
                    _measure(Key(name, number, who, version(who, given.trials)), rows, given, measured)
    return report(measured, {who: version(who, given.trials) for who in WHO}, WORK)


def version(who: str, trials: int) -> str:
    """Of what decides about the predictions."""
    if who == "ours":
        return ours.version()
    if who == "autogluon":
        return AUTOGLUON[0]
    pins = [pin for pin in PEERS if pin.split("==")[0] in (who, "optuna")]
    return f"{' '.join(pins)} trials {trials} seed {TUNED_SEED}"


def _measure(key: Key, rows: Rows, given: argparse.Namespace, measured: Measured) -> None:
    started = time.monotonic()
    predictions, found = _ours(rows, given.threads) if key.who == "ours" else _theirs(key.who, rows, given)
    values = {learned: loss(rows.model.data.metric, rows.target, scores) for learned, scores in predictions.items()}
    seconds = round(time.monotonic() - started, 1)
    measured.add(key, predictions, {"rows": rows.counts, "metric": rows.model.data.metric, "loss": values, "seconds": seconds, **found})
    print(
        f"{key.name:12} split {key.split} {key.who:10} {' '.join(f'{name} {value:.5g}' for name, value in values.items())}  {seconds} s",
        flush=True,
    )


def _ours(rows: Rows, threads: int) -> tuple[dict[str, Floats], dict[str, Any]]:
    started = time.process_time()
    predicted, chosen = ours.run(rows, threads)
    return {"all" if ours.refits() else "train": predicted}, {**chosen, "cpu_seconds": round(time.process_time() - started, 1)}


def _theirs(who: str, rows: Rows, given: argparse.Namespace) -> tuple[dict[str, Floats], dict[str, Any]]:
    if who == "autogluon":
        command = [str(autogluon_python()), str(HERE / "autogluon_default.py"), str(rows.folder), str(given.threads)]
    else:
        script = [str(peers_python()), str(HERE / "tuned.py"), who, str(rows.folder)]
        command = [*script, str(given.trials), str(TUNED_SEED), str(given.threads)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=rows.folder)
    if finished.returncode:
        raise SystemExit(f"{who} failed:\n{finished.stdout}{finished.stderr}")
    with np.load(rows.folder / f"{who}.npz") as stored:
        found: Mapping[str, Any] = json.loads(finished.stdout.strip().splitlines()[-1])
        return dict(stored), dict(found)


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    judged = ",".join(each.name for each in JUDGED)
    parser.add_argument("--sets", default=judged, help="default: all of the table")
    parser.add_argument("--splits", type=int, default=5, help="of each set (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=50, help="of each tuned library (default: %(default)s)")
    parser.add_argument("--who", default=",".join(WHO), help="who is measured (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each fit (default: %(default)s)")
    parser.add_argument("--report", action="store_true", help="only compare what was measured")
    given = parser.parse_args(arguments)
    for name, allowed in (("sets", tuple(SETS)), ("who", WHO)):
        chosen = getattr(given, name).split(",")
        unknown = [each for each in chosen if each not in allowed]
        if unknown:
            parser.error(f"--{name} has {unknown[0]!r}; allowed: {', '.join(allowed)}")
        setattr(given, name, chosen)
    return given


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
