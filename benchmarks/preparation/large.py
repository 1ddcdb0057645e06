"""Prepares ten million rows with the template's own step, and with polars doing the same, in turn, each in a process of its own.

    python -m benchmarks.preparation.large [--rows 10000000] [--rounds 1] [--no-polars]

From one Parquet file to prepared rows, raw test rows and the fitted state on disk. Ours is prepare.py as a job runs it, with its contract,
lineage and baselines. polars (streaming) is installed into .cache/polars. Output: a table, and benchmarks/results/preparation_large.json.
Memory is sampled 10 times a second, of all processes: `anonymous` is what they have for themselves, `mapped` are pages of files, which
the system takes back when it needs them, and `peak` both together. Exit code 1 where the template takes more time than polars, or 1.5 GiB
and more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.machine import describe_machine, scheduling
from benchmarks.preparation.rows import CATEGORIES, MODEL, NUMERIC, write
from build_scripts.step_modules import STEPS
from pipelines.tabular.specification import specification_json

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache"
RESULTS = HERE.parent / "results" / "preparation_large.json"
POLARS = "polars==2.1.0"
MOST_MIB = 1536
_SAMPLE_SECONDS = 0.1


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.preparation.large", description=__doc__)
    parser.formatter_class = argparse.RawTextHelpFormatter
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the table (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each, in turn (default: %(default)s)")
    parser.add_argument("--no-polars", action="store_true", help="only the template")
    given = parser.parse_args(arguments)
    rounds: dict[str, list[dict[str, float]]] = {"template": []} if given.no_polars else {"template": [], "polars": []}
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:  # on a disk: what is in memory would be counted as such
        folder = Path(scratch)
        write(folder / "rows.parquet", given.rows)
        (folder / "specification.json").write_text(specification_json(MODEL), encoding="utf-8")
        kept = {"target": "target", "categories": MODEL.preparation.max_categories}
        (folder / "task.json").write_text(json.dumps({"numeric": NUMERIC, "categorical": list(CATEGORIES), **kept}), encoding="utf-8")
        for number in range(given.rounds):
            for name, samples in rounds.items():
                with tempfile.TemporaryDirectory(dir=folder) as output:
                    samples.append(measured(_command(name, folder, Path(output) / "out")))
                    print(f"round {number + 1} of {given.rounds}: {name} {samples[-1]}", flush=True)
    return report(given.rows, rounds)


def _command(name: str, folder: Path, output: Path) -> list[str]:
    if name == "polars":
        return [str(polars_python()), str(HERE / "large_polars.py"), str(folder / "task.json"), str(folder / "rows.parquet"), str(output)]
    options = ["--data", str(folder / "rows.parquet"), "--output", str(output), "--specification", str(folder / "specification.json")]
    return [sys.executable, str(STEPS / "prepare.py"), *options]


def measured(command: Sequence[str]) -> dict[str, float]:
    """What a process took. `load`: processes that wanted a CPU meanwhile, this one included, by the system's average of a minute."""
    before, begun, loads = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), [os.getloadavg()[0]]
    peaks = {"peak_mib": 0.0, "anonymous_mib": 0.0, "mapped_mib": 0.0}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            for key, mib in _memory(process.pid).items():
                peaks[key] = max(peaks[key], mib)
            loads.append(os.getloadavg()[0])
            time.sleep(_SAMPLE_SECONDS)
    if process.returncode:
        raise SystemExit(f"{command[1]} failed; its own words are above")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    taken = {"seconds": time.perf_counter() - begun, "cpu_seconds": cpu, "load": statistics.mean(loads), **peaks}
    return {key: round(value, 1) for key, value in taken.items()}


def _memory(pid: int) -> dict[str, float]:
    """Of a process and those that it started. What they share is counted once: source of the fields, proc(5), /proc/pid/smaps_rollup."""
    found = {"peak_mib": 0.0, "anonymous_mib": 0.0, "mapped_mib": 0.0}
    names = {"Pss": "peak_mib", "Pss_Anon": "anonymous_mib", "Pss_File": "mapped_mib"}
    with contextlib.suppress(psutil.NoSuchProcess, OSError):  # one has ended
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            for line in Path(f"/proc/{one.pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]:
                name, size, _ = line.replace(":", " ").split()
                if name in names:
                    found[names[name]] += float(size) / 1024
    return found


def polars_python() -> Path:
    environment = CACHE / "polars"
    python = environment / "bin" / "python"
    if not python.exists():
        print(f"installing {POLARS} into .cache/polars", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run([sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), POLARS], check=True)
    return python


def report(rows: int, rounds: dict[str, list[dict[str, float]]]) -> int:
    medians = {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in rounds.items()}
    print(f"\n{'':12}" + "".join(f"{key:>15}" for key in medians["template"]))
    for name, row in medians.items():
        print(f"{name:12}" + "".join(f"{value:15.1f}" for value in row.values()))
    document = {
        "machine": {**describe_machine(), "scheduling": scheduling(), "free_gib": round(psutil.virtual_memory().available / 2**30, 1)},
        "rows": rows,
        "columns": {"numeric": len(NUMERIC), "categorical": len(CATEGORIES)},
        "median": medians,
        "rounds": rounds,
    }
    RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    slower = "polars" in medians and medians["template"]["seconds"] > medians["polars"]["seconds"]
    return int(slower or medians["template"]["peak_mib"] >= MOST_MIB)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
