"""A blend of the candidates competes: who is a member, when it is chosen, and that one archive answers as the members together do."""

from __future__ import annotations

import dataclasses
import json
import tarfile
from pathlib import Path
from typing import Any

import blend
import blending
import inference
import numpy as np
import pytest
import row_cost
import served
from blend import Blend, Member
from blending import Judge
from failure import BadInput
from numpy.typing import NDArray

from tests.edge.versions import fitted
from tests.steps.journey import Journey
from tests.steps.small_data import HOUSES, as_json, houses, write_csv

pytestmark = pytest.mark.thorough  # models are fitted and packed

RMSE = Judge("rmse", more_is_better=False)
Floats = NDArray[np.float64]


def anybody(_: Any) -> bool:
    return True


def guesses(*errors: float, rows: int = 400, seed: int = 0) -> tuple[Floats, list[Floats]]:
    """A target, and what candidates say of it whose errors have these deviations and nothing in common."""
    generator = np.random.default_rng(seed)
    target = generator.normal(size=rows)
    return target, [target + generator.normal(0, error, rows) for error in errors]


def test_candidates_that_err_differently_are_blended_and_one_that_knows_nothing_is_left_out() -> None:
    target, scores = guesses(0.5, 0.5, 30.0)
    found = blending.weights(target, scores, RMSE, anybody)
    assert found[2] == 0 and found.sum() == pytest.approx(1)
    assert 0.35 < found[0] < 0.65, "two that are as good as each other"
    assert (blending.gain(target, scores, RMSE, anybody)["p_better"] or 0) > 0.99


def test_a_candidate_that_says_the_same_adds_nothing() -> None:
    target, (scores,) = guesses(0.5)
    assert blending.weights(target, [scores, scores.copy()], RMSE, anybody).tolist() == [1, 0]


def test_no_member_is_drawn_that_is_not_allowed() -> None:
    target, scores = guesses(0.5, 0.5, 0.5)
    assert np.flatnonzero(blending.weights(target, scores, RMSE, lambda members: 1 not in members)).tolist() == [0, 2]
    assert np.flatnonzero(blending.weights(target, scores, RMSE, lambda members: len(members) < 2)).tolist() == [0]


def test_the_gain_is_that_of_rows_which_the_weights_have_not_seen() -> None:
    """On the rows that they were found by, weights of a candidate that knows nothing more look better in half of all cases."""
    looked_better = found_better = 0
    for seed in range(40):
        target, (said,) = guesses(1.0, rows=60, seed=seed)
        scores = [said, said + np.random.default_rng(100 + seed).normal(0, 1, 60)]
        found = blending.weights(target, scores, RMSE, anybody)
        gained = blending.gain(target, scores, RMSE, anybody)
        looked_better += bool(found[1])
        found_better += (gained["p_better"] or 0) > 0.9
    assert looked_better >= 10 and found_better <= 4


def test_of_decisions_members_are_drawn_by_their_probabilities() -> None:
    generator = np.random.default_rng(3)
    chance = generator.random(500)
    target = (generator.random(500) < chance).astype(float)
    noisy = [np.clip(chance + generator.normal(0, 0.2, 500), 0.01, 0.99) for _ in range(2)]
    found = blending.weights(target, noisy, Judge("f1", more_is_better=True, decision_metric="f1"), anybody)
    assert 0.2 < found[0] < 0.8


def blended(problem: str, weights: dict[str, float]) -> Any:
    """A version like those of tests/edge/versions.py whose model is a blend."""
    versions = {name: fitted(problem, name) for name in weights}
    first = next(iter(versions.values()))
    contract = {
        "numeric": [{"name": "area"}, {"name": "score"}],
        "categorical": [{"name": "town"}, {"name": "size", "values": ["4", "10"]}],
    }
    model = Blend([Member(name, weight, versions[name].model) for name, weight in weights.items()])
    version = {**first.version, "algorithm": blend.NAME, "hyperparameters": weights}
    return dataclasses.replace(first, model=model, version=version, state={**first.state, "dataset": {**first.dataset, **contract}})


@pytest.mark.parametrize("problem", ["regression", "binary", "multiclass"])
def test_a_row_alone_is_looked_up_in_one_table_of_all_members_with_the_bits_of_their_mean(problem: str) -> None:
    version = blended(problem, {"gradient_boosting": 0.3, "random_forest": 0.7})
    assert version.one_row is not None
    rows = [
        [area, score, town, size] for area in ("0.3", "", "2.5") for score in ("-1", "0.2") for town in ("a b", "new") for size in ("4", "")
    ]
    together = inference.predict_fn(rows, version)
    for place, row in enumerate(rows):
        assert inference.predict_fn([row], version) == {name: values[place : place + 1] for name, values in together.items()}
    matrix = version.prepare(np.array([[0.3, -1.0]]), [(["a b"], np.zeros(1, int)), (["4"], np.zeros(1, int))])
    each = {member.algorithm: member.model.predict(matrix) for member in version.model.members}
    np.testing.assert_allclose(version.model.predict(matrix), 0.3 * each["gradient_boosting"] + 0.7 * each["random_forest"], rtol=1e-12)


def test_with_a_linear_member_a_row_takes_the_way_of_many_and_costs_as_much() -> None:
    trees, line = fitted("regression", "gradient_boosting").model, fitted("regression", "linear").model
    assert blended("regression", {"gradient_boosting": 0.5, "linear": 0.5}).one_row is None
    alone, both = [row_cost.size(trees)], [row_cost.size(trees), row_cost.size(line)]
    assert row_cost.microseconds(both, 4) > 10 * row_cost.microseconds(alone, 4)


def test_the_cost_of_a_row_follows_the_words_of_the_table_that_it_is_looked_up_in() -> None:
    version = fitted("binary", "random_forest")
    size = row_cost.size(version.model)
    known = blended("binary", {"gradient_boosting": 0.5, "random_forest": 0.5})
    line = known.one_row._table.shape[1] - 2  # a score begins with a word of its own
    assert size.words is not None
    assert size.words + (row_cost.size(fitted("binary", "gradient_boosting").model).words or 0) == line


def test_a_member_that_cannot_be_loaded_is_one_line_with_its_name(tmp_path: Path) -> None:
    version = blended("regression", {"gradient_boosting": 0.5, "linear": 0.5})
    version.model.save(tmp_path)
    loaded: Any = blend.load(tmp_path, version.version, version.about)
    assert loaded.settings == {"gradient_boosting": 0.5, "linear": 0.5}
    for name, file, content in (
        ("gradient_boosting", "model.ubj", b"broken"),
        ("linear", "linear.json", b"{}"),
        ("linear", "linear.json", None),
    ):
        place = tmp_path / blend.FOLDER / name / file
        whole = place.read_bytes()
        place.unlink() if content is None else place.write_bytes(content)
        with pytest.raises(BadInput) as refused:
            blend.load(tmp_path, version.version, version.about)
        assert f"the {name} model in {name} cannot be loaded: " in str(refused.value) and "\n" not in str(refused.value)
        place.write_bytes(whole)


BOOSTED = {"num_round": "28", "eta": "0.1", "max_depth": "2"}


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """Prices that rise with the area in a line and jump with the rooms: a line and trees each see a half of it."""
    folder = tmp_path_factory.mktemp("blend")
    columns = houses(2000)
    columns["price"] = [round(price + 80 * (rooms % 3 == 0), 2) for price, rooms in zip(columns["price"], columns["rooms"], strict=True)]
    write_csv(folder / "data" / "houses.csv", columns)
    made = Journey.begin(folder, HOUSES)
    document = as_json(made.specification)
    document["choice"]["blend"] |= {"max_latency_ratio": 100.0}
    made.specification.write_text(json.dumps(document), encoding="utf-8")
    made.prepare()
    made.train("linear")
    made.train("gradient_boosting", BOOSTED)
    made.choose()
    return made


def unpacked(journey: Journey, folder: Path) -> Path:
    with tarfile.open(journey.model) as archive:
        archive.extractall(folder, filter="data")
    return folder


def choose(journey: Journey, output: Path, *arguments: str, specification: Path | None = None, **options: Any) -> Any:
    folders = [text for name in ("candidates", "train", "validation", "preparation") for text in (f"--{name}", str(journey.folder / name))]
    given = ["--output", str(output), "--specification", str(specification or journey.specification)]
    return journey.script("choose", *folders, *given, *arguments, **options)


def test_the_blend_is_chosen_packed_and_loaded_as_one(journey: Journey, tmp_path: Path) -> None:
    first, *others = as_json(journey.folder / "choice" / "choice.json")
    assert first["algorithm"] == "blend" and first["chosen"] and first["gain"]["p_better"] > 0.9
    assert first["validation"] < min(candidate["validation"] for candidate in others)
    version = served.load(unpacked(journey, tmp_path))
    assert version.version["hyperparameters"] == first["hyperparameters"]
    assert version.version["members"]["gradient_boosting"]["num_round"] == 28
    assert version.is_refitted
    parts = version.model.members  # type: ignore[attr-defined]
    assert [member.algorithm for member in parts] == ["gradient_boosting", "linear"]
    assert parts[0].model.settings["num_round"] == round(1.1 * version.version["members"]["gradient_boosting"]["num_round"])


def test_what_was_decided_once_is_made_again_from_the_members_alone_byte_for_byte(journey: Journey, tmp_path: Path) -> None:
    weights = as_json(journey.folder / "choice" / "choice.json")[0]["hyperparameters"]
    choose(journey, tmp_path, "--weights", " ".join(f"{name}={weight}" for name, weight in weights.items()))
    assert (tmp_path / "model" / "model.tar.gz").read_bytes() == journey.model.read_bytes()


def test_a_member_that_is_no_candidate_is_one_line(journey: Journey, tmp_path: Path) -> None:
    refused = choose(journey, tmp_path, "--weights", "linear=0.5 random_forest=0.5", check=False)
    assert (refused.returncode, list(tmp_path.iterdir())) == (2, [])
    assert refused.stderr == "error: the blend's member 'random_forest' is no candidate; candidates: gradient_boosting, linear\n"


def test_by_default_a_row_may_not_cost_half_as_much_again_so_trees_are_not_blended_with_a_line(journey: Journey, tmp_path: Path) -> None:
    document = as_json(journey.specification)
    document["choice"]["blend"]["max_latency_ratio"] = 1.5
    specification = tmp_path / "specification.json"
    specification.write_text(json.dumps(document), encoding="utf-8")
    choose(journey, tmp_path, specification=specification)
    assert [candidate["algorithm"] for candidate in as_json(tmp_path / "choice" / "choice.json")] == ["gradient_boosting", "linear"]


def test_the_evidence_says_who_is_in_it_and_with_what_it_is_made_again(journey: Journey) -> None:
    journey.evaluate()
    recorded, choice = journey.evaluation["metadata"], as_json(journey.folder / "choice" / "choice.json")
    assert recorded["algorithm"] == "blend"
    assert recorded["hyperparameters"] == " ".join(f"{name}={weight}" for name, weight in sorted(choice[0]["hyperparameters"].items()))
    assert "num_round=" in recorded["best_trial_gradient_boosting"] and recorded["best_trial_random_forest"] == "none"
    page = (journey.folder / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "Better by more than noise than the best single model" in page
