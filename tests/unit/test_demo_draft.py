"""`make demo` with a table that no model describes: the draft lives in a copy, and the person's checkout stays as it is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from demo import drafted
from demo.errors import SetupError
from settings_schema.reading import Settings, read

TEAM = Path(__file__).resolve().parents[1] / "loop" / "team"
MODEL = """from settings_schema import Algorithm, Batch, DataSet, Model, Numeric, Problem, Range

MODEL = Model(
    data=DataSet(problem=Problem.REGRESSION, target="price", numeric=(Numeric(name="size"),), metric="rmse", threshold=9.0),
    algorithms=(Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.01, high=10.0)}),),
    serving={"try": Batch(), "live": Batch()},
)
"""
TABLE = "size,price\n" + "".join(f"{row + row % 7},{3 * row + row % 5}\n" for row in range(1, 99))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """With a model of the team's, one file that is ignored and one that git does not know yet."""
    folder = tmp_path / "checkout"
    (folder / "models").mkdir(parents=True)
    shutil.copy(TEAM / "settings.py", folder)
    (folder / "models" / "stones.py").write_text(MODEL)
    (folder / ".gitignore").write_text("out/\n")
    (folder / "out").mkdir()
    (folder / "out" / "large.bin").write_text("x")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


@pytest.fixture
def settings(checkout: Path) -> Settings:
    return read(checkout)


@pytest.mark.thorough  # a checkout is copied
def test_the_copy_has_the_draft_alone_and_the_checkout_has_no_trace(checkout: Path, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "Stones 7.csv").write_text(TABLE.replace(",", ";"))
    (tmp_path / "work").mkdir()
    before = {file: file.stat().st_mtime_ns for file in checkout.rglob("*")}
    found = drafted.draft(checkout, settings, tmp_path / "Stones 7.csv", "price", tmp_path / "work")
    assert list(found.settings.models) == [found.model] == ["stones-7"]
    assert found.settings.model().data.target == "price"
    assert [file.name for file in found.checkout.glob("models/*.py")] == ["stones_7.py"]
    assert found.data.read_text() == TABLE
    assert not (found.checkout / "out").exists()
    assert {file: file.stat().st_mtime_ns for file in checkout.rglob("*")} == before


def test_what_cannot_be_described_is_one_line(checkout: Path, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "stones.csv").write_text(TABLE)
    (tmp_path / "work").mkdir()
    with pytest.raises(SetupError, match="--target is 'cost'; allowed: a column of the file"):
        drafted.draft(checkout, settings, tmp_path / "stones.csv", "cost", tmp_path / "work")
    assert not (tmp_path / "work" / "checkout").exists()
