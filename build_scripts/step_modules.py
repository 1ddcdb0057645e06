"""Loads a module of `pipelines/tabular/steps/`, which import their siblings by bare name as they do in the container.

So the data is checked, packed and measured here by the very code that does it in the pipeline.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
STEPS = ROOT / "pipelines" / "tabular" / "steps"


def load(name: str) -> ModuleType:
    sys.path.insert(0, str(STEPS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(STEPS))
