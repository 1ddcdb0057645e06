"""Guards a Python process that a guarded process started (`opt_ml.py`): Python imports this module when it begins.

An environment's own `sitecustomize` comes afterwards.
"""

import contextlib
import importlib.util
import sys
from pathlib import Path

_HERE = str(Path(__file__).parent)

_specification = importlib.util.spec_from_file_location("opt_ml", Path(__file__).parents[1] / "opt_ml.py")
if _specification and _specification.loader:
    _module = importlib.util.module_from_spec(_specification)
    _specification.loader.exec_module(_module)
    _module.guard()
sys.path[:] = [path for path in sys.path if path != _HERE]
del sys.modules["sitecustomize"]
with contextlib.suppress(ImportError):
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401 - imported for what it does
