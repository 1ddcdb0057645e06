"""Answers whose truth is known become training rows: beside the uploaded ones, never in their test, and none of them stops a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import prepare
import pytest
import sources
from pyarrow import parquet

from pipelines.tabular.specification import specification_json
from settings_schema import Categorical, DataSet, Numeric, Preparation, Problem, ProjectNames, Retraining
from tests.example_models import model_of
from tests.steps.small_data import HOUSES, SPECIES, as_json, houses, species, write_csv

LEARNED = Path("data") / "learned" / "live"
WINDOW = "2026-11-27T14Z--2026-11-27T15Z.csv"


def run(folder: Path, dataset: DataSet = HOUSES, *, learns: bool = True, output: str = "out", **preparation: Any) -> Path:
    """Runs Prepare on `data/` of a folder; the folder of its outputs."""
    model = model_of(dataset).but(preparation=Preparation(**preparation), retraining=Retraining(learn_from_answers=learns))
    settings_file = folder / "specification.json"
    settings_file.write_text(specification_json(model), encoding="utf-8")
    prepare.main(["--data", str(folder / "data"), "--output", str(folder / output), "--specification", str(settings_file)])
    return folder / output


def lineage(output: Path) -> Any:
    return as_json(output / "preparation" / "lineage.json")


def contents(output: Path) -> dict[str, bytes]:
    return {file.relative_to(output).as_posix(): file.read_bytes() for file in output.rglob("*") if file.is_file()}


def first(rows: int, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: values[:rows] for name, values in columns.items()}


def test_a_model_that_does_not_learn_from_answers_trains_byte_for_byte_as_if_there_were_none(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "a.csv", houses())
    without = contents(run(tmp_path, learns=False, output="without"))
    write_csv(tmp_path / LEARNED / WINDOW, houses(seed=9))
    assert contents(run(tmp_path, learns=False, output="beside")) == without


def test_a_model_that_would_learn_and_has_nothing_to_learn_yet_trains_as_before(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "a.csv", houses())
    without = contents(run(tmp_path, learns=False, output="without"))
    assert contents(run(tmp_path, output="nothing yet")) == without


def test_answers_train_and_validate_and_the_test_rows_stay_the_uploaded_ones(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "a.csv", houses())
    before = run(tmp_path, learns=False, output="before")
    write_csv(tmp_path / LEARNED / WINDOW, houses(300, seed=9))
    after = run(tmp_path, output="after")
    counted, were = lineage(after), lineage(before)
    assert counted["rows"]["train"] > were["rows"]["train"]
    assert counted["rows"]["validation"] > were["rows"]["validation"]
    assert counted["rows"]["test"] == were["rows"]["test"]
    tests = [parquet.read_table(output / "test" / "test.parquet") for output in (before, after)]
    assert tests[0].equals(tests[1])


def test_the_lineage_says_how_many_rows_come_from_where_and_which_data_they_are(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "a.csv", houses())
    before = lineage(run(tmp_path, learns=False, output="before"))
    write_csv(tmp_path / LEARNED / WINDOW, houses(300, seed=9))
    after = lineage(run(tmp_path, output="after"))
    assert before["sources"] == {"uploaded": 200}
    assert after["sources"]["uploaded"] == 200
    assert after["sources"]["learned"] + after["sources"]["held_out"] == 300
    assert after["sources"]["learned"] == sum(after["rows"].values()) - 200
    assert after["data_sha256"] != before["data_sha256"]


def test_a_row_that_is_a_test_row_s_double_trains_nothing(tmp_path: Path) -> None:
    """Whatever was said to be true of it: its features are the ones that a version is judged on."""
    write_csv(tmp_path / "data" / "a.csv", houses())
    before = run(tmp_path, learns=False, output="before")
    test_rows = parquet.read_table(before / "test" / "test.parquet").to_pydict()
    write_csv(tmp_path / LEARNED / WINDOW, {**test_rows, "price": ["1"] * len(test_rows["price"])})
    found = lineage(run(tmp_path, output="after"))
    assert found["sources"] == {"uploaded": 200, "learned": 0, "held_out": len(test_rows["price"])}


def test_a_row_that_would_be_a_test_row_if_it_were_uploaded_trains_nothing_before(tmp_path: Path) -> None:
    """A team that uploads later what production was asked must not judge by rows of which production knew the answer."""
    write_csv(tmp_path / "data" / "a.csv", houses())
    answers = houses(300, seed=9)
    write_csv(tmp_path / LEARNED / WINDOW, answers)
    learned = lineage(run(tmp_path, output="learned"))
    write_csv(tmp_path / "data" / "b.csv", answers)
    uploaded = lineage(run(tmp_path, learns=False, output="uploaded"))
    write_csv(tmp_path / "data" / "b.csv", first(1, answers))
    alone = lineage(run(tmp_path, learns=False, output="alone"))
    assert learned["sources"]["held_out"] >= uploaded["rows"]["test"] - alone["rows"]["test"] > 0


def with_identifiers(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {"house": [f"h{number}" for number in range(len(columns["price"]))], **columns}


def test_requests_have_no_identifier_and_the_double_of_a_test_row_is_still_found(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "a.csv", with_identifiers(houses()))
    dataset = HOUSES.but(identifier="house")
    before = run(tmp_path, dataset, learns=False, output="before")
    test_rows = parquet.read_table(before / "test" / "test.parquet").to_pydict()
    write_csv(tmp_path / LEARNED / WINDOW, {name: values for name, values in test_rows.items() if name != "house"})
    assert lineage(run(tmp_path, dataset, output="after"))["sources"]["learned"] == 0


COINS = DataSet(
    problem=Problem.BINARY,
    target="won",
    positive_class="yes",
    categorical=(Categorical(name="coin", values=("heads", "tails")), Categorical(name="day", values=("mon", "tue"))),
    metric="auc",
    threshold=0.5,
)


def test_in_a_table_of_few_different_rows_answers_are_further_observations(tmp_path: Path) -> None:
    """Every answer equals some test row there, and is none of them."""
    generator = np.random.default_rng(1)
    drawn = {name: generator.choice(values, 400).tolist() for name, values in (("coin", ["heads", "tails"]), ("day", ["mon", "tue"]))}
    columns = {**drawn, "won": generator.choice(["yes", "no"], 400).tolist()}
    write_csv(tmp_path / "data" / "a.csv", columns)
    before = lineage(run(tmp_path, COINS, learns=False, output="before"))
    write_csv(tmp_path / LEARNED / WINDOW, first(200, columns))
    after = lineage(run(tmp_path, COINS, output="after"))
    assert after["rows"]["test"] == before["rows"]["test"]
    assert after["sources"]["learned"] > 100


def answers_with(cells: dict[str, Any], **others: list[Any]) -> dict[str, list[Any]]:
    """One strange row among good ones."""
    columns = houses(50, seed=9)
    return {name: [cells.get(name, values[0]), *values[1:]] for name, values in {**columns, **others}.items()}


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"area": "large"}, "'area' is no number"),
        ({"area": "-1"}, "'area' is outside of its range in models/"),
        ({"area": "1e39"}, "'area' is larger than models calculate with"),
        ({"kind": "boat"}, "'kind' is no category of models/"),
        ({"price": ""}, "'price' is missing"),
        ({"price": "a lot"}, "'price' is no number"),
    ],
)
def test_an_answer_that_breaks_today_s_contract_is_left_out_and_named(tmp_path: Path, cells: dict[str, str], reason: str) -> None:
    write_csv(tmp_path / "data" / "a.csv", houses())
    write_csv(tmp_path / LEARNED / WINDOW, answers_with(cells))
    found = lineage(run(tmp_path))
    (said,) = [warning for warning in found["warnings"] if "left out" in warning]
    assert said.startswith(f"1 of 50 answered rows left out: {reason}")
    assert found["sources"]["learned"] + found["sources"]["held_out"] == 49


def test_answers_of_a_time_with_other_columns_and_files_that_are_cut_stop_no_training(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "a.csv", houses())
    good = houses(50, seed=9)
    write_csv(tmp_path / LEARNED / WINDOW, good)
    write_csv(tmp_path / LEARNED / "older.csv", {name: values for name, values in good.items() if name != "rooms"})
    (tmp_path / LEARNED / "cut.csv").write_bytes(b'area,rooms,kind,town,price\n70,"3')
    (tmp_path / LEARNED / "_tally.json").write_text(json.dumps({"rows": 100}))
    found = lineage(run(tmp_path))
    assert found["sources"]["learned"] + found["sources"]["held_out"] == 50
    assert any("50 of 101 answered rows left out: they were asked when there was no column 'rooms'" in said for said in found["warnings"])
    assert any("their file cannot be read as CSV" in said for said in found["warnings"])


def test_a_class_that_no_uploaded_row_has_cannot_be_judged_and_is_not_learned(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "a.csv", species())
    answers = first(60, species(seed=9))
    write_csv(tmp_path / LEARNED / WINDOW, {**answers, "species": ["wasp", *answers["species"][1:]]})
    found = lineage(run(tmp_path, SPECIES))
    assert any("1 of 60 answered rows left out: 'species' is no class of the uploaded rows" in said for said in found["warnings"])
    assert as_json(tmp_path / "out" / "preparation" / "preparation.json")["classes"] == ["ant", "bee", "fly"]


def test_uploaded_parquet_and_learned_csv_go_together(tmp_path: Path) -> None:
    import pyarrow as pa

    (tmp_path / "data").mkdir()
    parquet.write_table(pa.table(houses()), tmp_path / "data" / "a.parquet")
    write_csv(tmp_path / LEARNED / WINDOW, houses(50, seed=9))
    assert lineage(run(tmp_path))["sources"]["learned"] > 0


def test_what_is_both_uploaded_and_learned_is_said(tmp_path: Path) -> None:
    write_csv(tmp_path / "data" / "a.csv", houses())
    write_csv(tmp_path / LEARNED / WINDOW, houses())
    found = lineage(run(tmp_path))
    assert any("asked what an uploaded row holds too; if they are one observation, it counts twice" in said for said in found["warnings"])


def test_a_category_first_seen_in_production_is_learned(tmp_path: Path) -> None:
    dataset = HOUSES.but(numeric=(Numeric(name="area"), Numeric(name="rooms")))
    write_csv(tmp_path / "data" / "a.csv", houses())
    answers = houses(100, seed=9)
    write_csv(tmp_path / LEARNED / WINDOW, {**answers, "town": ["Ica"] * 100})
    state = as_json(run(tmp_path, dataset) / "preparation" / "preparation.json")
    (town,) = [column for column in state["categorical"] if column["name"] == "town"]
    assert town["categories"] == ["Cusco", "Ica", "Lima", "Quito"]


def test_the_watch_writes_where_training_reads() -> None:
    """Seam: the prefix and the tally of an environment, below the address of the training data."""
    names = ProjectNames(project="shop").model("houses")
    below = names.at("live").learned.removeprefix(names.training_data)
    assert sources.is_learned(f"{below}{WINDOW}")
    assert sources.is_tally(f"{below}{sources.TALLY}")
    assert not sources.is_data(sources.TALLY)
