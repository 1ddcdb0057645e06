"""One million captured requests of 30 columns: how long the monitor takes on one core, and how much memory.

    python -m benchmarks.monitoring.speed [--requests 1000000] [--labels 100000] [--form csv]
    python -m benchmarks.monitoring.speed --requests 50000 --labels 50000 --other-labels 12000000

Captured files as an hour of an endpoint leaves them, answered by a version that the pipeline's own steps have made (wide_version.py), with
all of its evidence: so every judge runs. One column has moved, and the truth of some answers has come. Base64 or JSON bodies with `--form`;
with `--other-labels` the labels of that many answers of other windows, or of none, lie beside, as after months.
The monitor runs as the job does, in a process of its own that may use one core. Promised: at most 60 s and 1 GB; exit code 1 otherwise.
Output: benchmarks/results/monitoring_speed.json.
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.monitoring import wide_version
from benchmarks.monitoring.wide_version import Asked, Version
from build_scripts.step_modules import STEPS, folder
from pipelines.monitoring.code import monitoring_json

RESULTS = Path(__file__).parents[1] / "results" / "monitoring_speed.json"
MONITORING = folder("monitoring")
FORMS = ("csv", "base64", "json")
REQUESTS_IN_FILE = 5_000
MOST_SECONDS, MOST_BYTES = 60.0, 10**9
HOUR, NOW = "2026/11/27/14", datetime(2026, 11, 27, 15, 20, tzinfo=UTC)
CAPTURE, LABELS, WATCHED = "capture/shop--wide--production/", "labels/wide/", "monitoring/wide/"
#: What a version with all of its evidence has something to say of.
JUDGED = ("contract", "drift", "joint", "estimate", "realised", "bias", "attributions")


def _requests(asked: Asked, form: str, file: int) -> Iterator[str]:
    """Lines of one captured file."""
    for place, cells in enumerate(asked.cells):
        if form == "json":
            body, kind, encoding = json.dumps({"instances": [cells]}), "application/json", "JSON"
        else:
            body, kind, encoding = ",".join("" if cell is None else str(cell) for cell in cells), "text/csv", "CSV"
        if form == "base64":
            body, encoding = base64.b64encode(body.encode()).decode(), "BASE64"
        request = {"observedContentType": kind, "mode": "INPUT", "data": body, "encoding": encoding}
        answer = {"mode": "OUTPUT", "observedContentType": "application/json; model-version=12", "encoding": "JSON"}
        answer["data"] = json.dumps({"predictions": [{"score": asked.scores[place], "predicted_label": asked.decided[place]}]})
        about = {"eventId": _id(file, place), "inferenceTime": f"2026-11-27T14:{place % 60:02d}:{file % 60:02d}Z"}
        yield json.dumps({"captureData": {"endpointInput": request, "endpointOutput": answer}, "eventMetadata": about, "eventVersion": "0"})


def _id(file: int, place: int) -> str:
    return f"{file:04d}{place:06d}"


def _write(scratch: Path, requests: int, labels: int, others: int, form: str) -> int:
    """The evidence of the version that answered, captured files, and one with the truth of the first answers of each; their bytes."""
    evidence = scratch / "evidence" / "12"
    wide_version.make(evidence)
    version = Version(evidence)
    (scratch / "monitoring.json").write_text(monitoring_json(wide_version.MODEL))
    captured = scratch / CAPTURE / "AllTraffic" / HOUR
    captured.mkdir(parents=True)
    (scratch / LABELS).mkdir(parents=True)
    written, truths = 0, [("inference_id", "truth")]
    for number, first in enumerate(range(0, requests, REQUESTS_IN_FILE)):
        asked = version.asked(seed=number, rows=min(REQUESTS_IN_FILE, requests - first))
        written += (captured / f"{number:06d}.jsonl").write_text("".join(f"{line}\n" for line in _requests(asked, form, number)))
        truths += [(_id(number, place), truth) for place, truth in enumerate(asked.truth[: labels * REQUESTS_IN_FILE // requests])]
    with (scratch / LABELS / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(truths)
        writer.writerows((f"other-{place:012d}", truths[1 + place % labels][1]) for place in range(others))
    os.utime(scratch / LABELS / "labels.csv", (NOW.timestamp(), NOW.timestamp()))
    return written


def _run(scratch: Path) -> dict[str, float]:
    """The job's own process, on one core."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(STEPS), str(MONITORING)]), "SM_OUTPUT_DIR": str(scratch / "output")}
    environment |= {"MODEL": "wide", "ENVIRONMENT": "production", "ENDPOINT_NAME": "shop--wide--production", "BUCKET": "none"}
    environment |= {"MONITORING_PREFIX": WATCHED, "CAPTURE_PREFIX": CAPTURE, "LABELS_PREFIX": LABELS}
    environment |= {"MODEL_PACKAGE_ARN": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/shop--wide/12"}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
    program = [sys.executable, str(MONITORING / "monitor.py"), "--now", NOW.isoformat(), "--folder", str(scratch)]
    one_core = ["taskset", "-c", "0"] if Path("/usr/bin/taskset").exists() else []
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    finished = subprocess.run(
        [*one_core, *program, "--settings", str(scratch / "monitoring.json")], env=environment, capture_output=True, text=True, check=False
    )
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if finished.returncode:
        raise SystemExit(f"the monitor failed:\n{finished.stderr}")
    print(finished.stdout, end="")
    _require_all_judged(scratch)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_bytes": after.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }


def _require_all_judged(scratch: Path) -> None:
    (findings,) = (scratch / WATCHED / "windows").glob("*/findings.json")
    (version,) = json.loads(findings.read_text())["versions"]
    silent = [name for name in JUDGED if not version[name]]
    if silent:
        raise SystemExit(f"nothing was said of {', '.join(silent)}, so its time was not measured")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000, help="captured requests of the window (default: %(default)s)")
    parser.add_argument("--labels", type=int, default=100_000, help="answers whose truth is known (default: %(default)s)")
    parser.add_argument("--other-labels", type=int, default=0, help="labels of other answers (default: %(default)s)")
    parser.add_argument("--form", choices=FORMS, default="csv", help="of the bodies (default: %(default)s)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        captured_bytes = _write(Path(scratch), given.requests, given.labels, given.other_labels, given.form)
        measured = _run(Path(scratch))
    columns, labels = len(wide_version.MODEL.data.features), given.labels + given.other_labels
    result = {"requests": given.requests, "columns": columns, "labels": labels, "captured_bytes": captured_bytes, **measured}
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    what = "many labels" if given.other_labels else given.form
    RESULTS.write_text(json.dumps({**kept, "machine": describe_machine(), what: result}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))
    return int(measured["seconds"] > MOST_SECONDS or measured["peak_bytes"] > MOST_BYTES)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
