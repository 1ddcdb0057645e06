"""Where the steps of a kind of pipeline are, and a way to load one of the tabular ones.

They import their siblings by bare name, as they do in the container. So the data is checked, packed and measured here by the very
code that does it in the pipeline.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from settings_schema.steps import PIPELINES

STEPS = PIPELINES / "tabular" / "steps"


def folder(kind: str) -> Path:
    return PIPELINES / kind / "steps"


def load(name: str) -> ModuleType:
    sys.path.insert(0, str(STEPS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(STEPS))
