"""A slip in what a team writes is one line that names the field, whichever command reads it, and nothing is made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from settings_schema import (
    Algorithm,
    Blend,
    Categorical,
    Choice,
    Endpoint,
    Facet,
    Gate,
    Monitoring,
    Numeric,
    Project,
    Range,
    Schedule,
    SettingsError,
    Tuning,
)
from settings_schema.errors import UNREADABLE, stop
from settings_schema.reading import read
from settings_schema.times import is_cron
from tests.example_models import ABALONE
from tests.unit.test_reading import MODEL, SETTINGS
from tests.unit.test_settings import binary, data_set

ROOT = Path(__file__).resolve().parents[2]
LINEAR = Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.1, high=1)})
COMMANDS = [
    ["app.py"],
    ["-m", "infra.serving"],
    ["-m", "build_scripts.run_pipeline"],
    ["-m", "deploy_scripts.status"],
    ["-m", "deploy_scripts.load_test"],
    ["-m", "demo"],
    ["-m", "demo.local"],
    ["-m", "deploy_scripts.capacity_plan"],
]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tuning(trials="4"), "Tuning.trials is '4'; allowed: a whole number"),
        (lambda: Tuning(trials=4.5), "Tuning.trials is 4.5; allowed: a whole number"),
        (lambda: Tuning(early_stopping="no"), "Tuning.early_stopping is 'no'; allowed: True or False"),
        (
            lambda: Tuning(trails=4),
            "Tuning has no field 'trails'; allowed: strategy, trials, parallel_trials, max_minutes, early_stopping, seed",
        ),
        (lambda: Project(), "Project.name is missing; allowed: text"),
        (lambda: Project(name=None), "Project.name is None; allowed: text"),
        (lambda: Project(name="ok", log_retention_days=True), "Project('ok').log_retention_days is True; allowed: a whole number"),
        (lambda: Project(name="ok", region="mars"), "Project('ok').region is 'mars'; allowed: None, or a region such as eu-west-1"),
        (
            lambda: Project(name="ok", notification_email="me"),
            "Project('ok').notification_email is 'me'; allowed: None, or an e-mail address",
        ),
        (lambda: Endpoint(instance_type="ml.nope"), "Endpoint.instance_type is 'ml.nope'; allowed: a SageMaker type"),
        (lambda: Endpoint(rollout="CANARY"), "Endpoint.rollout is 'CANARY'; allowed: Rollout(...)"),
        (
            lambda: Endpoint(request_routing="PREFIX_AWARE"),
            "Endpoint.request_routing is 'PREFIX_AWARE'; allowed: RequestRouting.RANDOM | RequestRouting.LEAST_OUTSTANDING",
        ),
        (lambda: Categorical(name="sex", values="FIM"), "Categorical('sex').values is 'FIM'; allowed: None, or a tuple of text"),
        (lambda: Categorical(name="c", values=()), "Categorical('c').values is (); allowed: at least one category, or None for any"),
        (
            lambda: Categorical(name="c", values=("5", "4.0", "4")),
            "Categorical('c').values is ('4.0', '4'); allowed: different categories; both are read as '4'",
        ),
        (lambda: Categorical(name="c", values=("True", "TRUE")), "Categorical('c').values is ('True', 'TRUE'); allowed: different"),
        (lambda: Categorical(name="c", values=("a", " NA")), "Categorical('c').values is ' NA', which is read as a missing value"),
        (
            lambda: Categorical(name="c", unlisted="other"),
            "Categorical('c').unlisted is 'other'; allowed: 'refuse' where values is None, which takes any category",
        ),
        (
            lambda: Categorical(name="c", values=("a",), unlisted="score"),
            "Categorical('c').unlisted is 'score'; allowed: 'refuse' | 'other'",
        ),
        (lambda: data_set(extra_in_requests=True), "DataSet.extra_in_requests is True; allowed: 'refuse' | 'ignore'"),
        (lambda: data_set(ignore="note"), "DataSet.ignore is 'note'; allowed: a tuple of text"),
        (lambda: data_set(ignore=("note", "x", "note")), "DataSet columns is ['note', 'x']; allowed: each column in one role only"),
        (lambda: Facet(column="c", disadvantaged=""), "Facet('c').disadvantaged is '', which is read as a missing value"),
        (lambda: data_set(problem="regression"), "DataSet.problem is 'regression'; allowed: Problem.REGRESSION | Problem.BINARY"),
        (lambda: data_set(threshold="2.4"), "DataSet.threshold is '2.4'; allowed: a number"),
        (lambda: data_set(threshold=float("nan")), "DataSet.threshold is nan; allowed: a number"),
        (lambda: data_set(categorical=Categorical(name="c")), "DataSet.categorical is Categorical(name='c', values=None"),
        (
            lambda: data_set(categorical=(Categorical(name="c", values=("a", "b")),), facet=Facet(column="c", disadvantaged="z")),
            "DataSet.facet.disadvantaged is 'z'; allowed: one of ('a', 'b')",
        ),
        (lambda: Algorithm(name="linear", tuned={"l2": (0.1, 1)}), "Algorithm('linear').tuned is {'l2': (0.1, 1)}; allowed: a dictionary"),
        (
            lambda: Algorithm(name="linear", fixed={"lambda": 1, "num_round": 1}, tuned={"lambda": Range(low=0, high=1)}),
            "Algorithm('linear').tuned is ['lambda']; allowed: hyperparameters that are not in .fixed as well",
        ),
        (
            lambda: Algorithm(name="linear", fixed={"num_round": 1}, tuned={"l2": Range(low=0, high=1)}),
            "Algorithm('linear').tuned is 'l2'; allowed: alpha, colsample_bylevel, colsample_bynode, colsample_bytree, eta, gamma, lambda",
        ),
        (
            lambda: Algorithm(name="linear", fixed={"num_round": 1, "trees": 9}, tuned={"lambda": Range(low=0, high=1)}),
            "Algorithm('linear').fixed is 'trees'; allowed: alpha, base_score",
        ),
        (
            lambda: Algorithm(name="linear", tuned={"lambda": Range(low=0, high=1)}),
            "Algorithm('linear').fixed is {}; allowed: with num_round, which the image wants; 1 where nothing is boosted",
        ),
        (
            lambda: Algorithm(name="forest", fixed={"num_round": 1}, tuned={"subsample": Range(low=0.0, high=1.0)}),
            "Algorithm('forest').tuned['subsample'] is (0.0, 1.0); allowed: more than 0 to 1",
        ),
        (
            lambda: Algorithm(name="forest", fixed={"num_round": 1}, tuned={"max_depth": Range(low=1.5, high=3.0)}),
            "Algorithm('forest').tuned['max_depth'] is (1.5, 3.0); allowed: whole numbers",
        ),
        (
            lambda: Numeric("age"),
            "Numeric('age') has a value without a name; allowed: each value by its name, Numeric(name='age'); it has name, unit, minimum",
        ),
        (lambda: Range(1, 2), "Range(1) has a value without a name; allowed: each value by its name, Range(low=1, high=2)"),
        (lambda: data_set(threshold=10**400), "DataSet.threshold is 1000"),
        (lambda: data_set(numeric={Numeric(name="x")}), "DataSet.numeric is {Numeric(name='x', unit='', minimum=None"),
        (lambda: data_set(numeric=("x",)), "DataSet.numeric is ('x',); allowed: a tuple of Numeric(...), written (a, b), or (a,)"),
        (lambda: data_set(threshold=-1.0), "DataSet.threshold is -1.0; allowed: at least 0, which is what rmse can be"),
        (lambda: data_set(metric="r2", threshold=1.5), "DataSet.threshold is 1.5; allowed: at most 1, which is what r2 can be"),
        (lambda: binary(metric="auc", threshold=7), "DataSet.threshold is 7.0; allowed: 0 to 1, which is what auc can be"),
        (
            lambda: binary(metric="accuracy", threshold=-1),
            "DataSet.threshold is -1.0; allowed: 0 to 1, which is what accuracy can be",
        ),
        (lambda: binary(metric="average_precision", threshold=1.01), "DataSet.threshold is 1.01; allowed: 0 to 1"),
        (lambda: binary(metric="log_loss", threshold=-0.1), "DataSet.threshold is -0.1; allowed: at least 0"),
        (
            lambda: binary(decision_metric="auc"),
            "DataSet.decision_metric is 'auc'; allowed: None, or one of accuracy, balanced_accuracy, f1, macro_f1",
        ),
        (lambda: data_set(decision_metric="f1"), "DataSet.decision_metric is 'f1'; allowed: None for regression"),
        (lambda: ABALONE.but(algorithms=[LINEAR]), "Model('abalone').algorithms is [Algorithm"),
        (lambda: ABALONE.but(algorithms=LINEAR), "Model('abalone').algorithms is Algorithm(name='linear'"),
        (lambda: ABALONE.but(algorithms=(LINEAR, "random_forest")), "Model('abalone').algorithms is (Algorithm"),
        (lambda: ABALONE.but(algorithms=(LINEAR, LINEAR)), "Model('abalone').algorithms is ['linear', 'linear']; allowed: at least one"),
        (lambda: Blend(max_members=1), "Blend.max_members is 1; allowed: 2 to 5"),
        (lambda: Blend(max_latency_ratio=0.9), "Blend.max_latency_ratio is 0.9; allowed: at least 1"),
        (lambda: Blend(max_megabytes=0.0), "Blend.max_megabytes is 0.0; allowed: more than 0"),
        (lambda: Choice(blend=True), "Choice.blend is True; allowed: None, or Blend(...)"),
        (lambda: Choice(refit=1), "Choice.refit is 1; allowed: True or False"),
        (lambda: Gate(constant_significance=0.9), "Gate.constant_significance is 0.9; allowed: None, or more than 0, less than 0.5"),
        (lambda: Gate(max_calibration_error=0), "Gate.max_calibration_error is 0; allowed: None, or more than 0, at most 1"),
        (lambda: Gate(every_class_predicted=1), "Gate.every_class_predicted is 1; allowed: True or False"),
        (lambda: Monitoring(max_drift=0.0), "Monitoring.max_drift is 0.0; allowed: more than 0, less than 1"),
        (lambda: Monitoring(max_joint_auc=0.5), "Monitoring.max_joint_auc is 0.5; allowed: more than 0.5, less than 1"),
        (lambda: Monitoring(min_rows=5), "Monitoring.min_rows is 5; allowed: at least 30"),
        (lambda: Monitoring(window_hours=0), "Monitoring.window_hours is 0; allowed: None, or 1 to 168"),
        (lambda: Monitoring(window_hours=5), "Monitoring.window_hours is 5; allowed: 1, 2, 3, 4, 6, 7, 8, 12, 14, 21, 24, 28, 42"),
        (lambda: Monitoring(cron="hourly"), "Monitoring.cron is 'hourly'; allowed: None, or six fields, minute hour"),
        (lambda: Monitoring(cron="0 3 1 * ? *"), "Monitoring.cron is '0 3 1 * ? *'; allowed: times at most 7 days apart"),
        (lambda: Monitoring(time_zone="Mars"), "Monitoring.time_zone is 'Mars'; allowed: a name of the IANA time zone database"),
        (
            lambda: Monitoring(max_drif=0.2),
            "Monitoring has no field 'max_drif'; allowed: cron, time_zone, window_hours, min_rows, max_drift",
        ),
        (lambda: ABALONE.but(monitoring=True), "Model('abalone').monitoring is True; allowed: None, or Monitoring(...)"),
        (lambda: Schedule(name="s", cron="99 7 ? * MON *", min_capacity=1, max_capacity=2), "Schedule('s').cron is '99 7 ? * MON *'"),
    ],
)
def test_a_wrong_name_or_type_is_one_line_that_says_what_is_allowed(make, message):
    with pytest.raises(SettingsError) as refusal:
        make()
    assert str(refusal.value).startswith(message)
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
        "0/ 7 ? * MON *",
        "a 7 ? * MON *",
    ],
)
def test_cron_expressions_that_aws_refuses_are_refused(cron):
    assert not is_cron(cron)


def checkout(folder: Path, settings: str = SETTINGS, model: str = MODEL) -> Path:
    """This project with values of its own. What finds settings.py by its own place is copied, the rest linked."""
    for name in ("infra", "pipelines", "build_scripts", "deploy_scripts", "demo"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "settings_schema", folder / "settings_schema", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app.py", "plain_signs.py", "cdk.json"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "settings.py").write_text(settings, encoding="utf-8")
    (folder / "models").mkdir()
    (folder / "models" / "fish.py").write_text(model, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        ("MINE = Project(name='mine'", "'(' was never closed"),
        ("MINE = Project(name='mine', in_vpc=true)", "name 'true' is not defined; did you mean True?"),
        ("MINE = Projekt(name='mine')", "name 'Projekt' is not defined; did you mean Project?"),
        (
            "from settings_schema import Problem; MINE = Problem.BINERY",
            "Problem has no BINERY; allowed: Problem.REGRESSION | Problem.BINARY | Problem.MULTICLASS",
        ),
        (
            "from settings_schema import Problem; MINE = Problem('binery')",
            "ValueError: 'binery' is not a valid Problem; compare it with the values that ship",
        ),
        ("MINE = {PRICES}", "unhashable type: 'dict'; braces make a set: write a tuple"),
        ("MINE = PROJECT(PROJECT)", "TypeError: 'Project' object is not callable; compare it"),
        ("MINE = PROJECT.nme", "AttributeError: 'Project' object has no attribute 'nme'; compare it"),
        ("MINE = [][0]", "IndexError: list index out of range; compare it"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'; compare it"),
    ],
)
def test_a_slip_in_python_is_one_line_with_its_number(tmp_path, capsys, slip, said):
    text = f"{SETTINGS}\n{slip}\n"
    (tmp_path / "settings.py").write_text(text, encoding="utf-8")
    with pytest.raises(UNREADABLE) as refusal:
        read(tmp_path)
    with pytest.raises(SystemExit) as end:
        stop(refusal.value)
    complaint = capsys.readouterr().err
    assert end.value.code == 2
    assert complaint.startswith(f"error: settings.py line {text.splitlines().index(slip) + 1}: {said}")
    assert complaint.count("\n") == 1


@pytest.mark.thorough
def test_debug_shows_the_traceback_before_the_line(tmp_path):
    command = [sys.executable, "-m", "build_scripts.publish", "--debug"]
    folder = checkout(tmp_path, f"{SETTINGS}\nMINE = [][0]\n")
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: settings.py line")


@pytest.fixture(scope="module")
def broken_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of no trials."""
    model = MODEL.replace("import Algorithm,", "import Tuning, Algorithm,").replace("serving=", "tuning=Tuning(trials=0),\n    serving=")
    return checkout(tmp_path_factory.mktemp("checkout"), model=model)


@pytest.mark.thorough
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[-1])
def test_every_command_names_the_field_and_leaves_nothing(broken_checkout, command):
    before = sorted(path.name for path in broken_checkout.iterdir() if path.name != "__pycache__")
    result = subprocess.run([sys.executable, *command], cwd=broken_checkout, capture_output=True, text=True, timeout=60, check=False)
    assert result.stderr.splitlines() == ["error: models/fish.py line 6: Tuning.trials is 0; allowed: 1 to 750"]
    assert result.returncode == 2
    assert result.stdout == ""
    assert sorted(path.name for path in broken_checkout.iterdir() if path.name != "__pycache__") == before
