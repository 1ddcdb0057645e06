"""One million captured requests of 30 columns: how long the monitor takes on one core, and how much memory.

    python -m benchmarks.monitoring.speed [--requests 1000000] [--form csv]

Captured files as an hour of an endpoint leaves them, 24 numeric columns (a third with gaps) and 6 of categories; base64 or JSON bodies with
`--form`. The monitor runs as the job does, in a process of its own that may use one core. Promised: at most 60 s and 1 GB; exit
code 1 otherwise. Output: benchmarks/results/monitoring_speed.json.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from build_scripts.step_modules import STEPS

RESULTS = Path(__file__).parents[1] / "results" / "monitoring_speed.json"
MONITORING = STEPS.parents[1] / "monitoring" / "steps"
NUMERIC = [f"number_{place}" for place in range(24)]
CATEGORICAL = [f"category_{place}" for place in range(6)]
FORMS = ("csv", "base64", "json")
REQUESTS_IN_FILE = 5_000
MOST_SECONDS, MOST_BYTES = 60.0, 10**9
HOUR = "2026/11/27/14"
CAPTURE = "capture/shop--wide--production/"


def _rows(generator: np.random.Generator, count: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    numbers = generator.normal(100, 30, (count, len(NUMERIC))).round(3)
    numbers[:, ::3][generator.random((count, len(NUMERIC[::3]))) < 0.1] = np.nan
    return numbers, generator.integers(0, 20, (count, len(CATEGORICAL)))


def _requests(count: int, form: str, seed: int) -> Iterator[str]:
    """Lines of one captured file."""
    generator = np.random.default_rng(seed)
    numbers, categories = _rows(generator, count)
    answers = generator.normal(10, 3, count)
    for place, (row, codes) in enumerate(zip(numbers.tolist(), categories.tolist(), strict=True)):
        cells = [None if value != value else value for value in row] + [f"kind {code}" for code in codes]
        if form == "json":
            body, kind, encoding = json.dumps({"instances": [cells]}), "application/json", "JSON"
        else:
            body, kind, encoding = ",".join("" if cell is None else str(cell) for cell in cells), "text/csv", "CSV"
        if form == "base64":
            body, encoding = base64.b64encode(body.encode()).decode(), "BASE64"
        request = {"observedContentType": kind, "mode": "INPUT", "data": body, "encoding": encoding}
        answer = {"mode": "OUTPUT", "observedContentType": "application/json; model-version=12", "encoding": "JSON"}
        answer["data"] = json.dumps({"predictions": [{"score": answers[place]}]})
        about = {"eventId": f"{seed:04d}{place:06d}", "inferenceTime": f"2026-11-27T14:{place % 60:02d}:{seed % 60:02d}Z"}
        yield json.dumps({"captureData": {"endpointInput": request, "endpointOutput": answer}, "eventMetadata": about, "eventVersion": "0"})


def _write(folder: Path, requests: int, form: str) -> int:
    """The evidence of the version that answered, and captured files; their bytes."""
    sys.path[:0] = [str(STEPS), str(MONITORING)]
    import baseline
    from dataset import Rows

    numbers, codes = _rows(np.random.default_rng(1), 10_000)
    numeric = {name: numbers[:, place].copy() for place, name in enumerate(NUMERIC)}
    labels = {name: ([f"kind {code}" for code in range(20)], codes[:, place].copy()) for place, name in enumerate(CATEGORICAL)}
    described = baseline.statistics(Rows(numeric, labels, np.zeros(10_000), 10_000))
    described["features"].append(baseline.numeric("prediction", np.random.default_rng(2).normal(10, 3, 10_000)))
    dataset = {"problem": "regression", "numeric": [{"name": name} for name in NUMERIC]}
    contract = {"dataset": {**dataset, "categorical": [{"name": name} for name in CATEGORICAL]}, "classes": None}
    evidence = folder / "evidence" / "12"
    evidence.mkdir(parents=True)
    (evidence / "statistics.json").write_text(json.dumps(described))
    (evidence / "contract.json").write_text(json.dumps(contract))
    (folder / "monitoring.json").write_text(json.dumps({"monitoring": {"window_hours": 1, "min_rows": 200}}))
    captured = folder / CAPTURE / "AllTraffic" / HOUR
    captured.mkdir(parents=True)
    written = 0
    for number, first in enumerate(range(0, requests, REQUESTS_IN_FILE)):
        lines = _requests(min(REQUESTS_IN_FILE, requests - first), form, number)
        written += (captured / f"{number:06d}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return written


def _run(folder: Path) -> dict[str, float]:
    """The job's own process, on one core."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(STEPS), str(MONITORING)]), "SM_OUTPUT_DIR": str(folder / "output")}
    environment |= {"MODEL": "wide", "ENVIRONMENT": "production", "ENDPOINT_NAME": "shop--wide--production", "BUCKET": "none"}
    environment |= {"MONITORING_PREFIX": "monitoring/wide/", "CAPTURE_PREFIX": CAPTURE}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
    program = [sys.executable, str(MONITORING / "monitor.py"), "--now", "2026-11-27T15:20Z", "--folder", str(folder)]
    one_core = ["taskset", "-c", "0"] if Path("/usr/bin/taskset").exists() else []
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    finished = subprocess.run(
        [*one_core, *program, "--settings", str(folder / "monitoring.json")], env=environment, capture_output=True, text=True, check=False
    )
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if finished.returncode:
        raise SystemExit(f"the monitor failed:\n{finished.stderr}")
    print(finished.stdout, end="")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_bytes": after.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000, help="captured requests of the window (default: %(default)s)")
    parser.add_argument("--form", choices=FORMS, default="csv", help="of the bodies (default: %(default)s)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        captured_bytes = _write(Path(scratch), given.requests, given.form)
        measured = _run(Path(scratch))
    columns = len(NUMERIC) + len(CATEGORICAL)
    result = {"requests": given.requests, "columns": columns, "captured_bytes": captured_bytes, **measured}
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**kept, "machine": describe_machine(), given.form: result}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))
    return int(measured["seconds"] > MOST_SECONDS or measured["peak_bytes"] > MOST_BYTES)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
