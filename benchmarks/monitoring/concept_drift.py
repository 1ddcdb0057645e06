"""The smallest concept drift that labels show: features and predictions stay as they are, and some truths become the opposite.

    python -m benchmarks.monitoring.concept_drift [--windows 25]

The made-up table of 12 columns, whose model answers with a probability (judged by AUC), as in `power.py`. The share of truths that are
the opposite grows by the steps 1, 2, 5, 10. Found: in at least four of five windows the realised metric breaks its shipped limit, whole
interval and all. Windows without any such truth break it in at most 1 of 100. Output: benchmarks/results/monitoring_concept_drift.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.monitoring.judges import ROOT
from benchmarks.monitoring.tables import Drawn, sensors
from build_scripts.step_modules import load

RESULTS = ROOT / "benchmarks" / "results" / "monitoring_concept_drift.json"
SEED, FOUND, EVALUATED = 13, 0.8, 10_000
LABELS, UNDRIFTED = (100, 300, 1_000, 3_000), 200
LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
METRIC, SHIPPED = "auc", {"max_quality_loss": 0.1}

decisions, measures, rows_of = load("decisions"), load("measures"), load("dataset").Rows
labels, realised = load("labels", "monitoring"), load("realised", "monitoring")


def is_found(generator: np.random.Generator, count: int, level: float) -> bool:
    """Whether one window with `count` labels breaks the limit. Each has an evaluation of its own, so no luck of one is in all of them."""
    evaluated, window = sensors(generator, EVALUATED), sensors(generator, count)
    at_evaluation = measures.measure(METRIC, evaluated.truth, _predicted(evaluated))
    assert window.truth is not None
    truth = np.where(generator.random(count) < level, 1 - window.truth, window.truth)
    sent = [((f"id-{place}", 1), labels.Label(float(value))) for place, value in enumerate(truth)]
    rows = rows_of(window.numeric, {}, truth, count)
    labelled = realised.Labelled(rows, _predicted(window), sent, np.zeros(count), count)
    estimator = {"metric": METRIC, "at_evaluation": at_evaluation, "more_is_better": True}
    return bool(realised.judge(labelled, estimator, SHIPPED).breached)


def _predicted(drawn: Drawn) -> object:
    return decisions.Predictions.of(drawn.prediction, 0.5)


def smallest(count: int, windows: int) -> float | None:
    for level in LEVELS:
        found = sum(is_found(np.random.default_rng([SEED, count, round(level * 100), number]), count, level) for number in range(windows))
        print(f"{count} labels, {level:.0%} of the truths the opposite: found in {found} of {windows} windows", flush=True)
        if found >= FOUND * windows:
            return level
    return None


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.monitoring.concept_drift", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=25, help="of each number of labels and level (default: %(default)s)")
    given = parser.parse_args(arguments)
    found = {str(count): smallest(count, given.windows) for count in LABELS}
    false = {
        str(count): sum(is_found(np.random.default_rng([SEED, count, 0, number]), count, 0.0) for number in range(UNDRIFTED))
        for count in LABELS
    }
    print(f"without concept drift: {false} of {UNDRIFTED} windows break the limit")
    document = {"machine": describe_machine(), "seed": SEED, "metric": METRIC, "limits": SHIPPED, "smallest_found": found}
    document |= {"undrifted_windows": UNDRIFTED, "false_alarms": false}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return int(sum(false.values()) > 0.01 * UNDRIFTED * len(LABELS))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
