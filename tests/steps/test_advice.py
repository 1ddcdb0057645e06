"""What the data need before any model is said once, with its cost and its remedy; and nothing is said of a table that needs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import advice
import numpy as np
import parts
import pytest
import specification
import table as tables
from advice import one_column, sample
from evaluation import report

from build_scripts import upload_data
from pipelines.tabular.specification import specification_json
from settings_schema import Categorical, DataSet, Numeric, Preparation, Problem
from settings_schema.training import Split
from tests import example_models
from tests.example_models import model_of
from tests.steps.small_data import HOUSES, LOANS, PATIENTS, SPECIES, houses, loans, patients, species, write_csv

pytestmark = pytest.mark.thorough  # samples of thousands of rows are looked at

COLUMNS = 30


def cut(folder: Path, columns: dict[str, Any], dataset: DataSet, by_time: str | None = None) -> parts.Parts:
    write_csv(folder / "data" / "table.csv", columns)
    model = model_of(dataset).but(preparation=Preparation(split=Split(by_time=by_time)))
    (folder / "specification.json").write_text(specification_json(model), encoding="utf-8")
    return parts.require(tables.read(folder / "data"), specification.load(folder / "specification.json"))


def said(folder: Path, columns: dict[str, Any], dataset: DataSet, by_time: str | None = None) -> list[str]:
    """What the looks found; all of it is among the warnings, too."""
    made = cut(folder, columns, dataset, by_time)
    found = [text for look in made.looked_at for text in look["found"]]
    assert set(found) <= set(made.warnings) and all("\n" not in text for text in found)
    return found


# ----------------------------------------------------------------------------------------------------------- nothing to say


def noise(problem: Problem, rows: int, seed: int) -> tuple[DataSet, dict[str, list[Any]]]:
    """Columns that know nothing of the target, a third of them with gaps, beside an identifier and a year."""
    generator = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {f"n{place}": generator.normal(size=rows).round(4).tolist() for place in range(COLUMNS)}
    for place in range(0, COLUMNS, 3):
        columns[f"n{place}"] = [None if generator.random() < 0.2 else cell for cell in columns[f"n{place}"]]
    columns |= {"c": generator.choice(list("abcdefgh"), rows).tolist(), "year": generator.integers(2000, 2020, rows).tolist()}
    columns["id"] = (generator.permutation(rows) + 1000).tolist()
    shares = {"binary": [0.85, 0.15], "multiclass": [0.5, 0.3, 0.2]}.get(problem)
    answers = generator.exponential(size=rows).round(3) if shares is None else generator.choice(list("xyz")[: len(shares)], rows, p=shares)
    numeric = tuple(Numeric(name=name) for name in (*(f"n{place}" for place in range(COLUMNS)), "year"))
    dataset = DataSet(
        problem=problem,
        target="answer",
        positive_class="y" if problem is Problem.BINARY else None,
        numeric=numeric,
        categorical=(Categorical(name="c"),),
        identifier="id",
        metric={"regression": "rmse", "binary": "auc"}.get(problem, "balanced_accuracy"),
        threshold=0.5,
    )
    return dataset, {**columns, "answer": answers.tolist()}


@pytest.mark.parametrize("problem", list(Problem))
@pytest.mark.parametrize(("rows", "seed"), [(800, 1), (800, 2), (3000, 3)])
def test_of_noise_nothing_is_said(tmp_path: Path, problem: Problem, rows: int, seed: int) -> None:
    dataset, columns = noise(problem, rows, seed)
    assert said(tmp_path, columns, dataset) == []


def test_of_clean_tables_and_of_those_that_ship_nothing_is_said(tmp_path: Path) -> None:
    clean = {"houses": (HOUSES, houses()), "loans": (LOANS, loans()), "ill": (PATIENTS, patients()), "kinds": (SPECIES, species())}
    assert [said(tmp_path / name, columns, dataset) for name, (dataset, columns) in clean.items()] == [[]] * 4
    for model in (example_models.ABALONE, example_models.ARRESTS):
        name = "arrests" if model is example_models.ARRESTS else "abalone"
        (tmp_path / name).mkdir()
        _, warnings = upload_data.check(upload_data.example_file(name, tmp_path / name), model)
        assert [text for text in warnings if "repeat another row" not in text] == []


@pytest.mark.parametrize("is_told", [False, True])
def test_people_who_are_alike_are_no_copies(tmp_path: Path, is_told: bool) -> None:
    """Four columns of few values, an identifier, and an answer that they only make likelier, or two of them decide."""
    generator = np.random.default_rng(1)
    columns = {name: generator.integers(0, 6, 1000).tolist() for name in ("a", "b", "c", "d")}
    likely = 0.3 + 0.1 * np.array(columns["a"])
    decided = np.array(columns["a"]) + np.array(columns["b"]) > 5
    granted = np.where(decided if is_told else generator.random(1000) < likely, "yes", "no")
    dataset = LOANS.but(identifier="id", facet=None, categorical=(), numeric=tuple(Numeric(name=name) for name in columns))
    table = {**columns, "id": [f"p{row}" for row in range(1000)], "granted": granted.tolist()}
    assert said(tmp_path, table, dataset) == []


# --------------------------------------------------------------------------------------------------------------------- copies


def doubled(columns: dict[str, list[Any]], **others: list[Any]) -> dict[str, list[Any]]:
    """A third of the rows once more."""
    count = len(next(iter(columns.values())))
    return {**{name: cells + cells[: count // 3] for name, cells in columns.items()}, **others}


def test_one_observation_under_two_identifiers_is_counted_across_the_split(tmp_path: Path) -> None:
    columns = doubled(houses(600), id=[f"h{row}" for row in range(800)])
    made = cut(tmp_path, columns, HOUSES.but(identifier="id"))
    train = made.masks["train"]
    across = sum((not train[row] and train[row + 600]) or (train[row] and not train[row + 600]) for row in range(200))
    (text,) = made.looked_at[0]["found"]
    assert f"{across} of {int((~train).sum())} validation and test rows equal a training row in every feature and in the answer" in text
    assert "leave DataSet.identifier out" in text


def test_copies_at_another_time_are_counted_too(tmp_path: Path) -> None:
    columns = doubled(houses(600), seen=list(range(800)))
    (text,) = said(tmp_path, columns, HOUSES, by_time="seen")
    assert "200 of 240 validation and test rows equal a training row" in text and "or keep one" in text


def test_a_column_that_only_stamps_copies_is_named(tmp_path: Path) -> None:
    columns = doubled(houses(600), stamp=[10_000 + 7 * row % 800 for row in range(800)])
    (text,) = said(tmp_path, columns, HOUSES.but(numeric=(*HOUSES.numeric, Numeric(name="stamp"))))
    assert text.startswith("column 'stamp': ") and "equal a training row in every other feature" in text


# ---------------------------------------------------------------------------------------------------------------------- leaks


def test_a_column_that_follows_the_target_in_any_shape_is_a_suspect(tmp_path: Path) -> None:
    """No straight line: its correlation is far from the 1 that the contract refuses."""
    columns = houses(600)
    generator = np.random.default_rng(2)
    columns["tax"] = [round(float(np.exp(price / 60) * generator.uniform(0.99, 1.01)), 6) for price in columns["price"]]
    (text,) = said(tmp_path, columns, HOUSES.but(numeric=(*HOUSES.numeric, Numeric(name="tax"))))
    assert text.startswith("column 'tax': leakage suspect: alone it tells the target almost fully (R² of ranks 0.98")
    assert "remove it from the model's file" in text


def test_of_classes_a_column_that_ranks_them_or_names_them_is_a_suspect(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    columns = loans()
    columns["income"] = [round(float(40 * (answer == "yes") + generator.normal(0, 7)), 3) for answer in columns["granted"]]
    (text,) = said(tmp_path / "loans", columns, LOANS)
    assert text.startswith("column 'income': leakage suspect") and "AUC 0.99" in text
    kinds = species()
    kinds["label"] = [name.upper() if generator.random() > 0.003 else "OTHER" for name in kinds["species"]]
    (text,) = said(tmp_path / "species", kinds, SPECIES.but(categorical=(Categorical(name="label"),)))
    assert text.startswith("column 'label': leakage suspect")


def test_a_strong_column_that_is_not_the_answer_is_no_suspect(tmp_path: Path) -> None:
    """As the petals of irises, or the carats of diamonds."""
    generator = np.random.default_rng(3)
    kinds = species(600)
    kinds["width"] = [round({"ant": 0, "bee": 4, "fly": 6}[name] + float(generator.normal(0, 0.6)), 3) for name in kinds["species"]]
    assert said(tmp_path / "species", kinds, SPECIES) == []
    columns = houses(2000)
    columns["price"] = [round(float(np.exp(area / 40 + generator.normal(0, 0.25))), 2) for area in columns["area"]]
    assert said(tmp_path / "houses", columns, HOUSES.but(metric="mae")) == []


@pytest.mark.parametrize("is_there", [True, False])
def test_a_column_that_is_there_for_one_class_only_is_a_suspect(tmp_path: Path, is_there: bool) -> None:
    generator = np.random.default_rng(3)
    columns = loans()
    filled = [(answer == "yes") != is_there or generator.random() < 0.5 for answer in columns["granted"]]
    filled = [is_filled != is_there for is_filled in filled]
    columns["paid"] = [round(float(generator.normal()), 3) if is_filled else None for is_filled in filled]
    found = said(tmp_path, columns, LOANS.but(numeric=(*LOANS.numeric, Numeric(name="paid"))))
    assert len(found) == 1 and found[0].startswith("column 'paid': leakage suspect")


def test_identifiers_that_were_given_by_the_answer_are_told(tmp_path: Path) -> None:
    columns = houses(600)
    order = np.argsort(np.argsort(columns["price"]))
    (text,) = said(tmp_path, {**columns, "id": (order + 1000).tolist()}, HOUSES.but(identifier="id"))
    assert "column 'id': its number goes with the target" in text and "Split(by_time='id')" in text


def test_a_model_of_one_column_is_judged_on_rows_that_it_has_not_learned_from() -> None:
    """A category for each row knows every answer that it has seen, and no other."""
    generator = np.random.default_rng(1)
    target, half = generator.normal(size=400), generator.random(400) < 0.5
    assert one_column.regression(np.arange(400), target, half) < 0.05
    assert one_column.multiclass(np.arange(400), generator.integers(0, 3, 400).astype(float), half) <= 0
    assert one_column.binary(np.array([0, 0, 1, 1] * 10), np.array([0.0, 0, 1, 1] * 10), np.arange(40) % 8 < 4) == 1.0


# ----------------------------------------------------------------------------------------------------------------- over time


def drifting(rows: int = 2000) -> dict[str, list[Any]]:
    columns = houses(rows)
    columns["year"] = [2000 + 20 * row // rows for row in range(rows)]
    columns["price"] = [round(price + 15 * (year - 2000), 2) for price, year in zip(columns["price"], columns["year"], strict=True)]
    return columns


def test_where_the_target_moves_over_time_a_split_by_time_is_recommended(tmp_path: Path) -> None:
    dataset = HOUSES.but(numeric=(*HOUSES.numeric, Numeric(name="year")))
    (text,) = said(tmp_path / "chance", drifting(), dataset)
    assert text.startswith("column 'year': the rows carry a time, and the target (PSI ")
    assert "set Preparation(split=Split(by_time='year'))" in text
    assert said(tmp_path / "time", drifting(), dataset, by_time="year") == []


def test_when_a_thing_was_made_is_no_time_of_its_row(tmp_path: Path) -> None:
    columns = drifting()
    columns["year_built"] = columns.pop("year")
    assert said(tmp_path, columns, HOUSES.but(numeric=(*HOUSES.numeric, Numeric(name="year_built")))) == []


# -------------------------------------------------------------------------------------------------------------------- answers


def test_classes_with_too_few_test_rows_are_listed_in_one_line(tmp_path: Path) -> None:
    columns = species(300)
    columns["species"] = ["ant" if row % 20 == 0 else name for row, name in enumerate(columns["species"])]
    columns["species"] = ["bee" if name == "ant" and row % 20 else name for row, name in enumerate(columns["species"])]
    (text,) = said(tmp_path, columns, SPECIES.but(metric="macro_f1"))
    assert "too few test rows to judge a class by: 'ant' (" in text and "give more, or join classes" in text


@pytest.mark.parametrize(("metric", "is_said"), [("accuracy", True), ("f1", False), ("balanced_accuracy", False), ("auc", False)])
def test_what_one_answer_for_everyone_has_of_the_metric_is_said(tmp_path: Path, metric: str, is_said: bool) -> None:
    generator = np.random.default_rng(1)
    columns = {"pain": generator.random(2000).round(4).tolist(), "age": generator.normal(50, 9, 2000).round(1).tolist()}
    columns["ill"] = ["yes" if pain > 0.9 else "no" for pain in columns["pain"]]
    columns["pain"] = [round(pain + float(generator.normal(0, 0.3)), 4) for pain in columns["pain"]]
    found = said(tmp_path, columns, PATIENTS.but(metric=metric, numeric=(Numeric(name="pain"), Numeric(name="age"))))
    if not is_said:
        assert found == []
    else:
        share = columns["ill"].count("no") / 2000
        (text,) = found
        assert f"are 'no', so that answer for everyone has accuracy {share:.3f} and knows nothing; judge by balanced_accuracy" in text


def test_a_target_of_which_few_rows_decide_the_metric_is_told_another(tmp_path: Path) -> None:
    columns = houses(2000)
    generator = np.random.default_rng(1)
    columns["price"] = np.exp(generator.normal(3, 2, 2000)).round(3).tolist()
    (text,) = said(tmp_path / "rmse", columns, HOUSES)
    assert "column 'price': 1 % of the rows make" in text and "judge by mae" in text and "DataSet.objective='log_mean'" in text
    assert said(tmp_path / "mae", columns, HOUSES.but(metric="mae")) == []


# --------------------------------------------------------------------------------------------------------------- which rows


def test_of_a_large_table_a_sample_is_looked_at_that_no_order_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "MOST_ROWS", 500)
    monkeypatch.setattr(advice.copies, "MOST_ROWS", 500)
    columns = houses(2000)
    columns["tax"] = [round(float(np.exp(price / 60)), 6) for price in columns["price"]]
    columns = doubled(columns, id=[f"h{row}" for row in range(2666)])
    dataset = HOUSES.but(numeric=(*HOUSES.numeric, Numeric(name="tax")), identifier="id")
    order = np.random.default_rng(1).permutation(2666)
    first = cut(tmp_path / "a", columns, dataset).looked_at
    assert first == cut(tmp_path / "b", {name: [cells[row] for row in order] for name, cells in columns.items()}, dataset).looked_at
    assert "of 2666 rows, drawn by their hash" in first[1]["looked_at"] and "(among " in first[0]["found"][0]
    assert len(first[1]["found"]) == 1


# ------------------------------------------------------------------------------------------------------------------ the report


def test_the_report_has_what_was_looked_at_and_found_once_and_by_what_rows_were_split() -> None:
    looked_at = [
        {"about": "A drift over time", "looked_at": "all 9 rows", "found": ["the <target> moved"]},
        {"about": "Copies", "looked_at": "all 9 rows", "found": []},
    ]
    split = {"by": "time", "column": "seen", "validation_from": "2024-01-15", "test_from": "2024-01-17"}
    page = report.environment().get_template("data.html.j2")
    text = page.render(looked_at=looked_at, warnings=["the <target> moved", "an index"], split=split)
    assert text.count("the &lt;target&gt; moved") == 1 and text.count("an index") == 1 and "<td>nothing</td>" in text
    assert "the rows from 2024-01-17 on (seen) test" in text
    assert "Split by time" not in page.render(looked_at=[], warnings=[], split={"by": "features"})
