"""Requests are read as the serving container reads them, whichever way is taken: many at once, or one by one."""

import json

import bodies
import inference
import numpy as np
import pytest
from flask import Response
from hypothesis import given
from hypothesis import strategies as st
from request_forms import JSON_LINES
from takes import Takes

COLUMNS = {"numeric": [{"name": "area"}, {"name": "rooms"}], "categorical": [{"name": "town"}]}
TAKES = Takes.of({"dataset": {"problem": "regression", **COLUMNS}, "classes": None})
ALONE = Takes.of({"dataset": {"problem": "regression", "numeric": [{"name": "area"}], "categorical": []}, "classes": None})

#: Of a version that ignores names which are no columns.
LENIENT = Takes.of({"dataset": {"problem": "regression", **COLUMNS, "extra_in_requests": "ignore"}, "classes": None})

#: What people and programs write into cells, and what breaks readers.
NUMBERS = (
    "1",
    "-2.5",
    "+3",
    "1e3",
    "1e999",
    ".5",
    "5.",
    "0x1A",
    "1_000",
    "1,5",
    "\t7 ",
    "\u00a08",
    "\ufeff9",
    "４",
    "4.0",
    "007",
    "-0",
    "1e-400",
)
DIGITS = ("12345678901234567890", "0.1000000000000000055", "1." + "1" * 30)
GAPS = ("", " ", "nan", "NaN", "inf", "-Infinity", "NA", "None", "null")
TEXTS = (
    "true",
    "True",
    "Lima",
    "Ñuñoa",
    "N\u0303",
    '"quoted"',
    '"a, b"',
    'a"b',
    "a\rb",
    "a\x00b",
    "\u2028",
    "\x1c",
    "a\x0bb",
    "\ud800",
    "\ufffd",
)
CELLS = st.sampled_from((*NUMBERS, *DIGITS, *GAPS, *TEXTS))
LINES = st.lists(CELLS, min_size=0, max_size=4).map(",".join)
BODIES = st.lists(LINES, min_size=0, max_size=4).flatmap(lambda lines: st.sampled_from(["\n", "\r\n"]).map(lambda end: end.join(lines)))
ENDED = st.tuples(st.sampled_from(["", "", "\ufeff"]), BODIES, st.sampled_from(["", "\n", "\n\n"])).map("".join)


def as_served(body, kind, takes):
    """What the container makes of one request: its rows, or nothing where it refuses."""
    rows = inference.input_fn(body, kind)
    if isinstance(rows, Response):
        return None
    try:
        numbers, labels = inference.columns(rows, takes)
    except inference.RequestError:
        return None
    texts = [[distinct[code] for code in codes.tolist()] for distinct, codes in labels]
    return [(*map(_shown, row), *own) for row, *own in zip(numbers.tolist(), *texts, strict=True)]


def _shown(value):
    return "missing" if np.isnan(value) else repr(value)


def read(given_bodies, kind, takes):
    """The same of many: each body's rows, in the way that captured.py chooses."""
    found = {}
    for plain in (True, False):
        places = [place for place, body in enumerate(given_bodies) if (kind == inference.CSV and bodies.is_plain(body)) is plain]
        result = bodies.read([given_bodies[place] for place in places], kind, takes, plain=plain)
        assert np.all(np.diff(result.request) >= 0)
        columns = [list(map(_shown, result.rows.numeric[name].tolist())) for name in takes.numeric]
        columns += [result.rows.texts(name) for name in takes.categorical]
        own = {place: [] for place in range(len(places))} | dict.fromkeys(result.unreadable)
        for request, row in zip(result.request.tolist(), zip(*columns, strict=True), strict=True):
            own[request].append(row)
        found |= {places[place]: rows for place, rows in own.items()}
    return [found[place] for place in range(len(given_bodies))]


@given(st.lists(ENDED, min_size=1, max_size=6))
def test_csv_of_three_columns_is_read_as_the_container_reads_it(given_bodies):
    assert read(given_bodies, inference.CSV, TAKES) == [as_served(body, inference.CSV, TAKES) for body in given_bodies]


@given(st.lists(ENDED, min_size=1, max_size=6))
def test_csv_of_one_column_is_read_as_the_container_reads_it(given_bodies):
    assert read(given_bodies, inference.CSV, ALONE) == [as_served(body, inference.CSV, ALONE) for body in given_bodies]


@given(st.lists(st.tuples(st.sampled_from(["1", "2.5", "nan", " 7"]), CELLS, CELLS).map(",".join), min_size=1, max_size=6))
def test_rows_that_nearly_fit_are_read_as_the_container_reads_them(given_bodies):
    assert read(given_bodies, inference.CSV, TAKES) == [as_served(body, inference.CSV, TAKES) for body in given_bodies]


JSON_CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), CELLS.filter(lambda text: text != "\ud800"), st.just([]), st.just(10**400)
)
JSON_ROWS = st.one_of(
    st.lists(JSON_CELLS, min_size=2, max_size=4),
    st.dictionaries(st.sampled_from(["area", "rooms", "town", "other"]), JSON_CELLS),
    st.lists(JSON_CELLS, min_size=3, max_size=3).map(lambda row: {"features": row}),
)


@given(st.lists(st.lists(JSON_ROWS, max_size=3), min_size=1, max_size=4), st.booleans())
def test_json_is_read_as_the_container_reads_it(requests, is_wrapped):
    given_bodies = [json.dumps({"instances": rows} if is_wrapped else rows) for rows in requests]
    assert read(given_bodies, inference.JSON, TAKES) == [as_served(body, inference.JSON, TAKES) for body in given_bodies]


@given(st.lists(st.lists(JSON_ROWS, max_size=3), min_size=1, max_size=4))
def test_json_lines_are_read_as_the_container_reads_them(requests):
    given_bodies = ["\n".join(map(json.dumps, rows)) for rows in requests]
    for takes in (TAKES, LENIENT):
        assert read(given_bodies, JSON_LINES, takes) == [as_served(body, JSON_LINES, takes) for body in given_bodies]


def test_a_cell_that_is_longer_than_the_container_takes_is_refused():
    long = "9" * (bodies.LONGEST_CELL + 1)
    assert read([f"1,2,{long}", "1,2,x"], inference.CSV, TAKES) == [None, [("1.0", "2.0", "x")]]


@pytest.mark.parametrize("body", ["", "\n", "\n1\n\n2\n", " \n1", "1\n \n", " ", "NA", "1,2"])
def test_an_empty_line_is_no_row_and_a_blank_one_is_a_missing_value(body):
    assert read([body], inference.CSV, ALONE) == [as_served(body, inference.CSV, ALONE)]


def test_a_bad_request_among_many_costs_only_itself():
    given_bodies = ["1,2,Lima"] * 3 + ["1,two,Lima"] + ["3,4,Quito\n5,6,Lima"]
    result = bodies.read(given_bodies, inference.CSV, TAKES, plain=True)
    assert (result.request.tolist(), result.unreadable, result.rows.numeric["area"].tolist()) == ([0, 1, 2, 4, 4], [3], [1, 1, 1, 3, 5])


@pytest.mark.parametrize(
    ("body", "kind", "wrong", "outside", "unseen"),
    [
        ("1,two,Lima", "text/csv", {"rooms": 1}, {}, {}),
        ("-1,2,Paris\n5000,x,", "text/csv", {"rooms": 1}, {"area": 2}, {"town": 1}),
        ('[{"area": true, "town": []}]', "application/json", {"area": 1, "town": 1}, {}, {}),
        ("1,2", "text/csv", {}, {}, {}),
        ("no json", "application/json", {}, {}, {}),
    ],
)
def test_why_a_request_is_refused_is_counted_by_column(body, kind, wrong, outside, unseen):
    columns = {
        "numeric": [{"name": "area", "minimum": 0, "maximum": 1000}, {"name": "rooms"}],
        "categorical": [{"name": "town", "values": ["Lima"]}],
    }
    found = bodies.faults(body, kind, Takes.of({"dataset": {"problem": "regression", **columns}, "classes": None}))
    assert (dict(found.wrong_type), dict(found.out_of_range), dict(found.unseen)) == (wrong, outside, unseen)
