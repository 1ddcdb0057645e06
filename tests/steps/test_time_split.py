"""A split by time: the newest rows test, whatever the order of rows and files; what is no time is named with its place."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import parts
import prepare
import pyarrow as pa
import pytest
import specification
import table as tables
import time_column
import time_split
from dataset import Rows
from evaluation import champion
from failure import BadInput
from pyarrow import parquet

from pipelines.tabular.specification import specification_json
from settings_schema import Numeric, Preparation, Retraining
from settings_schema.errors import SettingsError
from settings_schema.training import Split
from tests.example_models import model_of
from tests.steps.small_data import HOUSES, SPECIES, as_json, houses, species, write_csv

DAYS = [f"2024-01-{day:02d}" for day in range(1, 21)]


def split(folder: Path, columns: dict[str, Any], dataset: Any = HOUSES, *, learns: bool = False, **shares: Any) -> parts.Parts:
    write_csv(folder / "data" / "table.csv", columns)
    return of_files(folder, dataset, learns=learns, **shares)


def of_files(folder: Path, dataset: Any = HOUSES, *, learns: bool = False, **shares: Any) -> parts.Parts:
    model = model_of(dataset).but(preparation=Preparation(split=Split(**shares)), retraining=Retraining(learn_from_answers=learns))
    (folder / "specification.json").write_text(specification_json(model), encoding="utf-8")
    return parts.require(tables.read(folder / "data"), specification.load(folder / "specification.json"), folder / "data")


def seen(cells: list[Any], rows: int = 200) -> dict[str, list[Any]]:
    """Houses with a column that is no feature."""
    return {**houses(rows), "seen": [cells[row % len(cells)] for row in range(rows)]}


def times_of(cut: parts.Parts, columns: dict[str, list[Any]], part: str) -> set[Any]:
    return {columns["seen"][row] for row in np.flatnonzero(cut.masks[part])}


def test_the_newest_rows_test_and_those_before_validate(tmp_path: Path) -> None:
    columns = seen(DAYS)
    cut = split(tmp_path, columns, by_time="seen", validation=0.1, test=0.2)
    assert times_of(cut, columns, "test") == set(DAYS[16:])
    assert times_of(cut, columns, "validation") == set(DAYS[14:16])
    assert times_of(cut, columns, "train") == set(DAYS[:14])
    assert cut.placing.facts == {"by": "time", "column": "seen", "validation_from": "2024-01-15", "test_from": "2024-01-17"}


def test_rows_of_one_time_are_on_one_side_and_the_nearer_end_is_taken() -> None:
    years = np.repeat([2019.0, 2020.0, 2021.0, 2022.0], [50, 30, 12, 8])
    assert time_split.ends(years, 0.15, 0.15, "numbers") == time_split.Ends(2020.0, 2021.0, "numbers")  # 20 rows, not 8
    assert time_split.ends(years, 0.15, 0.10, "numbers") == time_split.Ends(2021.0, 2022.0, "numbers")  # 8 rows, not 20


@pytest.mark.parametrize("counts", [(80, 10, 10), (10, 10, 80), (1, 98, 1), (98, 1, 1), (1, 1, 98)])
def test_of_three_times_each_part_gets_one(counts: tuple[int, int, int]) -> None:
    times = np.repeat([1.0, 2.0, 3.0], counts)
    assert [int(side.sum()) for side in time_split.ends(times, 0.15, 0.15, "numbers").sides(times)] == list(counts)


def test_the_order_of_rows_and_files_decides_nothing(tmp_path: Path) -> None:
    columns = seen(DAYS)
    whole = split(tmp_path / "one", columns, by_time="seen")
    order = np.random.default_rng(1).permutation(200)
    for name, rows in (("a", order[:130]), ("b", order[130:])):
        write_csv(tmp_path / "two" / "data" / f"{name}.csv", {column: [cells[row] for row in rows] for column, cells in columns.items()})
    shuffled = of_files(tmp_path / "two", by_time="seen")
    assert all(np.array_equal(whole.masks[part][order], shuffled.masks[part]) for part in whole.masks)


def test_as_newer_rows_come_rows_move_on_and_never_back(tmp_path: Path) -> None:
    columns = seen(DAYS)
    first = [row for row in range(200) if columns["seen"][row] < "2024-01-15"]
    before = split(tmp_path / "before", {name: [cells[row] for row in first] for name, cells in columns.items()}, by_time="seen")
    after = split(tmp_path / "after", columns, by_time="seen")
    place = {"train": 0, "validation": 1, "test": 2}

    def places(cut: parts.Parts, count: int) -> list[int]:
        return [next(place[part] for part in cut.masks if cut.masks[part][row]) for row in range(count)]

    moved = [(was, places(after, 200)[row]) for row, was in zip(first, places(before, len(first)), strict=True)]
    assert all(now <= was for was, now in moved)
    assert (2, 0) in moved


FORMS: dict[str, list[Any]] = {
    "numbers": [2019, 2020.5, 2021, 2022, 2023],
    "months": ["2019-12", "2020-01", "2020-02", "2020-11", "2020-12"],
    "times": ["2024-01-02T10:00", "2024-01-02 10:00:01", "2024-01-02T10:00:01.5", "2024-01-02T10:00:01.123456789", "2024-01-03T00:00"],
    "offsets": ["2024-01-02T10:00+02:00", "2024-01-02T09:00Z", "2024-01-02 10:00:00.5-0100", "2024-01-02T11:30:00Z", "2024-01-03T00:00Z"],
}


@pytest.mark.parametrize(
    ("form", "order"), [("numbers", [0, 1, 2, 3, 4]), ("months", [0, 1, 2, 3, 4]), ("times", [0, 1, 3, 2, 4]), ("offsets", [0, 1, 2, 3, 4])]
)
def test_each_form_is_in_the_order_of_time(form: str, order: list[int]) -> None:
    texts = pa.chunked_array([pa.array([str(cell) for cell in FORMS[form]][:2]), pa.array([str(cell) for cell in FORMS[form]][2:])])
    values = np.concatenate(list(time_column.of_chunks(texts)))
    assert np.argsort(values, kind="stable").tolist() == order
    assert len(set(values.tolist())) == 5


def test_a_parquet_files_dates_and_stamps_are_the_same_times_as_text() -> None:
    days = [datetime.date(2024, 1, 2), datetime.date(1969, 12, 31)]
    stamps = [datetime.datetime(2024, 1, 2, 10, tzinfo=datetime.UTC), None]
    text = pa.array(["2024-01-02", "1969-12-31"])
    assert next(time_column.of_chunks(pa.array(days))).tolist() == next(time_column.of_chunks(text)).tolist()
    first, missing = next(time_column.of_chunks(pa.array(stamps))).tolist()
    assert first == next(time_column.of_chunks(pa.array(["2024-01-02T12:00+02:00"])))[0] and np.isnan(missing)


@pytest.mark.parametrize(("value", "form", "text"), [(2020.0, "numbers", "2020"), (0.0, "dates", "1970-01-01"), (0.0, "months", "1970-01")])
def test_an_end_is_shown_as_the_column_writes_it(value: float, form: str, text: str) -> None:
    assert time_column.shown(value, form) == text
    assert time_column.shown(1.5e6, "times with an offset") == "1970-01-01T00:00:01.500000Z"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({5: "yesterday"}, "'yesterday' is no time, and the split goes by it (Split.by_time); the column begins with dates such as"),
        ({5: "02.01.2024"}, "column 'seen': '02.01.2024' is no time"),
        ({5: "2024-02-30"}, "'2024-02-30' is no time"),
        ({5: "2024-01-02T10:00"}, "'2024-01-02T10:00' is no time, and the split goes by it (Split.by_time); the column begins with dates"),
        ({5: "1704153600"}, "'1704153600' is no time"),
        ({5: ""}, "a time is missing, and the split goes by it"),
        (dict.fromkeys(range(200), "soon"), "'soon' is no time, and the split goes by it (Split.by_time); write ISO 8601 (2024-01-31,"),
        (dict.fromkeys(range(200), "true"), "'true' is no time"),
        ({row: "2024-01-0" + "12"[row % 2] for row in range(200)}, "fewer than three different times"),
    ],
)
def test_what_is_no_time_is_one_line_with_the_first_cell_and_its_place(tmp_path: Path, cells: dict[int, str], message: str) -> None:
    columns = seen(DAYS)
    columns["seen"] = [cells.get(row, cell) for row, cell in enumerate(columns["seen"])]
    with pytest.raises(BadInput) as problem:
        split(tmp_path, columns, by_time="seen")
    assert message in str(problem.value) and "\n" not in str(problem.value)
    assert len(cells) > 1 or "(table.csv line 7)" in str(problem.value)


def test_of_times_with_and_without_an_offset_nobody_knows_which_is_later(tmp_path: Path) -> None:
    columns = seen([f"{day}T10:00Z" for day in DAYS])
    columns["seen"][150] = "2024-01-05T10:00"
    with pytest.raises(BadInput, match=r"'2024-01-05T10:00' is no time.*begins with times with an offset.*table.csv line 152"):
        split(tmp_path, columns, by_time="seen")


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="column 'seen': missing"):
        split(tmp_path, houses(), by_time="seen")


def test_a_class_that_is_of_another_time_is_told_as_such(tmp_path: Path) -> None:
    columns = {**species(), "seen": list(range(300))}
    columns["species"] = ["ant" if row < 100 else "bee" for row in range(300)]
    with pytest.raises(BadInput, match=r"class 'ant' does not occur in the validation split.*goes by 'seen'.*another time"):
        split(tmp_path, columns, SPECIES, by_time="seen")


def test_a_time_that_is_a_feature_or_an_identifier_splits_too(tmp_path: Path) -> None:
    dataset = HOUSES.but(identifier="id")
    columns = {**houses(), "id": list(range(1000, 1200))}
    cut = split(tmp_path, columns, dataset, by_time="id")
    assert np.flatnonzero(cut.masks["test"]).tolist() == list(range(170, 200))


def test_the_version_and_its_lineage_say_where_the_parts_begin_and_the_test_rows_keep_their_times(tmp_path: Path) -> None:
    cut = split(tmp_path, seen(DAYS), by_time="seen")
    arguments = ["--data", str(tmp_path / "data"), "--output", str(tmp_path / "out")]
    prepare.main([*arguments, "--specification", str(tmp_path / "specification.json")])
    state, lineage = (as_json(tmp_path / "out" / "preparation" / f"{name}.json") for name in ("preparation", "lineage"))
    assert (state["split_by"], lineage["split"]) == ("time", cut.placing.facts)
    kept = parquet.read_table(tmp_path / "out" / "test" / "test.parquet")["seen"]
    assert np.concatenate(list(time_column.of_chunks(kept))).min() == state["split_ends"]["test"]


# ---------------------------------------------------------------------------------------------------------- what was learned

YEARLY = HOUSES.but(numeric=(*HOUSES.numeric, Numeric(name="year")))


def learned(folder: Path, years: list[int]) -> parts.Parts:
    columns = {**houses(), "year": [2000 + row // 10 for row in range(200)]}
    answers = {**houses(len(years), seed=9), "year": years}
    write_csv(folder / "data" / "learned" / "live" / "2026-11-27T14Z--2026-11-27T15Z.csv", answers)
    return split(folder, columns, YEARLY, learns=True, by_time="year")


def test_answers_from_before_the_tests_time_train_and_later_ones_do_not(tmp_path: Path) -> None:
    cut = learned(tmp_path, [1990, 2013, 2014, 2016, 2017, 2030])
    assert cut.placing.facts["validation_from"] == "2014" and cut.placing.facts["test_from"] == "2017"
    assert cut.masks["train"][200:].tolist() == [True, True, False, False, False, False]
    assert cut.masks["validation"][200:].tolist() == [False, False, True, True, False, False]
    assert not cut.masks["test"][200:].any()
    assert cut.sources == {"uploaded": 200, "learned": 4, "held_out": 2}


def test_settings_refuse_a_time_that_answers_do_not_carry_and_the_target() -> None:
    by_seen = Preparation(split=Split(by_time="seen"))
    assert model_of(HOUSES).but(preparation=by_seen).preparation.split.by_time == "seen"
    with pytest.raises(SettingsError, match=r"by_time is 'seen'; allowed: None, or one of the numeric features \['area', 'rooms'\]"):
        model_of(HOUSES).but(preparation=by_seen, retraining=Retraining(learn_from_answers=True))
    with pytest.raises(SettingsError, match="not the target"):
        model_of(HOUSES).but(preparation=Preparation(split=Split(by_time="price")))


# ------------------------------------------------------------------------------------------------ the version in production


def production(folder: Path, split_ends: dict[str, Any]) -> champion.Champion:
    state = {"split_by": "time", "split_ends": split_ends, "preparation": {"split": {"by_time": "seen"}}}
    folder.mkdir(exist_ok=True)
    (folder / "preparation.json").write_text(json.dumps(state), encoding="utf-8")
    return champion.Champion(folder=folder)


def test_production_has_not_learned_from_rows_of_its_tests_time_or_later(tmp_path: Path) -> None:
    current = production(tmp_path / "champion", {"validation": 3.0, "test": 5.0, "form": "numbers"})
    assert champion.time_of(current) == "seen"
    later = champion.later(current, np.array([4.0, 5.0, 9.0]), "numbers")
    assert later is not None and later.tolist() == [False, True, True]
    assert champion.later(current, np.array([4.0]), "dates") is None
    assert champion.later(current, None, "") is None


def test_a_version_from_before_there_was_a_choice_is_split_as_one_that_has_none(tmp_path: Path) -> None:
    shares = {"salt": "1", "validation": 0.15, "test": 0.15}
    dataset = {"numeric": [{"name": "area"}], "categorical": [], "identifier": "id"}
    old, new = (
        {"dataset": dataset, "split_by": "identifier", "preparation": {"split": own}} for own in (shares, {**shares, "by_time": None})
    )
    (tmp_path / "preparation.json").write_text(json.dumps(old), encoding="utf-8")
    rows = Rows({"area": np.arange(3.0)}, {}, np.zeros(3), 3)
    assert champion.unseen(champion.Champion(folder=tmp_path), new, rows).all()
