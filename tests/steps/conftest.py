"""The scripts as a container sees them: their folder is on the path, and nothing of the project is."""

from __future__ import annotations

import sys
from pathlib import Path

STEPS = Path(__file__).resolve().parents[2] / "pipelines" / "tabular" / "steps"
sys.path.insert(0, str(STEPS))
