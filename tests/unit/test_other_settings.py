"""A team changes every value that it may: its builds' tests, its definitions and its templates must not mind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough  # a build's tests, for each team

ROOT = Path(__file__).resolve().parents[2]
NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "cdk.out", "out", "__pycache__", ".cache", ".*_cache", ".hypothesis", "models"
)

PRICES = 'PRICES = Prices(region="eu-west-1", as_of="2026-03", source="ours", usd_per_hour={"ml.c5.xlarge": 0.3})'
#: One model, of several classes, batch only; everything in one account, the code on GitHub.
ONE_MODEL = {
    "settings.py": f"""
from settings_schema import CodeConnection, Environment, Prices, Project

PROJECT = Project(
    name="eu-churn", branch="trunk", notification_email="us@example.com", log_retention_days=30, retain_data=False, in_vpc=True
)
ENVIRONMENTS = (Environment(name="test", in_vpc=True), Environment(name="live-eu"))
SOURCE = CodeConnection(
    connection_arn="arn:aws:codeconnections:eu-west-1:111122223333:connection/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f", repository="we/churn"
)
{PRICES}
""",
    "models/kinds_of_leaving.py": """
from settings_schema import (
    Algorithm, Batch, Categorical, DataSet, Gate, Model, Numeric, Preparation, Problem, Range, Retraining, Split, Tuning
)

MODEL = Model(
    data=DataSet(
        problem=Problem.MULTICLASS,
        target="left",
        identifier="customer",
        numeric=(Numeric(name="age"),),
        categorical=(Categorical(name="plan"), Categorical(name="größe", values=("s", "m"))),
        metric="macro_f1",
        threshold=0.3,
    ),
    preparation=Preparation(
        split=Split(salt="ours", validation=0.2, test=0.1),
        outlier_rule="quantile",
        outlier_factor=2.0,
        outlier_action="drop",
        numeric_imputation="mean",
        missing_indicators=False,
        normalisation="robust",
        max_categories=5,
        balance_classes=True,
        reweigh_facet=False,
        select_features=3,
    ),
    algorithms=(Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.1, high=1.0)}),),
    tuning=Tuning(strategy="Bayesian", trials=3, parallel_trials=1, early_stopping=False, seed=1),
    gate=Gate(
        champion_significance=0.1,
        constant_significance=None,
        every_class_predicted=False,
        compare_with_linear=False,
        max_calibration_error=None,
        max_difference_in_proportions=None,
        min_disparate_impact=None,
        max_equal_opportunity_difference=0.5,
    ),
    serving={
        "test": Batch(cron=None, on_upload=True, instance_type="ml.c5.xlarge", instance_count=2),
        "live-eu": Batch(cron="0 5 ? * MON *", time_zone="America/Lima", on_upload=False),
    },
    retraining=Retraining(cron=None, on_new_data=False, on_drift=False),
)
""",
}
_REGRESSION = """
from settings_schema import Algorithm, DataSet, Endpoint, Model, Numeric, Problem, Range, Retraining

MODEL = Model(
    data=DataSet(problem=Problem.REGRESSION, target="y", numeric=(Numeric(name="x", minimum=-1),), metric="r2", threshold=-1.0),
    algorithms=(Algorithm(name="random_forest", fixed={"num_round": 1}, tuned={"max_depth": Range(low=2, high=3)}),),
    serving={
        "a": Endpoint(data_capture_percent=0, p99_latency_ms=50, server_error_percent=5.0),
        "b": Endpoint(instance_type="ml.c5.large"),
    },
    retraining=Retraining(cron="0 1 1 * ? *", time_zone="Asia/Tokyo"),
)
"""
_BINARY = """
from pipelines.tabular.competitors import COMPETITORS
from settings_schema import (
    Autoscaling, Categorical, DataSet, Endpoint, Facet, Model, Numeric, Problem, RequestRouting, Rollout, Routing, TargetTracking
)

MODEL = Model(
    data=DataSet(
        problem=Problem.BINARY,
        target="paid",
        positive_class="1",
        numeric=(Numeric(name="income"),),
        categorical=(Categorical(name="group", values=("a", "b")),),
        facet=Facet(column="group", disadvantaged="a"),
        metric="f1",
        threshold=0.6,
    ),
    algorithms=COMPETITORS[:2],
    serving={
        "a": Endpoint(request_routing=RequestRouting.RANDOM),
        "b": Endpoint(
            initial_instance_count=3,
            rollout=Rollout(routing=Routing.LINEAR, step_percent=20, bake_seconds=0, termination_wait_seconds=0),
            autoscaling=Autoscaling(
                min_capacity=3, max_capacity=4, target_tracking=TargetTracking(max_rps_per_instance=7, safety=0.9), step_scaling=None
            ),
        ),
    },
)
"""
#: Three models, two of which have names that begin alike; the environments in accounts and regions of their own.
THREE_MODELS = {
    "settings.py": f"""
from settings_schema import CodeCommit, Environment, Prices, Project

PROJECT = Project(name="zz", account="111122223333", region="eu-west-1")
ENVIRONMENTS = (
    Environment(name="a", account="222233334444", region="eu-west-1"),
    Environment(name="b", account="333344445555", region="us-west-2", protected=True),
)
SOURCE = CodeCommit()
{PRICES}
""",
    "models/fish.py": _REGRESSION,
    "models/fish_large.py": _REGRESSION.replace('target="y"', 'target="weight"'),
    "models/loans.py": _BINARY,
}


def clone_of(team: dict[str, str], folder: Path) -> Path:
    """This project with other values, and no model of those that ship."""
    shutil.copytree(ROOT, folder, ignore=NOT_SOURCE)
    (folder / "models").mkdir()
    for name, text in team.items():
        (folder / name).write_text(text.lstrip(), encoding="utf-8")
    return folder


def runs(clone: Path, *command: str, **variables: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))} | variables
    ended = subprocess.run([sys.executable, *command], cwd=clone, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"


@pytest.mark.parametrize("team", [ONE_MODEL, THREE_MODELS], ids=["one model", "three models"])
def test_the_tests_of_a_build_pass(team: dict[str, str], tmp_path: Path) -> None:
    clone = clone_of(team, tmp_path / "clone")
    left_out = ["--ignore-glob=*journey.py", "-m", "not thorough"]
    runs(clone, "-m", "pytest", "tests/unit", "tests/steps", *left_out, "-p", "no:cacheprovider", "-x")


def test_the_definitions_and_the_templates_are_made(tmp_path: Path) -> None:
    clone = clone_of(THREE_MODELS, tmp_path / "clone")
    place = {
        "AWS_REGION": "eu-west-1",
        "ARTIFACT_BUCKET": "artifacts",
        "DATA_BUCKET": "data",
        "KMS_KEY_ARN": "arn:aws:kms:eu-west-1:111122223333:key/1",
        "VPC_SUBNET_IDS": "subnet-1",
        "VPC_SECURITY_GROUP_IDS": "sg-1",
    }
    runs(clone, "-m", "build_scripts.define_pipeline", **place)
    models = {file.stem.replace("_", "-") for file in (clone / "models").glob("*.py")}
    assert {file.stem for file in (clone / "out" / "definitions").iterdir()} == models
    runs(clone, "app.py")
    runs(clone, "-m", "infra.serving")
