"""Claims about the ONNX file of a version: it answers as the version does, whatever the row holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from build_scripts.command_line import ProblemError
from build_scripts.edge import onnx_file, trees
from build_scripts.edge.graph import Graph
from build_scripts.step_modules import load
from tests.edge.versions import CLASSES, OBJECTIVES, ROWS, TOWNS, columns, fitted


def asked(exported: bytes, numbers: dict[str, Any], texts: dict[str, list[str]]) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    feeds = {**numbers, **{name: np.array(cells, dtype=object) for name, cells in texts.items()}}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def rows() -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The training rows; then gaps, texts that mean gaps, unseen categories, and numbers beyond each outlier bound."""
    numeric, categorical = columns()
    numbers = {name: np.concatenate([values, [np.nan, 0.0, 1e9, -1e9]]) for name, values in numeric.items()}
    texts = {
        name: [distinct[code] or "" for code in codes] + ["", "NA", "unseen", "null"] for name, (distinct, codes) in categorical.items()
    }
    return numbers, texts


def own(served: Any, numbers: dict[str, Any], texts: dict[str, list[str]]) -> Any:
    """What the version says, by the way that a request takes."""
    matrix = load("features").stack(numbers, served.preparer.numeric, len(numbers["area"]))
    labels = [load("features").labels([load("cells").category(cell) for cell in texts[name]]) for name in served.preparer.categorical]
    return served.predict(matrix, labels)


@pytest.mark.parametrize("problem", CLASSES)
@pytest.mark.parametrize("algorithm", ["gradient_boosting", "random_forest", "linear"])
def test_scores_labels_and_probabilities_are_the_versions(problem: str, algorithm: str) -> None:
    served, (numbers, texts) = fitted(problem, algorithm), rows()
    answer, expected = asked(onnx_file.made(served, {}), numbers, texts), own(served, numbers, texts)
    several = problem == "multiclass"
    np.testing.assert_allclose(answer["score_"], expected.max(axis=1) if several else expected, rtol=1e-6)
    if problem == "regression":
        assert list(answer) == ["score_"]  # a column is called score
        return
    decided = expected.argmax(axis=1) if several else (expected >= 0.37).astype(int)
    assert answer["predicted_label"].tolist() == [CLASSES[problem][index] for index in decided]  # type: ignore[index]
    probabilities = expected if several else np.column_stack([1 - expected, expected])
    np.testing.assert_allclose(answer["probabilities"], probabilities, rtol=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("algorithm", ["gradient_boosting", "random_forest", "linear"])
def test_what_else_a_regression_predicts_is_the_versions(algorithm: str, objective: str) -> None:
    served, (numbers, texts) = fitted("regression", algorithm, objective), rows()
    expected = own(served, numbers, texts)
    assert len(np.unique(expected)) > 100
    np.testing.assert_allclose(asked(onnx_file.made(served, {}), numbers, texts)["score_"], expected, rtol=2e-6)


@pytest.mark.parametrize("problem", CLASSES)
@pytest.mark.parametrize("algorithm", ["gradient_boosting", "linear"])
def test_categories_that_are_what_they_were_answered_are_looked_up(algorithm: str, problem: str) -> None:
    served, (numbers, texts) = fitted(problem, algorithm, encoding="target"), rows()
    assert "town=<target>" in served.preparer.outputs or "town=<ash>" in served.preparer.outputs
    expected = own(served, numbers, texts)
    answer = asked(onnx_file.made(served, {}), numbers, texts)
    np.testing.assert_allclose(answer["score_"], expected.max(axis=1) if expected.ndim == 2 else expected, rtol=1e-6)


@pytest.mark.parametrize("algorithm", ["gradient_boosting", "random_forest"])
def test_the_values_of_trees_have_the_same_bits_alone_and_in_a_batch(algorithm: str) -> None:
    served, (numbers, texts) = fitted("regression", algorithm), rows()
    exported, expected = onnx_file.made(served, {}), own(served, numbers, texts)
    assert asked(exported, numbers, texts)["score_"].tolist() == expected.tolist()
    for row in (0, 1, ROWS, ROWS + 3):
        number, text = ({name: cells[row : row + 1] for name, cells in given.items()} for given in (numbers, texts))
        assert asked(exported, number, text)["score_"].tolist() == [expected[row]]


def test_a_value_on_the_threshold_of_a_tree_goes_where_xgboost_sends_it() -> None:
    served = fitted("regression", "gradient_boosting", normalisation="none", outlier_rule="none")
    tree_rows = served.model.booster.trees_to_dataframe()
    splits = tree_rows.loc[tree_rows.Feature == "f0", "Split"].unique().astype(np.float32)[:40]
    area = np.concatenate([splits, np.nextafter(splits, np.float32(-9)), np.nextafter(splits, np.float32(9))]).astype(np.float64)
    # Between two float32: which of them the number is rounded to decides.
    area = np.concatenate([area, (splits.astype(np.float64) + np.nextafter(splits, np.float32(-9))) / 2])
    numbers = {"area": area, "score": np.zeros(len(area))}
    texts = {"town": ["a b"] * len(area), "size": ["4"] * len(area)}
    expected = own(served, numbers, texts)
    assert len(set(expected)) > 10
    assert asked(onnx_file.made(served, {}), numbers, texts)["score_"].tolist() == expected.tolist()


@pytest.mark.parametrize(
    "preparation",
    [
        {"normalisation": "minmax", "outlier_rule": "quantile", "outlier_factor": 2.0, "numeric_imputation": "mean"},
        {"normalisation": "robust", "outlier_rule": "zscore", "missing_indicators": False, "numeric_imputation": "zero"},
        {"max_categories": 1},
    ],
    ids=["minmax", "robust", "one category"],
)
def test_every_preparation_is_in_the_file(preparation: dict[str, Any]) -> None:
    served, (numbers, texts) = fitted("regression", "linear", **preparation), rows()
    np.testing.assert_allclose(asked(onnx_file.made(served, {}), numbers, texts)["score_"], own(served, numbers, texts), rtol=1e-9)


def test_columns_that_were_selected_are_those_that_the_model_gets() -> None:
    served, (numbers, texts) = fitted("regression", "linear"), rows()
    chosen = ["score", "area=<missing>", f"town={TOWNS[1]}"]
    positions = [served.preparer.outputs.index(name) for name in chosen]
    whole, state = served.model, {**served.state, "selected": chosen}
    model = type(whole)(whole.coefficients[positions], whole.intercepts, whole.centre[positions], served.about, {})
    served = load("served").Served(load("features").Preparer(state), model, served.about, served.version, state)
    np.testing.assert_allclose(asked(onnx_file.made(served, {}), numbers, texts)["score_"], own(served, numbers, texts), rtol=1e-9)


def test_the_same_version_makes_the_same_file() -> None:
    served = fitted("binary", "linear")
    facts = {"model": "trees", "inputs": "[]"}
    assert onnx_file.made(served, facts) == onnx_file.made(served, dict(facts))


def test_an_algorithm_that_has_no_form_in_onnx_says_so() -> None:
    served = fitted("regression", "linear")
    other = load("served").Served(served.preparer, object(), served.about, {**served.version, "algorithm": "neural"}, served.state)
    with pytest.raises(ProblemError, match=r"^algorithm 'neural' has no form in ONNX; .*Trees or Linear.*build_scripts/edge/$"):
        onnx_file.made(other, {})


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"objective": "reg:tweedie"}, "its objective is reg:tweedie"),
        ({"booster": "dart"}, "its booster is dart"),
        ({"booster": "gblinear"}, "its booster is gblinear"),
        ({"multi_strategy": "multi_output_tree", "tree_method": "hist"}, "several values in a leaf"),
    ],
)
def test_other_trees_of_xgboost_are_refused_by_name(parameters: dict[str, str], said: str) -> None:
    xgboost = load("trees").xgboost
    answers = np.ones((20, 2)) if "multi_strategy" in parameters else np.arange(20.0)
    booster = xgboost.train(parameters, xgboost.DMatrix(np.arange(20.0)[:, None], label=answers), 2)
    with pytest.raises(ProblemError, match=said):
        trees.scores(Graph([]), "matrix", booster)
