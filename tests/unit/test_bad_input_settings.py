"""A slip in settings.py is one line that names the field, whichever command reads it, and nothing is made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from settings import Algorithm, Categorical, Environment, Facet, Project, Range, Schedule, SettingsError, Tuning
from settings_rules import is_cron
from tests.unit.test_settings import data_set

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    ["app.py"],
    ["-m", "infra.endpoint"],
    ["-m", "build_scripts.run_pipeline"],
    ["-m", "deploy_scripts.status"],
    ["-m", "deploy_scripts.load_test"],
    ["-m", "local_account.demo"],
    ["-m", "capacity"],
]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tuning(trials="4"), "Tuning.trials is '4'; allowed: a whole number"),
        (lambda: Tuning(trials=4.5), "Tuning.trials is 4.5; allowed: a whole number"),
        (lambda: Tuning(early_stopping="no"), "Tuning.early_stopping is 'no'; allowed: True or False"),
        (lambda: Tuning(trails=4), "Tuning has no field 'trails'; allowed: strategy, trials, parallel_trials, early_stopping, seed"),
        (lambda: Project(), "Project.name is missing; allowed: text"),
        (lambda: Project(name=None), "Project.name is None; allowed: text"),
        (lambda: Project(name="ok", log_retention_days=True), "Project('ok').log_retention_days is True; allowed: a whole number"),
        (lambda: Project(name="ok", region="mars"), "Project.region is 'mars'; allowed: None, or a region such as eu-west-1"),
        (lambda: Project(name="ok", notification_email="me"), "Project.notification_email is 'me'; allowed: None, or an e-mail address"),
        (lambda: Environment(name="x", instance_type="ml.nope"), "Environment('x').instance_type is 'ml.nope'; allowed: a SageMaker type"),
        (lambda: Environment(name="x", rollout="CANARY"), "Environment('x').rollout is 'CANARY'; allowed: Rollout(...)"),
        (
            lambda: Environment(name="x", request_routing="PREFIX_AWARE"),
            "Environment('x').request_routing is 'PREFIX_AWARE'; allowed: RequestRouting.RANDOM | RequestRouting.LEAST_OUTSTANDING",
        ),
        (lambda: Categorical(name="sex", values="FIM"), "Categorical('sex').values is 'FIM'; allowed: a tuple of text, written (a, b)"),
        (lambda: Categorical(name="c", values=()), "Categorical('c').values is (); allowed: at least one category, or None for any"),
        (
            lambda: Categorical(name="c", values=("5", "4.0", "4")),
            "Categorical('c').values is ('4.0', '4'); allowed: different categories; both are read as '4'",
        ),
        (lambda: Categorical(name="c", values=("True", "TRUE")), "Categorical('c').values is ('True', 'TRUE'); allowed: different"),
        (lambda: Categorical(name="c", values=("a", " NA")), "Categorical('c').values is ' NA', which is read as a missing value"),
        (lambda: Facet(column="c", disadvantaged=""), "Facet('c').disadvantaged is '', which is read as a missing value"),
        (lambda: data_set(problem="regression"), "DataSet('small').problem is 'regression'; allowed: Problem.REGRESSION | Problem.BINARY"),
        (lambda: data_set(threshold="2.4"), "DataSet('small').threshold is '2.4'; allowed: a number"),
        (lambda: data_set(threshold=float("nan")), "DataSet('small').threshold is nan; allowed: a number"),
        (lambda: data_set(categorical=Categorical(name="c")), "DataSet('small').categorical is Categorical(name='c', values=None)"),
        (
            lambda: data_set(categorical=(Categorical(name="c", values=("a", "b")),), facet=Facet(column="c", disadvantaged="z")),
            "DataSet('small').facet.disadvantaged is 'z'; allowed: one of ('a', 'b')",
        ),
        (lambda: Algorithm(name="linear", tuned={"l2": (0.1, 1)}), "Algorithm('linear').tuned is {'l2': (0.1, 1)}; allowed: a dictionary"),
        (
            lambda: Algorithm(name="linear", fixed={"l2": 1}, tuned={"l2": Range(low=0, high=1)}),
            "Algorithm('linear').tuned is ['l2']; allowed: hyperparameters that are not in .fixed as well",
        ),
        (lambda: Schedule(name="s", cron="99 7 ? * MON *", min_capacity=1, max_capacity=2), "Schedule('s').cron is '99 7 ? * MON *'"),
    ],
)
def test_a_wrong_name_or_type_is_one_line_that_says_what_is_allowed(make, message):
    with pytest.raises(SettingsError) as refusal:
        make()
    assert str(refusal.value).startswith(f"settings.py: {message}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "cron",
    [
        "0 7 ? * MON-FRI *",
        "0/15 * * * ? *",
        "*/5 8-17 ? * 2-6 2026",
        "0 3 L * ? *",
        "0 3 15W * ? *",
        "0 3 ? JAN,JUL 3#2 *",
        "0 0 1,15 * ? *",
    ],
)
def test_cron_expressions_of_the_aws_guide_are_allowed(cron):
    assert is_cron(cron)


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "* * * * *",
        "60 7 ? * MON *",
        "0 24 ? * MON *",
        "0 7 ? * XXX *",
        "0 7 32 * ? *",
        "0 7 * * MON *",
        "0 7 ? * ? *",
        "0/0 7 ? * MON *",
        "0 7 ? 13 MON *",
        "0 7 ? * MON 1969",
        "0 17-8 ? * MON *",
        "0/ 7 ? * MON *",
        "a 7 ? * MON *",
    ],
)
def test_cron_expressions_that_aws_refuses_are_refused(cron):
    assert not is_cron(cron)


def checkout_with(folder: Path, more: str) -> Path:
    """This project with something added to its settings, whatever else they say."""
    for name in ("infra", "pipelines", "build_scripts", "deploy_scripts", "local_account", "capacity"):
        (folder / name).symlink_to(ROOT / name)
    for path in (ROOT / "cdk.json", *ROOT.glob("*.py")):
        (folder / path.name).write_bytes(path.read_bytes())
    settings = (ROOT / "settings.py").read_text(encoding="utf-8")
    (folder / "settings.py").write_text(f"{settings}\n{more}\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def broken_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of no trials."""
    return checkout_with(tmp_path_factory.mktemp("checkout"), "TUNING = Tuning(trials=0)")


@pytest.mark.parametrize(
    ("slip", "said"), [("TUNING = Tuning(trials=2", "'(' was never closed"), ("TUNING = Tuning(seed=true)", "name 'true' is not defined")]
)
def test_a_slip_in_python_is_one_line_with_its_number(tmp_path, slip, said):
    checkout = checkout_with(tmp_path, slip)
    line = (checkout / "settings.py").read_text(encoding="utf-8").splitlines().index(slip) + 1
    command = [sys.executable, "-m", "local_account", "--help"]
    result = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: settings.py line {line}: {said}") and result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[-1])
def test_every_command_names_the_field_and_leaves_nothing(broken_checkout, command):
    before = sorted(path.name for path in broken_checkout.iterdir() if path.name != "__pycache__")
    result = subprocess.run([sys.executable, *command], cwd=broken_checkout, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert result.stderr.splitlines() == ["error: settings.py: Tuning.trials is 0; allowed: 1 to 750"]
    assert result.stdout == ""
    assert sorted(path.name for path in broken_checkout.iterdir() if path.name != "__pycache__") == before
