"""Trains gradient boosting on ten million prepared rows in each way, and on two hosts of one core beside one host of one core.

    python -m benchmarks.large_training [--rows 10000000] [--rounds 20]

Each is a process of its own, one after the other, on the same shards; hosts of one job run side by side. Output: a table, and
benchmarks/results/large_training.json. Exit code 1 if a model differs from that of the dense rows in memory, if external memory takes
more than 1.2 GB (peak RSS), or if the hosts' models differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from build_scripts.step_modules import STEPS

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results" / "large_training.json"
MOST_MIB = 1.2e9 / 2**20


def run(folder: Path, way: str, rounds: int, *, hosts: int = 1, threads: int) -> list[dict[str, Any]]:
    """What each host took."""
    names, job, started = [f"algo-{number + 1}" for number in range(hosts)], uuid.uuid4().hex, []
    for name in names:
        own = {"SM_HOSTS": json.dumps(names), "SM_CURRENT_HOST": name, "TRAINING_JOB_NAME": job, "SM_NUM_CPUS": str(threads)}
        command = [sys.executable, str(HERE / "host.py"), str(STEPS), str(folder), way, str(rounds)]
        started.append(subprocess.Popen(command, env={**os.environ, **own}, stdout=subprocess.PIPE, text=True))
    answers = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f"{way} on {hosts} hosts failed")
    took = [json.loads(answer.splitlines()[-1]) for answer in answers]
    for name, host in zip(names, took, strict=True):
        memory = f"{host['peak_rss_mib']:8.0f}{host['peak_anonymous_mib']:11.0f}"
        print(
            f"{way:8}{threads:8}{name:>8}{host['seconds']:9.1f}{host['cpu_seconds']:9.1f}{memory}  {host['model_sha256'][:12]}", flush=True
        )
    return took


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_training", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="training rows (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="trees (default: %(default)s)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subprocess.run([sys.executable, str(HERE / "rows.py"), str(STEPS), str(folder), str(options.rows)], check=True)
        print(f"{'way':8}{'threads':>8}{'host':>8}{'seconds':>9}{'CPU s':>9}{'RSS MiB':>9}{'anon.':>9}  model")
        ways = {way: run(folder, way, options.rounds, threads=2)[0] for way in ("dense", "bins", "disk")}
        one = run(folder, "bins", options.rounds, threads=1)[0]
        two = run(folder, "bins", options.rounds, hosts=2, threads=1)
    ratio = max(host["seconds"] for host in two) / (one["seconds"] / 2)
    cpu_ratio = max(host["cpu_seconds"] for host in two) / (one["cpu_seconds"] / 2)
    print(f"\ntwo hosts of one core take {ratio:.2f} x half the time of one (processor time: {cpu_ratio:.2f} x)")
    sizes = {"rows": options.rows, "columns": 24, "rounds": options.rounds}
    load = [round(value, 1) for value in os.getloadavg()]
    document = {"machine": describe_machine(), "load": load, **sizes, "one_machine": ways, "one_core": one, "two_hosts_of_one_core": two}
    document |= {"two_hosts_to_half_of_one": ratio, "two_hosts_to_half_of_one_cpu": cpu_ratio}
    RESULTS.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    same = {host["model_sha256"] for host in [*ways.values(), one]}
    return int(len(same) > 1 or len({host["model_sha256"] for host in two}) > 1 or ways["disk"]["peak_rss_mib"] > MOST_MIB)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
