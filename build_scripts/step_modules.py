"""Where the steps of a kind of pipeline are, and a way to load one of them.

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


def load(name: str, kind: str = "tabular") -> ModuleType:
    """`kind` monitoring: its steps are shipped together with the tabular ones, which they import."""
    folders = list(dict.fromkeys([str(STEPS), str(folder(kind))]))
    sys.path[:0] = folders
    try:
        return importlib.import_module(name)
    finally:
        for each in folders:
            sys.path.remove(each)
