"""The server of the managed image with one worker, as this machine runs it: AWS's default path and this template's program, in turn.

    python -m benchmarks.serving.stack [--rounds 5] [--seconds 4] [--source URL]

nginx, gunicorn with gevent, Flask and sagemaker-containers, from public source (environment.py). AWS's default serves the version's
booster without a program, from rows that are prepared; this template serves the version from raw rows, with its live metrics and ids, as
its stack starts it. The local account's instance of the same version is beside them, without the account around it. Every request has one
row, and all rows of the data come in turn. Output: a table, and benchmarks/results/serving_stack.json. Exit code 1 if the program answers
less than 1.4 times what the default answers.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.registered import registered_abalone
from benchmarks.serving import environment
from benchmarks.serving.servers import SPEAKING, container, local_instance, started
from build_scripts.step_modules import load

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results" / "serving_stack.json"
LEAST_RATIO = 1.4
DEFAULT, OURS, LOCAL = "AWS's default", "this program", "local account's instance"
SILENT = "this program without live metrics"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.stack", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="of each server (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a round (default: %(default)s)")
    parser.add_argument("--source", default=environment.SOURCE, help="a clone of sagemaker-xgboost-container (default: %(default)s)")
    given = parser.parse_args(arguments)
    python = environment.environment(given.source) / "bin"
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as running:
        folder = Path(temporary)
        folder.chmod(0o755)  # nginx's workers are another user's
        raw, ready = version(folder)
        ours, default = container(folder / "ours", python, program=True), container(folder / "default", python, program=False)
        servers = {
            DEFAULT: running.enter_context(started(folder / "default", default, ready)),
            OURS: running.enter_context(started(folder / "ours", ours, raw)),
            LOCAL: running.enter_context(local_instance(folder / "local", raw)),
        }
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
        for server in servers.values():
            server.measure(1)
        for turn in range(given.rounds):
            for name in sorted(servers, reverse=bool(turn % 2)):
                rounds[name].append(servers[name].measure(given.seconds))
        silent = {name: value for name, value in ours.items() if name not in SPEAKING}
        asked = {DEFAULT: (default, ready), OURS: (ours, raw), SILENT: (silent, raw)}
        inside = {name: _inside(python, variables, bodies) for name, (variables, bodies) in asked.items()}
    return _report(rounds, inside)


def version(folder: Path) -> tuple[str, str]:
    """Lays out /opt/ml of three servers; bodies of raw rows and of the same rows prepared."""
    with registered_abalone() as registered, tarfile.open(fileobj=io.BytesIO(registered.archive)) as archive:
        archive.extractall(folder / "ours" / "ml" / "model", filter="data")
        table = registered.data.read_text(encoding="utf-8").splitlines()
    shutil.copytree(folder / "ours" / "ml" / "model", folder / "local")
    (folder / "default" / "ml" / "model").mkdir(parents=True)
    shutil.copy(folder / "local" / "model.ubj", folder / "default" / "ml" / "model")
    algorithm = json.loads((folder / "local" / "version.json").read_text(encoding="utf-8"))["algorithm"]
    load(f"algorithms.{algorithm}")  # with what it imports from the steps' folder
    served = load("served").load(folder / "local")
    header = table[0].split(",")
    rows = [[cells[header.index(name)] for name in served.features] for cells in (line.split(",") for line in table[1:])]
    matrix = served.prepare(*load("request_columns").columns(rows, served))
    return _lines(rows), _lines(np.asarray(matrix, dtype=np.float64).tolist())


def _lines(rows: Sequence[Sequence[Any]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def _inside(python: Path, variables: Mapping[str, str], bodies: str) -> dict[str, float]:
    command = [str(python / "python"), str(HERE / "profile_request.py"), "4000"]
    profiled = subprocess.run(command, env=dict(variables), input=bodies, capture_output=True, text=True, check=False)
    if profiled.returncode:
        raise SystemExit(profiled.stderr[-2000:])
    found: dict[str, float] = json.loads(profiled.stdout)
    return found


def _report(rounds: Mapping[str, list[dict[str, float]]], inside: Mapping[str, Mapping[str, float]]) -> int:
    medians = {name: {what: statistics.median(one[what] for one in found) for what in found[0]} for name, found in rounds.items()}
    print("server | requests a second | us of processor time of a request: worker | nginx")
    for name, found in medians.items():
        print(f"{name:34} | {found['requests_per_second']:6.0f} | {found['worker']:6.0f} | {found['nginx']:6.0f}")
    print("within the worker, us | application | program | program, 10,000 rows")
    for name, within in inside.items():
        print(f"{name:34} | {' | '.join(f'{value:9.1f}' for value in within.values())}")
    ratio = medians[OURS]["requests_per_second"] / medians[DEFAULT]["requests_per_second"]
    print(f"this program answers {ratio:.2f} times what the default answers (promised: {LEAST_RATIO})")
    document = {"machine": describe_machine(), "ratio": ratio, "inside": inside, "rounds": rounds}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return int(ratio < LEAST_RATIO)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
