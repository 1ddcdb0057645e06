"""Leaves a live version that breaks under steady traffic, in turn by the command and by a rejection, and measures from the decision.

    python -m benchmarks.ways_back [--rounds 3]

The account's clock runs at its own pace while it is measured, so nothing that would wait in AWS is shortened. Output: a table, and
benchmarks/results/ways_back.json, from which docs/faults.md takes its seconds (`make faults`). The account, its traffic and the faults are
those of tests/loop/ways_back.py. On a busy machine `chrt -r 1` (root, Linux) lets it go before all other processes, and the result says so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tests
from benchmarks.machine import describe_machine, scheduling
from demo import loop
from demo.clock import AccountClock

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "benchmarks" / "results" / "ways_back.json"
# A library of this environment installs a package `tests`, which would hide this project's.
tests.__path__.insert(0, str(ROOT / "tests"))

from tests.loop import faults, ways_back  # noqa: E402 - only now is it this project's

#: Measure -> seconds that it may take at most.
TARGETS = {"broken live version to healthy": 10.0, "broken live version to traffic back": 8.0, "rejecting to traffic back": 8.0}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ways_back", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each way (default %(default)s)")
    given = parser.parse_args(arguments)
    if given.rounds < 1:
        parser.error(f"--rounds is {given.rounds}; allowed: 1 or more")
    runs: dict[str, list[float]] = {name: [] for name in TARGETS}
    loads: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        team = ways_back.start(Path(scratch, "ways"))
        try:
            good = str(loop.versions(team.terminal, team.names)[-1]["ModelPackageArn"])
            team.person.release(team.names, good)
            for number in range(1, given.rounds + 1):
                print(f"round {number} of {given.rounds}", flush=True)
                loads.append(round(os.getloadavg()[0], 2))
                for name, seconds in {**_by_command(team, good), **_by_rejection(team, good)}.items():
                    runs[name].append(seconds)
        finally:
            team.terminal.close()
    _report(runs, loads)
    return 0


def _by_command(team: Any, good: str) -> dict[str, float]:
    bad = _broken(team, ways_back.ERRORS, ways_back.SERVER_ERRORS)
    with team.clients() as clients:
        began = time.monotonic()
        team.roll_back()
        healthy = time.monotonic()
        first = clients.wait_for("the earlier version", lambda item: item.version == ways_back.number(good), began)
        time.sleep(1)
    assert faults.seen(clients.since(began), ways_back.number(good), ways_back.number(bad)) is faults.Seen.ERRORS
    _quiet(team, ways_back.SERVER_ERRORS)
    return {"broken live version to healthy": healthy - began, "broken live version to traffic back": first.ended - began}


def _by_rejection(team: Any, good: str) -> dict[str, float]:
    bad = _broken(team, ways_back.SLOW, ways_back.LATENCY)
    with team.clients() as clients:
        began = time.monotonic()
        team.reject(bad)
        first = clients.wait_for("the earlier version", lambda item: item.version == ways_back.number(good), began)
        returned = team.returns()[0]["pipelineExecutionId"]
        assert loop.end_of_pipeline(team.terminal, team.names.return_pipeline, returned) == "Succeeded"
    assert faults.seen(clients.since(began), ways_back.number(good), ways_back.number(bad)) is faults.Seen.SLOW
    _quiet(team, ways_back.LATENCY)
    return {"rejecting to traffic back": first.ended - began}


def _broken(team: Any, how: str, alarm: str) -> str:
    """A version that is live and broken, whose alarm is on; from now on the account's clock runs at its own pace."""
    version = str(team.released())
    team.breaks(version, how)
    with team.clients():
        team.alarm(alarm, "ALARM")
    AccountClock(team.terminal.account).set(speed=1.0)
    return version


def _quiet(team: Any, alarm: str) -> None:
    """Nothing is broken any more, and the alarm has seen it."""
    AccountClock(team.terminal.account).set(speed=ways_back.SPEED)
    team.mend()
    team.alarm(alarm, "OK")


def _report(runs: dict[str, list[float]], loads: Sequence[float]) -> None:
    measures = {}
    print(f"\n{'seconds':40}{'median':>9}{'target':>9}")
    for name, target in TARGETS.items():
        median = statistics.median(runs[name])
        measures[name] = {"median": round(median, 2), "target": target, "runs": [round(value, 2) for value in runs[name]]}
        print(f"{name:40}{median:9.1f}{target:9.0f}{'   over' if median > target else ''}")
    content = {"machine": describe_machine(), "scheduling": scheduling(), "load_average_before": list(loads), "measures": measures}
    RESULT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"\n{os.path.relpath(RESULT)}; `make faults` writes docs/faults.md anew")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
