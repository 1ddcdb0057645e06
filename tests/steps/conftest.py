"""The scripts as a container sees them: their folder is on the path, and nothing of the project is."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

STEPS = Path(__file__).resolve().parents[2] / "pipelines" / "tabular" / "steps"
sys.path.insert(0, str(STEPS))

# How long an example takes says nothing on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
