"""A synthesis needs no home folder: it may be read-only, or not be there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("program", ["import app", "import infra.serving.__main__"])
def test_the_app_starts_without_a_home_that_can_be_written(tmp_path, program):
    """A file in the place of a folder can be written into by nobody, root included."""
    (tmp_path / "file").write_text("")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JSII_RUNTIME")}
    environment = {**inherited, "HOME": str(tmp_path / "file" / "home"), "PYTHONPATH": str(ROOT)}
    finished = subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
