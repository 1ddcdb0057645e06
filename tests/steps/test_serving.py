"""What the endpoint answers: predictions for good rows in every form, and a 4xx that teaches for bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import features
import flask
import inference
import numpy as np
import pytest
import served
from numpy.typing import NDArray

COLUMNS = {
    "numeric": [
        {"name": "area", "lower": None, "upper": None, "fill": 1.0, "centre": 0.0, "scale": 1.0, "indicator": False},
        {"name": "rooms", "lower": None, "upper": 9.0, "fill": 2.0, "centre": 0.0, "scale": 1.0, "indicator": False},
    ],
    "categorical": [{"name": "kind", "categories": ["flat", "house"], "indicator": False}],
    "selected": None,
}


class Sum:
    """Answers the sum of the prepared numbers, or probabilities when there are classes."""

    def __init__(self, classes: int = 0) -> None:
        self.classes = classes

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        total = matrix[:, :2].sum(axis=1).astype(np.float64)
        if self.classes == 0:
            return total
        if self.classes == 2:
            return (total > 10).astype(np.float64)
        return np.eye(self.classes)[(total > 10).astype(int)]


def version(classes: list[str] | None = None) -> served.Served:
    return served.Served(features.Preparer(COLUMNS), Sum(len(classes or [])), {"classes": classes}, {}, {})


def answer(
    body: str | bytes, content_type: str = "text/csv", accept: str | None = None, classes: list[str] | None = None
) -> tuple[str, str]:
    return inference.output_fn(inference.predict_fn(inference.input_fn(body, content_type), version(classes)), accept)


def refusal(body: str | bytes, content_type: str = "text/csv", accept: str | None = None) -> tuple[int, str]:
    with pytest.raises(inference.RequestError) as caught:
        answer(body, content_type, accept)
    return caught.value.status_code, str(caught.value.message)


def test_a_flask_server_answers_with_the_status_of_the_refusal() -> None:
    """The container serves one model with Flask, which answers 500 to any error that is not one of its own kind."""
    server = flask.Flask("container")
    server.add_url_rule("/invocations", view_func=lambda: answer("1,2", "image/png")[0], methods=["POST"])
    response = server.test_client().post("/invocations")
    assert response.status_code == 415
    assert "image/png" in response.text


def test_csv_rows_are_answered_in_their_order() -> None:
    assert json.loads(answer("1,2,flat\n3,4,house\n")[0]) == {"predictions": [{"score": 3.0}, {"score": 7.0}]}
    assert answer(b"1,2,flat", accept="text/csv") == ("3.0\n", "text/csv")


def test_json_takes_lists_objects_and_features() -> None:
    for instance in ([1, 2, "flat"], {"area": 1, "rooms": 2, "kind": "flat"}, {"features": [1, 2, "flat"]}, ["1", "2", "flat"]):
        assert json.loads(answer(json.dumps({"instances": [instance]}), "application/json")[0])["predictions"] == [{"score": 3.0}]


def test_missing_values_are_empty_cells_or_null() -> None:
    for body, kind in (
        (",,", "text/csv"),
        ('{"instances": [[null, null, null]]}', "application/json"),
        ('{"instances": [{}]}', "application/json"),
    ):
        assert json.loads(answer(body, kind)[0])["predictions"] == [{"score": 3.0}]


def test_classes_are_answered_with_label_and_probability() -> None:
    assert json.loads(answer("9,9,flat", classes=["no", "yes"])[0])["predictions"] == [{"score": 1.0, "predicted_label": "yes"}]
    several = json.loads(answer("9,9,flat", classes=["a", "b", "c"])[0])["predictions"]
    assert several == [{"score": 1.0, "predicted_label": "b", "probabilities": [0.0, 1.0, 0.0]}]
    assert answer("9,9,flat", accept="text/csv", classes=["a", "b", "c"])[0] == "b,0.0,1.0,0.0\n"


def test_a_charset_and_a_list_of_accepted_types_are_understood() -> None:
    assert answer("1,2,flat", "text/csv; charset=utf-8", "application/xml, text/csv")[1] == "text/csv"
    assert answer("1,2,flat", accept="*/*")[1] == "application/json"


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        ("1,2,flat", "text/plain", 415, "send text/csv or application/json"),
        ("1,2,flat,4", "text/csv", 400, "row 1 has 4 columns instead of 3: area, rooms, kind"),
        ("1,2,flat\n1,2", "text/csv", 400, "row 2 has 2 columns"),
        ("x,2,flat", "text/csv", 400, "row 1: area is 'x', not a number"),
        ("inf,2,flat", "text/csv", 400, "area is 'inf'"),
        ("2020-01-01,2,flat", "text/csv", 400, "not a number"),
        ('"1,2,flat', "text/csv", 400, "malformed CSV"),
        ("", "text/csv", 400, "no rows"),
        (b"\xff\xfe", "text/csv", 400, "not UTF-8"),
        ("1,2,Bogot\ufffd", "text/csv", 400, "not UTF-8 (character 10)"),  # as the container's Flask server decodes b"Bogot\xe1"
        ("{", "application/json", 400, "malformed JSON"),
        ("[" * 100_000, "application/json", 400, "malformed JSON"),
        ('{"rows": []}', "application/json", 400, "instances"),
        ('{"instances": [1]}', "application/json", 400, "a list of cells"),
        ('{"instances": [{"garden": 1}]}', "application/json", 400, "unknown column 'garden'"),
        ('{"instances": [[1, 2, ["flat"]]]}', "application/json", 400, "kind is"),
        ('{"instances": [[true, 2, "flat"]]}', "application/json", 400, "area is"),
    ],
)
def test_bad_requests_name_what_is_wrong(body: str | bytes, kind: str, status: int, words: str) -> None:
    code, message = refusal(body, kind)
    assert code == status
    assert words in message


def test_an_answer_of_another_type_is_not_acceptable() -> None:
    assert refusal("1,2,flat", accept="application/xml")[0] == 406


def test_a_version_is_loaded_from_its_folder(tmp_path: Path) -> None:
    import algorithms.linear as linear

    model = linear.Linear(np.zeros((5, 1)), np.array([7.0]), np.zeros(5), {"problem": "regression"}, {})
    model.save(tmp_path)
    state = {**COLUMNS, "dataset": {"problem": "regression", "metric": "rmse"}, "classes": None}
    (tmp_path / "preparation.json").write_text(json.dumps(state), encoding="utf-8")
    (tmp_path / "version.json").write_text(json.dumps({"algorithm": "linear"}), encoding="utf-8")
    assert inference.predict_fn([["1", "2", "flat"]], inference.model_fn(str(tmp_path))) == {"score": [7.0]}
