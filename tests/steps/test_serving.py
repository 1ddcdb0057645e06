"""What the endpoint answers: predictions for good rows in every form, and a 4xx that teaches for bad ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


#: `rooms` has no bounds, and only `kind` is declared.
CONTRACT = {
    "numeric": [{"name": "area", "minimum": 0, "maximum": 120}, {"name": "rooms", "minimum": None, "maximum": None}],
    "categorical": [{"name": "kind", "values": ["flat", "house", "true", "4"]}],
}


def version(classes: list[str] | None = None, dataset: dict[str, Any] | None = None) -> served.Served:
    return served.Served(features.Preparer(COLUMNS), Sum(len(classes or [])), {"classes": classes}, {}, {"dataset": dataset or {}})


def answer(body: str | bytes, content_type: str = "text/csv", accept: str | None = None, classes: list[str] | None = None) -> Any:
    return inference.output_fn(inference.predict_fn(inference.input_fn(body, content_type), version(classes)), accept)


def refusal(body: str | bytes, content_type: str = "text/csv", accept: str | None = None) -> tuple[int, str]:
    refused = answer(body, content_type, accept)
    assert isinstance(refused, flask.Response)
    return refused.status_code, refused.get_data(as_text=True).removesuffix("\n")


@pytest.mark.parametrize(
    ("body", "content_type", "accept"), [("1,2", "image/png", None), ("1,2", "text/csv", None), ("1,2,flat", "text/csv", "a/b")]
)
def test_a_refusal_is_a_response_which_the_container_s_server_passes_on(body: str, content_type: str, accept: str | None) -> None:
    """It answers 500 to whatever is raised (`error_wrapper` of sagemaker_containers)."""
    server = flask.Flask("container")
    server.add_url_rule("/invocations", view_func=lambda: answer(body, content_type, accept), methods=["POST"])
    response = server.test_client().post("/invocations")
    assert (response.status_code, response.mimetype) == (refusal(body, content_type, accept)[0], "text/plain")
    assert 400 <= response.status_code < 500


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
        ("1,2,flat", "text/plain", 415, "send text/csv, application/json or application/jsonlines"),
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
        ('{"rows": [[1, 2, "flat"]]}', "application/json", 400, "instances"),
        ('{"instances": [1]}', "application/json", 400, "a list of cells"),
        ('{"instances": [{"garden": 1}]}', "application/json", 400, "unknown column 'garden'"),
        ('{"instances": [[1, 2, ["flat"]]]}', "application/json", 400, "kind is"),
        ('{"instances": [[true, 2, "flat"]]}', "application/json", 400, "area is"),
        ("area,rooms,kind\n1,2,flat", "text/csv", 400, "row 1 holds column names (area); send the rows without them"),
        ("1;2;flat", "text/csv", 400, "row 1 has 1 columns instead of 3: area, rooms, kind; separate cells with commas"),
        ('"39,1",2,flat', "text/csv", 400, "row 1: area is '39,1', not a number: a decimal comma; write 39.1"),
        ("1,2,flat\n1,$5,flat", "text/csv", 400, "row 2: rooms is '$5', not a number: a currency sign; write 5"),
        ("1,5 km,flat", "text/csv", 400, "rooms is '5 km', not a number: the unit 'km'; write 5"),
        ("-,2,flat", "text/csv", 400, "not a number: a sign for a missing value; leave the cell empty"),
        ("1e300,2,flat", "text/csv", 400, "row 1: area is 1"),
        ('{"instances": [[1, 2, Infinity]]}', "application/json", 400, "row 1: kind is 'inf', not a category"),
        ('{"instances": [[1, 2, {"a": 1}]]}', "application/json", 400, "not a category"),
        ('{"instances": [[1, 2, "\\ud83d"]]}', "application/json", 400, "kind is '\\ud83d', not a category"),
    ],
)
def test_bad_requests_name_what_is_wrong(body: str | bytes, kind: str, status: int, words: str) -> None:
    code, message = refusal(body, kind)
    assert code == status
    assert words in message


def test_a_long_cell_is_shown_short() -> None:
    """And read in one pass: a pattern that looks at each digit again for each digit would take hours."""
    long = "9" * 1_000_000 + "x"
    _, message = refusal(json.dumps([[long, 2, "flat"]]), "application/json")
    assert message.startswith("row 1: area is '9999")
    assert message.endswith("(1000001 characters), not a number; leave it empty if it is unknown")
    assert len(refusal(json.dumps([{long: 1}]), "application/json")[1]) < 200


def outcome(body: str, kind: str = "text/csv") -> str:
    """The refusal of a version with a contract, or nothing."""
    return said(inference.predict_fn(inference.input_fn(body, kind), version(dataset=CONTRACT)))


def said(predicted: Any) -> str:
    if not isinstance(predicted, flask.Response):
        return ""
    assert predicted.status_code == 400
    return predicted.get_data(as_text=True).removesuffix("\n")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("1,2,flat\n1,2,castle", "row 2: kind is 'castle'; allowed: flat, house, true, 4"),
        ("1,2,Flat", "row 1: kind is 'Flat'; allowed: flat, house, true, 4"),
        ("1,2,flat\n121,2,flat\n1,2,castle", "row 2: area is 121; allowed: 0 to 120"),
        ("1,2,castle\n121,2,flat", "row 1: kind is 'castle'; allowed: flat, house, true, 4"),
        ("-0.5,2,flat", "row 1: area is -0.5; allowed: 0 to 120"),
        ("1,1e39,flat", "row 1: rooms is 1e+39; allowed: -3.4e+38 to 3.4e+38, which models calculate with"),
    ],
)
def test_what_training_refuses_is_refused(body: str, message: str) -> None:
    assert outcome(body) == message


@pytest.mark.parametrize("body", ["1,2, flat\u00a0", "0,2,house", "120.0,-9,4.0", "1,2,TRUE", ",,", "NA,nan,None", "\ufeff1,2,flat"])
def test_what_training_takes_is_answered(body: str) -> None:
    assert outcome(body) == ""


def test_json_means_the_same_as_csv() -> None:
    for cell in (True, "true", 4, 4.0, "4.00", None):
        assert outcome(json.dumps([[1, 2, cell]]), "application/json") == ""
    assert outcome("\ufeff" + json.dumps([[1, 2, 5]]), "application/json").startswith("row 1: kind is '5'; allowed: ")


def test_very_many_declared_categories_are_shown_in_part() -> None:
    model = version(dataset={"categorical": [{"name": "kind", "values": [f"k{index}" for index in range(1000)]}]})
    assert said(inference.predict_fn([["1", "2", "x"]], model)).endswith("k18, k19 and 980 more")


@pytest.mark.parametrize(
    ("bounds", "allowed"),
    [({"minimum": 0}, "at least 0"), ({"maximum": -5.5}, "at most -5.5"), ({"minimum": -7, "maximum": -6}, "-7 to -6")],
)
def test_a_range_is_told_in_words(bounds: dict[str, float], allowed: str) -> None:
    model = version(dataset={"numeric": [{"name": "area", **bounds}]})
    assert said(inference.predict_fn([["-1", "2", "flat"]], model)) == f"row 1: area is -1; allowed: {allowed}"


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
