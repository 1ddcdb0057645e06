"""Every form in which clients send rows is the same rows; whatever else comes is refused with a 4xx, never with a 500."""

from __future__ import annotations

import json
from typing import Any

import flask
import inference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.steps.test_serving import CONTRACT, answer, refusal, version

JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
TWO = [{"area": 1, "rooms": 2, "kind": "flat"}, {"area": 3, "rooms": 4, "kind": "house"}]
FRAME = {"columns": ["kind", "area", "rooms"], "data": [["flat", 1, 2], ["house", 3, 4]]}
LISTS = [[1, 2, "flat"], [3, 4, "house"]]


@pytest.mark.parametrize(
    "document",
    [
        LISTS,
        TWO,
        {"instances": TWO, "signature_name": "serving_default"},
        {"inputs": LISTS},
        {"inputs": TWO, "params": {"threshold": 0.5}},
        {"inputs": {"rooms": [2, 4], "area": [1, 3], "kind": ["flat", "house"]}},
        {**FRAME, "index": [0, 1]},
        {"dataframe_split": FRAME},
        {"dataframe_split": {"data": LISTS}},
        {"dataframe_records": TWO},
        [{"features": row} for row in LISTS],
    ],
)
def test_rows_come_in_json_in_every_usual_form(document: Any) -> None:
    assert json.loads(answer(json.dumps(document), JSON)[0])["predictions"] == [{"score": 3.0}, {"score": 7.0}]


@pytest.mark.parametrize("document", [TWO[0], {"inputs": TWO[0]}, {"features": LISTS[0]}, {"instances": TWO[0]}, {"area": 1}])
def test_one_row_needs_no_list(document: Any) -> None:
    assert json.loads(answer(json.dumps(document), JSON)[0])["predictions"] == [{"score": 3.0}]


@pytest.mark.parametrize("rows", [TWO, LISTS, [{"features": row} for row in LISTS]])
@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
def test_json_lines_come_and_go(rows: list[Any], end: str) -> None:
    body = (end or "\n").join(map(json.dumps, rows)) + end
    assert answer(body, LINES, accept=LINES) == ('{"score": 3.0}\n{"score": 7.0}\n', LINES)
    assert answer(body, f"{LINES}; charset=utf-8", accept=CSV) == ("3.0\n7.0\n", CSV)


def test_json_lines_of_classes_have_the_decision() -> None:
    assert answer("9,9,flat", accept=LINES, classes=["no", "yes"])[0] == '{"score": 1.0, "predicted_label": "yes"}\n'


def test_a_character_that_ends_a_line_elsewhere_does_not_end_one_of_json_lines() -> None:
    assert answer('{"area": 1, "rooms": 2, "kind": "a\u2028b\u0085c"}', LINES)[0] == answer("1,2,x")[0]


@pytest.mark.parametrize(("body", "kind"), [("1,2,flat", CSV), (json.dumps(TWO[0]), JSON), (json.dumps(TWO[0]), LINES)])
def test_a_byte_order_mark_is_no_part_of_the_text(body: str, kind: str) -> None:
    assert answer(body.encode("utf-8-sig"), kind) == answer("\ufeff" + body, kind) == answer(body, kind)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ('{"area": 1, "rooms": 2, "area": 3}', JSON, "malformed JSON: 'area' is twice in one object"),
        ('{"instances": [], "instances": [[1, 2, "flat"]]}', JSON, "'instances' is twice"),
        ('{"area": 1}\n{"area": 1, "area": 1}', LINES, "line 2: malformed JSON: 'area' is twice in one object"),
        ('{"columns": ["area", "area"], "data": [[1, 2]]}', JSON, "columns has 'area' twice"),
        ('{"columns": ["area"], "data": [[1], [1, 2]]}', JSON, "row 2 has 2 cells for the 1 columns"),
        ('{"columns": "area", "data": [[1]]}', JSON, "columns is not a list of names"),
        ('{"columns": ["area"], "data": [1]}', JSON, "data is not a list of rows"),
        ('{"dataframe_split": {"columns": ["area"]}}', JSON, "data is not a list of rows"),
        ('{"instances": [], "inputs": []}', JSON, "JSON holds rows under instances and inputs; send one of them"),
        ('{"inputs": {"area": [1, 2], "rooms": [1]}}', JSON, "the columns have different numbers of cells: 1 and 2"),
        ('{"area": {"0": 1}}', JSON, "JSON holds no rows"),
        ('{"inputs": {"area": {"0": 1}}}', JSON, "'area' is not a list of cells"),
        ('{"instances": [1, 2]}', JSON, "a list of cells"),
        ("7", JSON, "JSON holds no rows"),
        ("{}", JSON, "the body has no rows"),
        ('{"columns": ["area"], "data": []}', JSON, "the body has no rows"),
        ("\n \n", LINES, "the body has no rows"),
        ('{"area": 1}\n{"area": ', LINES, "line 2: malformed JSON"),
        ('{"area": 1}\n\n7', LINES, "a list of cells"),
        ('{"area": 1}\n{"rooms": "x"}', LINES, "row 2: rooms is 'x', not a number"),
        ('{"area": 1, "town": "Lima"}', JSON, "row 1: unknown column 'town'; the columns are area, rooms, kind"),
        ('[[1, 2, [["flat"]]]]', JSON, "row 1: kind is a list, not a category"),
    ],
)
def test_what_has_no_one_meaning_is_refused(body: str, kind: str, words: str) -> None:
    status, message = refusal(body, kind)
    assert (status, words in message) == (400, True), message


def test_a_name_that_is_no_column_can_be_ignored() -> None:
    lenient = version(dataset={"extra_in_requests": "ignore"})

    def asked(document: Any) -> Any:
        return inference.predict_fn(inference.input_fn(json.dumps(document), JSON), lenient)

    assert asked([{**TWO[0], "order": 7, "note": None}]) == {"score": [3.0]}
    assert asked({**FRAME, "columns": ["kind", "area", "order"]}) == {"score": [3.0, 5.0]}
    nothing_known = asked([{"length": 1, "note": "x"}])
    assert nothing_known.get_data(as_text=True) == "row 1: unknown column 'length'; the columns are area, rooms, kind\n"


def test_a_row_may_carry_what_is_ignored_and_its_identifier_and_they_are_not_read() -> None:
    model = version(dataset={"ignore": ["note", "seen"], "identifier": "order"})

    def asked(document: Any) -> Any:
        return inference.predict_fn(inference.input_fn(json.dumps(document), JSON), model)

    assert asked([{**TWO[0], "order": 7, "note": "x", "seen": True}, TWO[1]]) == {"score": [3.0, 7.0]}
    assert asked({**FRAME, "columns": ["kind", "area", "note"]}) == {"score": [3.0, 5.0]}
    misspelt = asked([{**TWO[0], "note": "x", "notes": "y"}])
    assert misspelt.get_data(as_text=True) == "row 1: unknown column 'notes'; the columns are area, rooms, kind\n"
    assert asked([{"note": "x"}]).status_code == 400  # a row of which no column is learned of


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv;q=0.2, application/json;q=0.8", JSON),
        ("application/json;q=0.2, text/csv", CSV),
        ("application/xml, text/csv;q=0.5, application/jsonlines; Q=0.9", LINES),
        ("*/*, application/json;q=0", CSV),
        ("application/*;q=0.5, application/jsonlines", LINES),
        ("application/jsonlines;q=0.1, application/*", JSON),
        ("text/*", CSV),
        ("text/csv, application/json", CSV),
        ("TEXT/CSV; charset=utf-8; q=1.000", CSV),
        ("*/*;q=0.1", JSON),
        (" , ", JSON),
        ("", JSON),
        ("text/csv;q=x, application/jsonlines;q=0.1", LINES),
    ],
)
def test_the_kind_that_the_client_prefers_is_answered(accept: str, kind: str) -> None:
    assert answer("1,2,flat", accept=accept)[1] == kind


@pytest.mark.parametrize("accept", ["text/csv;q=0", "*/*;q=0", "*/*;q=0.0, application/xml", "text/csv;q=2", "application/xml", "*"])
def test_what_nothing_can_be_answered_as_is_not_acceptable(accept: str) -> None:
    status, message = refusal("1,2,flat", accept=accept)
    assert (status, message) == (406, f"cannot answer as {accept!r}; accept {JSON}, {CSV} or {LINES}")


# ------------------------------------------------------------------------------------------------ whatever comes

WORDS = st.sampled_from(["instances", "inputs", "columns", "data", "features", "dataframe_split", "dataframe_records", "area", "rooms"])
NAMES = st.one_of(WORDS, WORDS, st.sampled_from(["kind", "index", "x"]), st.text(max_size=3))
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9),
    st.sampled_from([10**400, 1e39]),
    st.floats(),
    st.sampled_from(["1", "flat", " flat\u00a0", "5 \ud83d", "$5\udc00", "1,5", "-", "2020-01-01", "area", "1 234", "\ud800"]),
    st.text(max_size=5),
)
DOCUMENTS = st.recursive(
    CELLS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)), max_leaves=14
)
TEXTS = st.one_of(
    DOCUMENTS.map(json.dumps),
    st.lists(DOCUMENTS, max_size=3).map(lambda documents: "\n".join(map(json.dumps, documents))),
    st.lists(st.lists(CELLS, min_size=3, max_size=3).map(lambda row: ",".join(map(str, row))), max_size=3).map("\n".join),
    st.text(max_size=30),
    st.text('{}[],:"\\\n\r\x00 1ae', max_size=30),
    st.sampled_from(['[["', '{"a":' * 5_000, '{"area": ' + "[" * 900 + "]" * 900 + "}", "9" * 5_000, "[" + "9" * 5_000 + "]"]),
)
REQUESTS = st.one_of(TEXTS, TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=30))
TYPES = st.one_of(st.sampled_from([JSON, CSV, LINES, f"{JSON}; charset=utf-8"]), st.none(), st.text(max_size=8))
RANGES = st.sampled_from(["*/*", "text/*", JSON, CSV, LINES, "a/b", ";q=0", ";q=0.5", ";q=", "; Q = 1", ",", ";", "=", "\u00e9"])
ACCEPTS = st.one_of(st.none(), st.lists(RANGES, max_size=6).map("".join), st.text(max_size=12))
SERVED = [
    version(dataset=CONTRACT),
    version(["a", "b", "c"], {**CONTRACT, "extra_in_requests": "ignore"}),
    version(["no", "yes"], {"categorical": [{"name": "kind", "values": ["flat"], "unlisted": "other"}]}),
]


@settings(max_examples=500)
@given(REQUESTS, TYPES, ACCEPTS, st.sampled_from(SERVED))
def test_whatever_is_sent_is_answered_or_refused(body: str | bytes, content_type: str | None, accept: str | None, served: Any) -> None:
    """With a 4xx: anything that is raised would be a 500 of the container, which counts as a fault of the endpoint."""
    said = inference.output_fn(inference.predict_fn(inference.input_fn(body, content_type), served), accept)
    if isinstance(said, flask.Response):
        assert 400 <= said.status_code < 500
        assert said.get_data().endswith(b"\n")
    else:
        said[0].encode()
        assert said[1] in (JSON, CSV, LINES)
