"""What live metrics cost a request: one worker of the container with them and one without, in turn, in one run.

    python -m benchmarks.serving [--rounds 40] [--requests 600]

The registered abalone version answers as the image's server lets it (`local_account/endpoints/serving_contract.py`), without the HTTP
around it, which would only make the share smaller. Counted in processor time, since a worker answers one request after the other and a
busy machine takes turns; the thread that adds up and writes is in it. Output: a table, and benchmarks/results/serving.json. Exit code 1
if metrics cost more than 5 % of the requests per second.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.registered import registered_abalone

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results" / "serving.json"
MOST_PERCENT = 5.0
ROWS = (1, 100)
SPEAKING = {"MODEL_VERSION": "1", "METRICS_NAMESPACE": "mlops/abalone/Monitoring", "METRICS_ENDPOINT": "mlops--abalone--production"}


class Worker:
    """A process that answers rounds of requests."""

    def __init__(self, folder: Path, request: Path, *, speaks: bool) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in SPEAKING}
        given = {**environment, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **(SPEAKING if speaks else {})}
        command = [sys.executable, "-m", "benchmarks.serving.worker", str(folder), str(request)]
        self._process = subprocess.Popen(
            command, env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def seconds(self, requests: int) -> float:
        assert self._process.stdin and self._process.stdout
        print(requests, file=self._process.stdin, flush=True)
        return float(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate()


def measure(folder: Path, rows: int, rounds: int, requests: int) -> dict[str, Any]:
    """Requests per second of processor time with and without, by the fastest tenth of the rounds, which others disturbed least."""
    request = folder / f"{rows}.csv"
    request.write_text("0.455,0.365,0.095,0.514,0.2245,0.101,0.15,M\n" * rows, encoding="utf-8")
    workers = {name: Worker(folder, request, speaks=name == "with") for name in ("with", "without")}
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    for worker in workers.values():
        worker.seconds(min(requests, 200))  # what is imported and compiled at first
    for turn in range(rounds):
        for name in sorted(workers, reverse=bool(turn % 2)):
            seconds[name].append(round(workers[name].seconds(requests), 6))
    for worker in workers.values():
        worker.close()
    rates = {name: requests / statistics.mean(sorted(spent)[: max(1, rounds // 10)]) for name, spent in seconds.items()}
    cost = 100 * (1 - rates["with"] / rates["without"])
    return {"rows": rows, "requests_per_second": rates, "cost_percent": cost, "seconds": seconds}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40, help="default: %(default)s")
    parser.add_argument("--requests", type=int, default=600, help="of a round (default: %(default)s)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "model")
        with registered_abalone() as registered, tarfile.open(fileobj=io.BytesIO(registered.archive)) as archive:
            archive.extractall(folder, filter="data")
        found = [measure(folder, rows, given.rounds, max(1, given.requests // (1 if rows == 1 else 4))) for rows in ROWS]
    print("rows in a request | with, requests a second | without | cost")
    for one in found:
        rates = one["requests_per_second"]
        print(f"{one['rows']:17} | {rates['with']:23.0f} | {rates['without']:7.0f} | {one['cost_percent']:.1f} %")
    RESULTS.write_text(json.dumps({"machine": describe_machine(), "measured": found}, indent=1) + "\n", encoding="utf-8")
    return int(any(one["cost_percent"] > MOST_PERCENT for one in found))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
