"""What a team writes is read from settings.py and models/: the folder is the registry, and a slip is one line with its file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from settings_schema.errors import SettingsError, in_one_line
from settings_schema.reading import read

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """
from settings_schema import CodeCommit, Environment, Prices, Project
PROJECT = Project(name="small")
ENVIRONMENTS = (Environment(name="try"), Environment(name="live"))
SOURCE = CodeCommit()
PRICES = Prices(region="eu-west-1", as_of="2026-01", source="a page", usd_per_hour={"ml.m5.large": 0.1})
"""
MODEL = """
from settings_schema import Algorithm, Batch, DataSet, Model, Numeric, Problem, Range
MODEL = Model(
    data=DataSet(problem=Problem.REGRESSION, target="y", numeric=(Numeric(name="x"),), metric="rmse", threshold=1.0),
    algorithms=(Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.1, high=1)}),),
    serving={"try": Batch(), "live": Batch()},
)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "fish.py").write_text(MODEL)
    return tmp_path


def test_every_file_of_the_folder_is_a_model_called_like_its_file(project):
    (project / "models" / "fish_large.py").write_text(MODEL)
    (project / "models" / "__init__.py").write_text("")
    settings = read(project)
    assert list(settings.models) == ["fish", "fish-large"]
    assert settings.models["fish-large"].name == "fish-large"
    assert (settings.staging.name, settings.production.name) == ("try", "live")


def test_the_only_model_needs_no_name(project):
    assert read(project).model().name == "fish"


@pytest.mark.parametrize(
    ("name", "message"), [(None, "--model is missing; allowed: bird, fish"), ("cat", "--model is 'cat'; allowed: bird, fish")]
)
def test_one_of_several_models_is_named_and_a_wrong_name_gets_the_known_ones(project, name, message):
    (project / "models" / "bird.py").write_text(MODEL)
    with pytest.raises(SettingsError, match=f"^{message}$"):
        read(project).model(name)


@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("settings.py", 'name="small"', 'name="small--er"', "settings.py line 3: Project.name is 'small--er'; allowed: a-z, 0-9 and '-'"),
        ("settings.py", 'name="small"', 'name="xn"', "settings.py line 3: Project('xn').name is 'xn'; allowed: another name"),
        ("settings.py", 'name="small"', 'name="sthree"', "settings.py line 3: Project('sthree').name is 'sthree'; allowed: another name"),
        ("settings.py", 'name="live"', 'name="try"', "settings.py: ENVIRONMENTS is ['try', 'try']; allowed: different names"),
        (
            "settings.py",
            'name="live"',
            'name="training"',
            "settings.py line 4: Environment('training').name is 'training'; allowed: another",
        ),
        ("settings.py", "SOURCE = CodeCommit()", "SOURCE = 'git'", "settings.py: SOURCE is 'git'; allowed: CodeCommit() or CodeConnection"),
        ("settings.py", "SOURCE = CodeCommit()", "", "settings.py: SOURCE is missing; allowed: CodeCommit() or CodeConnection(...)"),
        ("settings.py", "ENVIRONMENTS = (", "ENVIRONMENTS = [", "settings.py line 4: closing parenthesis"),
        ("models/fish.py", "threshold=1.0", "threshold='1'", "models/fish.py line 4: DataSet.threshold is '1'; allowed: a number"),
        (
            "models/fish.py",
            '"live": Batch()',
            '"prod": Batch()',
            "models/fish.py: Model.serving is ['try', 'prod']; allowed: one entry for each",
        ),
        ("models/fish.py", '"live": Batch()', '"live": Endpoint()', "models/fish.py line 6: name 'Endpoint' is not defined"),
        ("models/fish.py", "MODEL = Model(", "FISH = Model(", "models/fish.py: MODEL is missing; allowed: Model(...)"),
        ("models/fish.py", 'name="linear"', 'name="deep"', "models/fish.py line 3: Model.algorithms is 'deep'; allowed: one of"),
        (
            "models/fish.py",
            "data=DataSet",
            'pipeline="images", data=DataSet',
            "models/fish.py line 3: Model.pipeline is 'images'; allowed: one of",
        ),
    ],
)
def test_a_slip_is_one_line_with_its_file(project, file, before, after, message):
    path = project / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(Exception) as refusal:
        read(project)
    line = in_one_line(refusal.value)
    assert line.startswith(message)
    assert "\n" not in line


@pytest.mark.parametrize("name", ["environment", "Fish", "fish__a", "fish_", "a" * 21, "2fish"])
def test_a_file_s_name_must_be_a_model_s(project, name):
    (project / "models" / f"{name}.py").write_text(MODEL)
    with pytest.raises(SettingsError, match="name"):
        read(project)


def test_the_json_schema_says_every_field_of_a_model():
    shown = subprocess.run([sys.executable, "-m", "settings_schema", "Model"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for field in ("serving", "retraining", "algorithms", "threshold"):
        assert f'"{field}"' in shown


FLEET = """
from settings_schema import Fleet, Instances
FLEETS = (Fleet(name="small", instances={"try": Instances(min_count=0)}),)
"""


def test_fleets_are_there_by_name_and_a_project_without_any_says_nothing(project):
    assert read(project).fleets == {}
    (project / "settings.py").write_text(SETTINGS + FLEET)
    assert read(project).fleets["small"].instances["try"].min_count == 0


def test_of_two_edits_in_one_second_the_second_is_read(project):
    file = project / "settings.py"
    file.write_text(SETTINGS.replace('"small"', '"zzzzz"'))
    was = file.stat()
    assert read(project).project.name == "zzzzz"
    file.write_text(SETTINGS)
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert read(project).project.name == "small"


def on_fleet(project: Path, reserved: str, *, models: int = 1, most: int = 1) -> None:
    """Models that are alike, on a fleet of ml.m5.large, which have 2 cores and 8192 MB."""
    (project / "settings.py").write_text(SETTINGS + FLEET.replace("min_count=0", f"min_count=0, max_count={most}"))
    text = MODEL.replace("Batch, DataSet", "Component, CopyScaling, Endpoint, DataSet").replace("Batch()}", "Endpoint()}")
    for number in range(models):
        served = text.replace('"try": Batch()', f'"try": Component(fleet="small", {reserved})')
        (project / "models" / ("fish.py" if number == 0 else f"fish_{number}.py")).write_text(served)


@pytest.mark.parametrize(
    ("reserved", "models", "message"),
    [
        ("memory_mb=9000", 1, "models/fish.py: Model.serving['try'].memory_mb is 9000; allowed: at most 8192, what one ml.m5.large"),
        (
            "cpu_cores=2.5",
            1,
            "models/fish.py: Model.serving['try'].cpu_cores is 2.5; allowed: at most 2, what one ml.m5.large of the fleet",
        ),
        ("cpu_cores=0.5", 4, "max_count is 1; allowed: at least 2 ml.m5.large, for 4 copies of fish, fish-1, fish-2, fish-3 and 1 of fish"),
        (
            "scaling=CopyScaling(min_capacity=3, max_capacity=3)",
            1,
            "at least 2 ml.m5.large, for 3 copies of fish and 2 of fish beside them",
        ),
    ],
)
def test_what_has_no_place_on_its_fleet_is_refused_before_anything_is_deployed(project, reserved, models, message):
    on_fleet(project, reserved, models=models)
    with pytest.raises(SettingsError) as raised:
        read(project)
    assert message in str(raised.value)


def test_a_member_that_is_larger_than_an_instance_is_refused(project):
    kinds = "from settings_schema import MemberInstances, MultiModelFleet"
    fleet = f'{kinds}\nFLEETS = (MultiModelFleet(name="tiny", instances={{"try": MemberInstances()}}),)'
    (project / "settings.py").write_text(f"{SETTINGS}\n{fleet}\n")
    text = MODEL.replace("Batch, DataSet", "Endpoint, Member, DataSet").replace("Batch()}", "Endpoint()}")
    file = project / "models" / "fish.py"
    file.write_text(text.replace('"try": Batch()', '"try": Member(fleet="tiny", memory_mb=8192)'))
    assert len(read(project).models) == 1
    file.write_text(text.replace('"try": Batch()', '"try": Member(fleet="tiny", memory_mb=8193)'))
    with pytest.raises(SettingsError, match=r"memory_mb is 8193; allowed: at most 8192, what one ml\.m5\.large of the fleet 'tiny' has"):
        read(project)


def test_a_fleet_may_be_full_but_for_the_copies_that_a_release_needs(project):
    on_fleet(project, "cpu_cores=0.5", models=3)
    assert len(read(project).models) == 3
    on_fleet(project, "cpu_cores=0.5", models=4, most=2)
    assert len(read(project).models) == 4


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        (('"try": Instances', '"tyr": Instances'), "settings.py: Fleet('small').instances is 'tyr'; allowed: try | live"),
        (("min_count=0", "min_count=3"), "Instances.min_count is 3; allowed: 0 to max_count (2)"),
        (("=0)}),)", "=0)}))"), "settings.py: FLEETS is"),
    ],
)
def test_a_fleet_that_cannot_be_is_one_line(project, slip, message):
    (project / "settings.py").write_text(SETTINGS + FLEET.replace(*slip))
    with pytest.raises(SettingsError) as raised:
        read(project)
    assert message in in_one_line(raised.value)
