"""How many windows alarm in which nothing has drifted: ours with the shipped limits, Evidently's default preset, PSI above 0.2.

    python -m benchmarks.monitoring.false_alarms [--windows 200]

A window alarms if any feature, the prediction or all of them together do. 50 to 100,000 rows, evenly on a logarithmic scale; each has
a reference of its own. Small windows are judged too, which the monitor would pool. Output: a table, and its numbers in
benchmarks/results/monitoring_false_alarms.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.monitoring.judges import EVIDENTLY, ROOT, SHIPPED, Evidently, Ours, psi_score
from benchmarks.monitoring.tables import all_tables

RESULTS = ROOT / "benchmarks" / "results" / "monitoring_false_alarms.json"
SEED, FEWEST, MOST = 11, 50, 100_000
ALLOWED = 0.01
#: Of how many windows Evidently's whole report is made.
EVERY = 25


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.monitoring.false_alarms", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=200, help="windows in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of the draws (default: %(default)s)")
    given = parser.parse_args(arguments)
    tables, windows = all_tables(), []
    with tempfile.TemporaryDirectory() as scratch, Evidently(Path(scratch)) as evidently:
        for number in range(given.windows):
            table = tables[number % len(tables)]
            generator = np.random.default_rng([given.seed, number])
            rows = round(FEWEST * (MOST / FEWEST) ** generator.random())
            reference, window = table.draw(generator, table.reference_rows), table.draw(generator, rows)
            evidently.start(reference, window, whole_report=number % EVERY < 2)
            started = time.perf_counter()
            ours = Ours(reference).judge(window, seed=number)
            seconds = time.perf_counter() - started
            theirs = evidently.answer()
            windows.append({
                "table": table.name, "rows": rows, "columns": len(window.numeric) + len(window.categorical), "seconds": round(seconds, 2),
                "ours": ours.alarms, "features": ours.features, "joint": ours.joint, "auc": ours.auc, "psi": psi_score(reference, window),
                "evidently_any": theirs["any"], "evidently_half": theirs["drifted"] / theirs["columns"] >= 0.5,
            })  # fmt: skip
            if ours.alarms or number % 20 == 19:
                print(f"window {number + 1} of {given.windows}: {table.name}, {rows} rows, ours alarms: {ours}", flush=True)
    return report(windows, given.seed)


def report(windows: list[dict[str, Any]], seed: int) -> int:
    def rates(some: list[dict[str, Any]]) -> dict[str, float]:
        counted = {
            "ours": sum(window["ours"] for window in some),
            "evidently_any_column": sum(window["evidently_any"] >= 1 for window in some),
            "evidently_half_of_the_columns": sum(window["evidently_half"] for window in some),
            "psi": sum(window["psi"] >= 1 for window in some),
        }
        return {"windows": len(some), **{name: count / max(len(some), 1) for name, count in counted.items()}}

    names = sorted({window["table"] for window in windows})
    sizes = {"under 1,000 rows": (0, 1_000), "1,000 to 10,000": (1_000, 10_000), "10,000 and more": (10_000, MOST + 1)}
    groups = {"all": rates(windows), **{name: rates([window for window in windows if window["table"] == name]) for name in names}}
    groups |= {label: rates([window for window in windows if low <= window["rows"] < high]) for label, (low, high) in sizes.items()}
    print(f"\n{'':18}{'windows':>8}{'ours':>8}{'Evidently, any column':>24}{'half of them':>14}{'PSI > 0.2':>11}")
    for name, row in groups.items():
        print(
            f"{name:18}{row['windows']:8}"
            + "".join(f"{value:{width}.1%}" for value, width in zip(list(row.values())[1:], (8, 24, 14, 11), strict=True))
        )
    document = {"machine": describe_machine(), "seed": seed, "limits": SHIPPED, "peer": EVIDENTLY, "rates": groups, "windows": windows}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0 if groups["all"]["ours"] <= ALLOWED else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
