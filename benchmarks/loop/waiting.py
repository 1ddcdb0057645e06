"""Measures one thing that a person waits for, once: a command to its end, the demo with its stages, an account until it answers.

Output: `Run`s. A command that fails ends the benchmark with what it printed last: a failure is no measurement.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """`value` in seconds, or MB where the name says so; `cpu_seconds` of the command with all that it started and waited for."""

    name: str
    value: float
    cpu_seconds: float | None
    load_average: float


def command(root: Path, name: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> list[Run]:
    """Seconds until the command has ended. Raises SystemExit with its last lines if it fails. `environment`: what it has besides ours."""
    load, cpu, started = os.getloadavg()[0], _cpu_of_children(), time.monotonic()
    both = {**os.environ, **(environment or {})}
    finished = subprocess.run(arguments, cwd=root, env=both, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    seconds = time.monotonic() - started
    if finished.returncode:
        raise SystemExit(f"error: {name} failed:\n" + "\n".join(finished.stdout.splitlines()[-15:]))
    return [Run(name, seconds, _cpu_of_children() - cpu, load)]


def demo(root: Path, directory: Path, *models: str, environment: Mapping[str, str] | None = None) -> list[Run]:
    """The whole demo of all models; of one that is named also what it waits for: from the push, and from the approval."""
    told = [word for model in models for word in ("--model", model)]
    name = "whole_demo" if not models else f"demo of {models[0]}"
    whole = command(root, name, [sys.executable, "-m", "demo", "--out", str(directory), *told], environment)[0]
    measured = json.loads((directory / "timings.json").read_text(encoding="utf-8"))["measured_seconds"]
    parts = [(part, seconds) for model in models for part, seconds in measured["models"][model].items()]
    parts += [] if models else [("until_it_scales", measured["until_it_scales"])]
    return [whole, *(Run(part, seconds, None, whole.load_average) for part, seconds in parts)]


def ready(root: Path, state: Path) -> list[Run]:
    """Seconds until the local account answers, and the memory that it and its children have then."""
    shutil.rmtree(state, ignore_errors=True)
    load, started = os.getloadavg()[0], time.monotonic()
    account = subprocess.Popen(
        [sys.executable, "-m", "local_account", "--port", "0", "--state", str(state)], cwd=root, stdout=subprocess.DEVNULL
    )
    try:
        while not (state / "account.json").exists():  # written when requests are answered
            if account.poll() is not None or time.monotonic() - started > _PATIENCE_SECONDS:
                raise SystemExit("error: the local account did not start")
            time.sleep(0.005)
        seconds = time.monotonic() - started
        process = psutil.Process(account.pid)
        used = process.cpu_times()
        megabytes = sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e6
    finally:
        account.terminate()
        account.wait()
    return [Run("account ready", seconds, used.user + used.system, load), Run("account MB", megabytes, None, load)]


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
