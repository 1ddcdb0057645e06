"""The scripts as the monitoring job sees them: beside those that train and serve, and nothing of the project is on the path."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
for steps in (PIPELINES / "tabular" / "steps", PIPELINES / "monitoring" / "steps"):
    if str(steps) not in sys.path:
        sys.path.insert(0, str(steps))

# How long an example takes says nothing on a busy machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
