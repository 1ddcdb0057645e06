"""The scripts as a container sees them: their folders are on the path, and nothing of the project is."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
sys.path[:0] = [str(PIPELINES / folder / "steps") for folder in ("monitoring", "tabular")]

# How long an example takes says nothing on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
