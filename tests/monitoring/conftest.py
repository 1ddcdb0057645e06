"""The scripts of monitoring as a container sees them: one folder with those of training, and nothing of the project."""

from __future__ import annotations

import sys
from pathlib import Path

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
for folder in ("tabular", "monitoring"):
    sys.path.insert(0, str(PIPELINES / folder / "steps"))
