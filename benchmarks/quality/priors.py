"""Which ranges of gradient boosting to search by default: those that win on public sets that are not in the judged table (sets.PRIOR).

    python -m benchmarks.quality.priors [--sets movies,houses] [--draws 3] [--ranges before,deeper]

A draw is a split of the set and a seed of the tuner; for each range four trials are drawn and the best on the validation rows is asked
about the test rows. So no range is favoured by one lucky draw. Every (set, draw, range) is a line of .cache/quality-work/priors.jsonl and
is not measured again; `--draws 0` only compares. Output: for each range its loss (geometric mean of the sets) and its processor time as a
share of those of the first, and on how many sets it is better; benchmarks/results/quality_priors.json.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.quality import ours
from benchmarks.quality.comparison import LEAST_LOSS, loss
from benchmarks.quality.environments import CACHE
from benchmarks.quality.rows import Rows, split
from benchmarks.quality.sets import PRIOR, SETS
from build_scripts.step_modules import load
from settings_schema import Algorithm, Range, Tuning

WORK = CACHE / "quality-work"
LINES = WORK / "priors.jsonl"
RESULTS = Path(__file__).resolve().parents[1] / "results" / "quality_priors.json"
NAME = "gradient_boosting"
_SHARE = Range(low=0.6, high=1.0)
#: The first is what was searched before.
RANGES: Mapping[str, Algorithm] = {
    "before": Algorithm(
        name=NAME,
        fixed={"num_round": 600},
        tuned={
            "eta": Range(low=0.02, high=0.2, log=True),
            "max_depth": Range(low=3, high=7),
            "min_child_weight": Range(low=1.0, high=12.0),
            "subsample": _SHARE,
        },
    ),
    "more_rounds": Algorithm(
        name=NAME,
        fixed={"num_round": 1500},
        tuned={
            "eta": Range(low=0.02, high=0.2, log=True),
            "max_depth": Range(low=3, high=7),
            "min_child_weight": Range(low=1.0, high=12.0),
            "subsample": _SHARE,
        },
    ),
    "deeper": Algorithm(
        name=NAME,
        fixed={"num_round": 1000},
        tuned={
            "eta": Range(low=0.03, high=0.15, log=True),
            "max_depth": Range(low=3, high=10),
            "min_child_weight": Range(low=1.0, high=20.0, log=True),
            "subsample": _SHARE,
        },
    ),
    "columns": Algorithm(
        name=NAME,
        fixed={"num_round": 1000},
        tuned={
            "eta": Range(low=0.03, high=0.12, log=True),
            "max_depth": Range(low=3, high=8),
            "min_child_weight": Range(low=1.0, high=12.0, log=True),
            "subsample": _SHARE,
            "colsample_bytree": Range(low=0.4, high=1.0),
        },
    ),
    "penalty": Algorithm(
        name=NAME,
        fixed={"num_round": 1000},
        tuned={
            "eta": Range(low=0.03, high=0.12, log=True),
            "max_depth": Range(low=3, high=8),
            "min_child_weight": Range(low=1.0, high=12.0, log=True),
            "subsample": _SHARE,
            "colsample_bytree": Range(low=0.4, high=1.0),
            "lambda": Range(low=0.3, high=10.0, log=True),
        },
    ),
}


def main(arguments: Sequence[str]) -> int:
    given = _given(arguments)
    os.nice(19)
    os.environ["SM_NUM_CPUS"] = "1"
    known = _known()
    for draw in range(1, given.draws + 1):
        for name in given.sets:
            wanted = [each for each in given.ranges if (name, draw, each) not in known]
            if wanted:
                _measure(name, draw, wanted, known)
    return report(known)


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.priors", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    choices = {"sets": [each.name for each in PRIOR], "ranges": list(RANGES)}
    for name, allowed in choices.items():
        parser.add_argument(f"--{name}", default=",".join(allowed), help="default: all")
    parser.add_argument("--draws", type=int, default=3, help="of each set (default: %(default)s)")
    given = parser.parse_args(arguments)
    for name, allowed in choices.items():
        chosen = getattr(given, name).split(",")
        if unknown := [each for each in chosen if each not in allowed]:
            parser.error(f"--{name} has {unknown[0]!r}; allowed: {', '.join(allowed)}")
        setattr(given, name, chosen)
    return given


def _known() -> dict[tuple[str, int, str], dict[str, Any]]:
    lines = map(json.loads, LINES.read_text(encoding="utf-8").splitlines()) if LINES.exists() else ()
    return {(line["set"], line["draw"], line["range"]): line for line in lines}


def _measure(name: str, draw: int, wanted: Sequence[str], known: dict[tuple[str, int, str], dict[str, Any]]) -> None:
    rows = split(SETS[name], draw, WORK)
    with tempfile.TemporaryDirectory() as scratch:
        prepared = ours.prepare(rows, Path(scratch))
        for each in wanted:
            started = time.process_time()
            found = _best(rows, RANGES[each], draw, prepared)
            line = {"set": name, "draw": draw, "range": each, **found, "cpu_seconds": round(time.process_time() - started, 2)}
            with LINES.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(line) + "\n")
            known[name, draw, each] = line
            print(f"{name:12} draw {draw} {each:12} {found['loss']:.5g}  {line['cpu_seconds']} s  {found['settings']}", flush=True)


def _best(rows: Rows, algorithm: Algorithm, seed: int, prepared: Path) -> dict[str, Any]:
    """Of four trials, what the best on the validation rows says of the test rows."""
    data = rows.model.data
    with contextlib.redirect_stdout(io.StringIO()):
        folder = ours.search(algorithm, Tuning(seed=seed), prepared, more_is_better=data.more_is_better)
    trial = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
    model = load("algorithms").find(NAME).load(folder, {})
    predicted = model.predict(ours.test_matrix(rows, prepared))
    shutil.rmtree(prepared / "trials")
    return {"loss": loss(data.metric, rows.target, predicted), "validation": trial["validation"], "settings": trial["hyperparameters"]}


def report(known: Mapping[tuple[str, int, str], Mapping[str, Any]]) -> int:
    first, *others = RANGES
    document: dict[str, Any] = {"machine": describe_machine(), "ranges": {}}
    for each in others:
        pairs = [
            (known[name, draw, first], line) for (name, draw, of), line in known.items() if of == each and (name, draw, first) in known
        ]
        by_set: dict[str, list[float]] = {}
        for before, line in pairs:
            by_set.setdefault(line["set"], []).append(np.log(max(line["loss"], LEAST_LOSS) / max(before["loss"], LEAST_LOSS)))
        if not pairs:
            continue
        ratios = {name: float(np.exp(np.mean(logs))) for name, logs in by_set.items()}
        seconds = sum(line["cpu_seconds"] for _, line in pairs) / sum(before["cpu_seconds"] for before, _ in pairs)
        whole = float(np.exp(np.mean([np.log(ratio) for ratio in ratios.values()])))
        better = sum(ratio < 1 for ratio in ratios.values())
        found = {"loss": whole, "cpu": seconds, "better_on": better, "searches": len(pairs), "sets": ratios}
        document["ranges"][each] = {"algorithm": RANGES[each].model_dump(), **found}
        print(f"{each:12} loss {whole:.4f} of before's, better on {better} of {len(ratios)} sets, {seconds:.2f} of its processor time")
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
