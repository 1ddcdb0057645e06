"""A team renames the project, brings its own data and removes what it does not need: its builds' tests must not mind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_SOURCE = shutil.ignore_patterns(".git", ".venv", "node_modules", "cdk.out", "out", "__pycache__", ".*_cache", ".hypothesis")
#: Set again after everything else, so that any part of the shipped values may change without this test.
OWN_VALUES = """

DATASET = DataSet(
    name="churn",
    problem=Problem.BINARY,
    target="left",
    positive_class="1",
    identifier="customer",
    numeric=(Numeric(name="age"),),
    categorical=(Categorical(name="plan"),),
    metric="f1",
    threshold=0.6,
)
PREPARATION = Preparation(normalisation="robust", max_categories=5)
ALGORITHMS = (Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.1, high=1.0)}),)
TUNING = Tuning(trials=2, strategy="Bayesian")
GATE = Gate(min_disparate_impact=None)
PROJECT = Project(name="churn", region="eu-west-1", in_vpc=True, retrain_cron=None)
STAGING = Environment(name="test")
PRODUCTION = Environment(name="live", p99_latency_ms=200)
ENVIRONMENTS = (STAGING, PRODUCTION)
"""


def test_the_tests_of_a_build_pass_with_a_team_s_own_settings(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(ROOT, clone, ignore=NOT_SOURCE)
    with (clone / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write(OWN_VALUES)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "tests/unit", "-p", "no:cacheprovider", "-x"]
    ended = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout
