"""The team's own serving image beside the managed image's server, one worker each, in one run.

    python -m benchmarks.lean_image [--rounds 5] [--seconds 4] [--source URL]

The managed image's own stack is that of benchmarks.serving.stack, which makes its environment: AWS's default path without a program, and
this template's program in it. The lean image's entry point serves the same version, with the packages of images/lean/requirements.lock.
First every row of the data is asked of both: status and body have to be the same bytes. Then each is asked as fast as it answers. Output:
a table, and benchmarks/results/lean_image.json. Exit code 1 where an answer differs, or where the lean image answers less than 8 times what
the default answers.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.serving import environment, stack
from benchmarks.serving import servers as stacks

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "lean_image.json"
IMAGE = ROOT / "images" / "lean"
LEAN = "lean image"
LEAST_RATIO = 8.0
ENTRY_POINT = "from serving.__main__ import server; server('127.0.0.1').serve()"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lean_image", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="of each server (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a round (default: %(default)s)")
    parser.add_argument("--source", default=environment.SOURCE, help="a clone of sagemaker-xgboost-container (default: %(default)s)")
    given = parser.parse_args(arguments)
    python = environment.environment(given.source) / "bin"
    packages = _packages(python)
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as running:
        folder = Path(temporary)
        folder.chmod(0o755)
        raw, ready = stack.version(folder)
        ours, default = (stacks.container(folder / name, python, program=name == "ours") for name in ("ours", "default"))
        servers = {
            stack.DEFAULT: running.enter_context(stacks.started(folder / "default", default, ready)),
            stack.OURS: running.enter_context(stacks.started(folder / "ours", ours, raw)),
            LEAN: running.enter_context(_lean(folder / "local", python, packages, raw)),
        }
        rows = raw.splitlines()
        different = [row for row in rows if answer(servers[LEAN].port, row) != answer(servers[stack.OURS].port, row)]
        print(f"{len(rows)} rows asked of both: {len(different)} answers differ{f', the first of {different[0]}' if different else ''}")
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
        for server in servers.values():
            server.measure(1)
        for turn in range(given.rounds):
            for name in sorted(servers, reverse=bool(turn % 2)):
                rounds[name].append(servers[name].measure(given.seconds))
    return max(_report(rounds, len(rows), len(different)), int(bool(different)))


def _packages(python: Path) -> Path:
    """Those of the image's lock, as its Dockerfile installs them, once."""
    lock = IMAGE / "requirements.lock"
    folder = python.parent / f"lean-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not folder.is_dir():
        options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "--no-deps"]
        subprocess.run([str(python / "python"), "-m", "pip", "install", *options, "--target", str(folder), "-r", str(lock)], check=True)
    return folder


@contextlib.contextmanager
def _lean(folder: Path, python: Path, packages: Path, bodies: str) -> Iterator[stacks.Server]:
    """The entry point, of this machine alone."""
    port, log = stacks.free_port(), folder.with_suffix(".log")
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{IMAGE}:{packages}",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": str(folder / "code"),
        "SM_MODEL_DIR": str(folder),
        **stacks.SPEAKING,
    }
    with log.open("wb") as written:
        process = subprocess.Popen([str(python / "python"), "-c", ENTRY_POINT], env=environ, cwd=folder, stdout=written, stderr=written)
    with stacks.running(stacks.Server(port, process, bodies), log) as server:
        yield server


def answer(port: int, row: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/invocations", row, {"Content-Type": "text/csv", "Accept": "application/json"})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def _report(rounds: Mapping[str, list[dict[str, float]]], rows: int, different: int) -> int:
    medians = {name: {what: statistics.median(one[what] for one in found) for what in found[0]} for name, found in rounds.items()}
    print("server | requests a second | us of processor time of a request, all processes")
    for name, found in medians.items():
        print(f"{name:25} | {found['requests_per_second']:8.0f} | {found['worker'] + found['nginx']:8.0f}")
    ratio = medians[LEAN]["requests_per_second"] / medians[stack.DEFAULT]["requests_per_second"]
    print(f"the lean image answers {ratio:.2f} times what the default answers (promised: {LEAST_RATIO})")
    document = {"machine": describe_machine(), "ratio": ratio, "rows": rows, "different": different, "rounds": rounds}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return int(ratio < LEAST_RATIO)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
