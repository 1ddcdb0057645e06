"""Runs a script as a process of its own whose packages are imported already: a journey is many scripts, and most of their time is imports.

Output: what `subprocess.run` gives. Drawing a report's pictures takes longer than all else that a script does: it is left out, unless asked
for. Where the system cannot fork safely (macOS), it is `subprocess.run`.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

#: What the image's scripts import, from the first step to the report.
_PACKAGES = ["numpy", "pandas", "pyarrow.parquet", "scipy.stats", "sklearn.linear_model", "sklearn.metrics", "xgboost", "matplotlib.pyplot"]
_TIMEOUT_SECONDS = 120
_IN_THE_CHILD = "child"


def run(script: Path, arguments: Sequence[str], environment: Mapping[str, str], *, draws: bool = False) -> subprocess.CompletedProcess[str]:
    """Raises subprocess.TimeoutExpired, having ended the process."""
    command = [str(script), *arguments]
    if sys.platform == "darwin":
        started = [sys.executable, *command]
        return subprocess.run(started, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, env=dict(environment), check=False)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        texts = [Path(folder) / name for name in ("output", "errors")]
        # By path: a fresh process cannot import the modules of a test run.
        request = {"command": command, "environment": dict(environment), "texts": texts, "draws": draws}
        process = context.Process(target=runpy.run_path, args=(__file__, request, _IN_THE_CHILD))
        process.start()
        process.join(_TIMEOUT_SECONDS)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired(command, _TIMEOUT_SECONDS)
        assert process.exitcode is not None
        return subprocess.CompletedProcess(command, process.exitcode, *(text.read_text(encoding="utf-8") for text in texts))


def _become(command: list[str], environment: dict[str, str], texts: list[Path], draws: bool) -> None:
    """In the child: the script as `python SCRIPT ARGUMENTS` would run it."""
    for number, text in enumerate(texts, start=1):
        os.dup2(os.open(text, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = command
    sys.path[0] = str(Path(command[0]).parent)
    if not draws:
        charts = importlib.import_module("evaluation.charts")
        charts.as_svg = lambda title, draw, size=None: f"<svg><title>{title}</title></svg>"  # type: ignore[attr-defined]
    runpy.run_path(command[0], run_name="__main__")


if __name__ == _IN_THE_CHILD:
    _become(*(globals()[name] for name in ("command", "environment", "texts", "draws")))
