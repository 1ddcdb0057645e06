"""Runs what a person runs, several times, and compares the medians with what this project promises on two cores.

    python -m benchmarks.loop [--rounds 3] [--all-tests]

Output: a table, and benchmarks/results/loop.json with every run, its CPU seconds, and the load of the machine before it: on a busy
machine seconds grow and CPU seconds hardly do. `chrt -r 1 .venv/bin/python -m benchmarks.loop` (root, Linux) lets it go before all
other processes, and the result says so. Needs what `make setup` installs. Next: waiting.py measures one command.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.loop.waiting import Run, command, demo, ready
from benchmarks.machine import describe_machine, scheduling
from build_scripts.upload_data import EXAMPLES
from demo.timings import GOALS
from settings_schema.reading import read

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "loop.json"

#: Measure -> what it may take at most: seconds, or MB where the name says so.
TARGETS = {**GOALS, "make synth": 8.0, "make unit": 15.0, "make test": 300.0, "account ready": 3.0, "account MB": 400.0}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (default %(default)s)")
    parser.add_argument("--all-tests", action="store_true", help="also `make test`, once: it takes minutes")
    given = parser.parse_args(arguments)
    if given.rounds < 1:
        parser.error(f"--rounds is {given.rounds}; allowed: 1 or more")
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(1, given.rounds + 1):
            print(f"round {number} of {given.rounds}", flush=True)
            runs += ready(ROOT, Path(scratch) / "account")
            runs += command(ROOT, "make synth", ["make", "synth"])
            runs += command(ROOT, "make unit", ["make", "unit"])
            runs += demo(ROOT, Path(scratch) / "demo")
            runs += demo(ROOT, Path(scratch) / "one", _first_example())
    if given.all_tests:
        runs += command(ROOT, "make test", ["make", "test"])
    _report(runs)
    return 0


def _first_example() -> str:
    """A model whose data come with the project. It alone has the machine when a push is measured."""
    return next(name for name in read().models if name in EXAMPLES)


def _report(runs: Sequence[Run]) -> None:
    measures = {}
    print(f"\n{'':32}{'median':>9}{'target':>9}{'CPU s':>9}")
    for name in dict.fromkeys(run.name for run in runs):
        same = [run for run in runs if run.name == name]
        median = statistics.median(run.value for run in same)
        cpu = [run.cpu_seconds for run in same if run.cpu_seconds is not None]
        measures[name] = {
            "median": round(median, 2),
            "target": TARGETS.get(name),
            "runs": [round(run.value, 2) for run in same],
            "cpu_seconds": [round(seconds, 2) for seconds in cpu],
            "load_average_before": [round(run.load_average, 2) for run in same],
        }
        spent = f"{statistics.median(cpu):9.1f}" if cpu else ""
        target = TARGETS.get(name)
        promised = f"{'':9}" if target is None else f"{target:9.0f}"
        print(f"{name:32}{median:9.1f}{promised}{spent}{'   over' if target is not None and median > target else ''}")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps({"machine": describe_machine(), "scheduling": scheduling(), "measures": measures}, indent=1) + "\n", encoding="utf-8"
    )
    print(f"\n{os.path.relpath(RESULT)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
