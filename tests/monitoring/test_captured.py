"""What data capture wrote is read whole: what can be is rows, and everything else is counted and named."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
import scored
from captured import SHADOW, Captured, listed
from evidence import FolderSource, Versions
from scored import CHECKS
from store import FolderStore
from windows import Calendar

from build_scripts import invocation
from capacity import measure
from infra.environment import verification
from settings_schema.names import SHADOW_VARIANT
from tests.monitoring.production import CAPTURE, HOUSES, Production, line

JSON = {"kind": "application/json", "answer_kind": "application/json"}


@pytest.fixture
def production(tmp_path):
    made = Production(tmp_path)
    made.version("12")
    return made


def read(production, deployed="12"):
    """The chunks and what else was seen, of all files there are."""
    reader = Captured(production.store, Versions(FolderSource(production.folder / "evidence")).takes, deployed)
    return list(reader.chunks(production.store.list(CAPTURE))), reader.seen


def rows_of(chunks):
    """(version, area, town, answer, id, row in request) of each row."""
    return [
        (chunk.version, area, town, score, id, row)
        for chunk in chunks
        for area, town, score, id, row in zip(
            chunk.rows.numeric["area"].tolist(),
            chunk.rows.texts("town"),
            chunk.predicted.scores.tolist(),
            chunk.ids,
            chunk.row_in_request.tolist(),
            strict=True,
        )
    ]


@pytest.mark.parametrize(
    ("body", "answer", "how"),
    [
        ("1,2,Lima\n3,4,Quito", "5.0\n6.0\n", {}),
        ("1,2,Lima\n3,4,Quito", "5.0\n6.0\n", {"encoding": "BASE64"}),
        ("1,2,Lima\n3,4,Quito", '{"predictions": [{"score": 5.0}, {"score": 6.0}]}', {"answer_kind": "application/json"}),
        ('{"instances": [[1, 2, "Lima"], [3, 4, "Quito"]]}', "5.0\n6.0\n", {"kind": "application/json", "encoding": "BASE64"}),
        ('[{"town": "Lima", "area": 1}, {"town": "Quito", "area": 3}]', "5.0\n6.0", {"kind": "application/json", "encoding": "JSON"}),
        (
            '{"area": 1, "town": "Lima"}\n{"area": 3, "town": "Quito"}\n',
            '{"score": 5.0}\n{"score": 6.0}\n',
            {"kind": "application/jsonlines", "answer_kind": "application/jsonlines", "encoding": "JSON"},
        ),
        (
            '[1, 2, "Lima"]\n[3, 4, "Quito"]',
            '{"score": 5.0}\n{"score": 6.0}',
            {"kind": "application/jsonlines", "answer_kind": "application/jsonlines", "encoding": "BASE64"},
        ),
        ('"1","2","Lima"\r\n3,4,Quito\r\n', "5.0\r\n6.0\r\n", {"kind": "TEXT/CSV; charset=utf-8"}),
    ],
)
def test_bodies_of_every_form_are_rows(production, body, answer, how):
    production.captured([line(body, answer, id="a", **how)])
    chunks, seen = read(production)
    assert rows_of(chunks) == [("12", 1.0, "Lima", 5.0, "a", 1), ("12", 3.0, "Quito", 6.0, "a", 2)]
    assert (seen.requests, seen.answered["12"]) == (1, 1)


def test_a_row_has_the_id_of_the_client_or_of_the_request_or_its_place(production):
    without = json.loads(line("1,2,Lima", "5.0"))
    without["eventMetadata"] = {"inferenceTime": "2026-11-27T14:00:01Z"}
    made = json.loads(line("1,2,Lima", "5.0"))
    key = production.captured([line("1,2,Lima", "5.0", id="order 7"), json.dumps(made), json.dumps(without)])
    ((chunk,), _) = read(production)
    assert chunk.ids == ["order 7", made["eventMetadata"]["eventId"], f"{key} line 3"]


def test_a_line_without_a_time_has_that_of_its_file(production):
    without = json.loads(line("1,2,Lima", "5.0"))
    del without["eventMetadata"]
    production.captured([json.dumps(without)], hour="2026/11/27/09")
    ((chunk,), _) = read(production)
    assert chunk.times.tolist() == [np.datetime64("2026-11-27T09:00").astype("datetime64[s]").astype(float)]


def test_a_file_that_is_cut_in_the_middle_loses_only_its_last_line(production):
    whole = "".join(f"{line('1,2,Lima', '5.0', id=str(place))}\n" for place in range(3))
    production.put(f"{CAPTURE}AllTraffic/2026/11/27/14/a.jsonl", whole[:-40])
    chunks, seen = read(production)
    assert [row[4] for row in rows_of(chunks)] == ["0", "1"]
    assert (seen.requests, seen.unreadable_lines) == (2, 1)
    assert seen.places["unreadable"].endswith("a.jsonl line 3")


@pytest.mark.parametrize(
    "broken",
    ["[]", "7", '{"captureData": {}}', '{"captureData": {"endpointInput": {"data": 5}}}', "\x00", '{"captureData": null}', "[" * 100_000],
)
def test_lines_that_are_no_captured_request_are_counted(production, broken):
    production.captured([broken, line("1,2,Lima", "5.0")])
    chunks, seen = read(production)
    assert (len(rows_of(chunks)), seen.unreadable_lines) == (1, 1)


def test_a_body_that_is_no_base64_is_an_unreadable_line(production):
    record = json.loads(line("1,2,Lima", "5.0"))
    record["captureData"]["endpointInput"] |= {"encoding": "BASE64", "data": "*"}
    production.captured([json.dumps(record)])
    assert read(production)[1].unreadable_lines == 1


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("1,2,Lima", "5.0\n6.0"),
        ("1,2,Lima", ""),
        ("1,2,Lima", "much"),
        ("1,2,Lima", "nan"),
        ("1,2", "5.0"),
        ("1,two,Lima", "5.0"),
        ("", "5.0"),
        ("1,2,Lima", '{"score": 5.0}'),
        ("1,2,\ud83d", "5.0"),  # half of a surrogate pair: JSON can hold it, and no text
    ],
)
def test_a_request_that_does_not_fit_its_answer_or_its_contract_is_counted(production, body, answer):
    production.captured([line("1,2,Lima", "5.0"), line(body, answer), line("1,2,Lima", "5.0")])
    chunks, seen = read(production)
    assert (len(rows_of(chunks)), seen.requests, seen.answered["12"], seen.mismatched["12"]) == (2, 3, 2, 1)
    assert seen.places["mismatched 12"].endswith("line 2")


def test_a_refusal_that_is_captured_is_counted_with_its_reason_by_column(production):
    production.captured(
        [
            line("1,two,Lima", "row 1: rooms is 'two', not a number", version=None, answer_kind="text/plain"),
            line("-1,2,Lima", "row 1: area is -1; allowed: at least 0", version=None, answer_kind="text/plain"),
            line("no", "malformed", version=None, answer_kind="text/plain"),
        ]
    )
    _, seen = read(production)
    assert (seen.requests, dict(seen.refused)) == (3, {"12": 3})
    assert (dict(seen.faults["12"].wrong_type), dict(seen.faults["12"].out_of_range)) == ({"rooms": 1}, {"area": 1})


def test_a_refused_request_is_held_against_the_version_that_answered_before_it(production):
    production.version("13")
    refused = line("1,two,Lima", "no", version=None, answer_kind="text/plain")
    production.captured([refused, line("1,2,Lima", "5.0", version="13"), refused, refused])
    assert dict(read(production)[1].refused) == {"12": 1, "13": 2}


def test_a_request_without_an_answer_is_refused_if_the_contract_refuses_it(production):
    production.captured([line("1,two,Lima", None), line("1,2,Lima", None)])
    _, seen = read(production)
    assert (dict(seen.refused), seen.unanswered) == ({"12": 1}, 1)


def test_versions_that_are_unknown_are_counted_by_name(production):
    production.captured([line("1,2,Lima", "5.0", version=version) for version in (None, "99", "99", "../12")])
    chunks, seen = read(production)
    assert (chunks, dict(seen.unknown)) == ([], {None: 1, "99": 2, "../12": 1})


@pytest.mark.parametrize(
    ("classes", "problem", "answers", "scores", "decided"),
    [
        (["no", "yes"], "binary", ["yes,0.9", "no,0.2"], [0.9, 0.2], [1, 0]),
        (["ant", "bee, wild"], "binary", ['"bee, wild",0.9', "ant,0.2"], [0.9, 0.2], [1, 0]),
        (["a", "b", "c"], "multiclass", ["c,0.1,0.2,0.7", "a,0.8,0.1,0.1"], [[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]], [2, 0]),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_answers_with_classes_are_scores_and_decisions(production, classes, problem, answers, scores, decided, as_json):
    contract = {**HOUSES, "classes": classes, "dataset": {**HOUSES["dataset"], "problem": problem}}
    production.version("12", contract=contract)
    how = {}
    if as_json:
        labels = [classes[place] for place in decided]
        several = [{"probabilities": score} if problem == "multiclass" else {"score": score} for score in scores]
        answers = [json.dumps({"predictions": [{"predicted_label": label, **own}]}) for label, own in zip(labels, several, strict=True)]
        how = {"answer_kind": "application/json"}
    production.captured(line("1,2,Lima", answer, id=str(place), **how) for place, answer in enumerate(answers))
    ((chunk,), _) = read(production)
    assert (chunk.predicted.scores.tolist(), chunk.predicted.decided.tolist()) == (scores, decided)


def test_a_class_that_the_version_does_not_know_is_no_answer_of_it(production):
    contract = {**HOUSES, "classes": ["no", "yes"], "dataset": {**HOUSES["dataset"], "problem": "binary"}}
    production.version("12", contract=contract)
    production.captured([line("1,2,Lima", "maybe,0.5"), line("1,2,Lima", "yes,0.5")])
    chunks, seen = read(production)
    assert (len(rows_of_classes(chunks)), seen.mismatched["12"]) == (1, 1)


def rows_of_classes(chunks):
    return [score for chunk in chunks for score in chunk.predicted.scores.tolist()]


def test_files_are_found_by_their_hour_and_others_are_named(tmp_path):
    store = FolderStore(tmp_path)
    for key in (
        "AllTraffic/2026/11/27/14/a.jsonl",
        "Second/2026/11/27/15/b.jsonl",
        "AllTraffic/2026/11/20/14/long-ago.jsonl",
        "AllTraffic/2026/11/27/14/deeper/c.jsonl",
        "AllTraffic/2026/11/27/14/e.jsonl.gz",
        "AllTraffic/2026/11/27/99/f.jsonl",
        "other-endpoint/AllTraffic/2026/11/27/14/d.jsonl",
    ):
        store.write(CAPTURE + key, b"", "")
    day = datetime(2026, 11, 27, tzinfo=UTC)
    found, foreign = listed(store, CAPTURE, day, datetime(2026, 11, 28, tzinfo=UTC), Calendar(1))
    assert {window.first: [item.key.removeprefix(CAPTURE) for item in items] for window, items in found.items()} == {
        "2026-11-27T14Z": ["AllTraffic/2026/11/27/14/a.jsonl"],
        "2026-11-27T15Z": ["Second/2026/11/27/15/b.jsonl"],
    }
    assert foreign[None] == [f"{CAPTURE}other-endpoint/AllTraffic/"]
    of_its_hour = [f"{CAPTURE}AllTraffic/2026/11/27/14/{name}" for name in ("deeper/c.jsonl", "e.jsonl.gz")]
    assert foreign[Calendar(1).of(day.replace(hour=14))] == of_its_hour
    assert foreign[Calendar(1).of(day.replace(hour=12))] == [f"{CAPTURE}AllTraffic/2026/11/27/99/f.jsonl"]  # of no hour: told once a day


def test_what_is_no_text_in_a_body_or_an_id_ends_no_run(production):
    cells = json.dumps({"instances": [[1, 2, "\ud83d"]]})
    production.captured(
        [line(cells, "5.0", kind="application/json", id="a"), line("1,2,Lima", "5.0", id="\ud83d"), line("1,2,Lima", "5.0")]
    )
    (findings,) = production.watch()
    assert (findings["requests"], findings["rows"]) == (3, 2)
    assert "1 request of version 12 not as its contract has them" in findings["reasons"][0]


def test_a_file_that_expired_while_it_was_to_be_read_is_named(production):
    key = production.captured([line("1,2,Lima", "5.0")])
    items = production.store.list(CAPTURE)
    (production.folder / key).unlink()
    reader = Captured(production.store, Versions(FolderSource(production.folder / "evidence")).takes, "12")
    assert (list(reader.chunks(items)), reader.seen.gone) == ([], [key])


def test_memory_does_not_grow_with_the_window(production, monkeypatch):
    """What is held at once is a number of requests, however many there are."""
    import captured

    monkeypatch.setattr(captured, "MOST_REQUESTS", 50)
    for name in range(4):
        production.captured((line("1,2,Lima", "5.0", id=f"{name} {place}") for place in range(100)), name=f"{name}")
    chunks, seen = read(production)
    assert [chunk.rows.count for chunk in chunks] == [50] * 8
    assert seen.answered["12"] == 400


@pytest.mark.parametrize("id", [f"{invocation.CHECK_PREFIX}1", f"{measure.INFERENCE_ID_PREFIX}1"])
def test_requests_of_verifications_and_load_tests_are_no_traffic(production, id):
    production.captured([line("500,2,Lima", "2.0\n", id=id)])
    (found,) = production.watch()
    assert (found["status"], found["requests"]) == ("no traffic", 0)
    assert found["reasons"] == ["1 request of verifications and load tests left out: they are no traffic"]


def test_rows_of_a_verification_are_no_traffic(tmp_path):
    assert f"{verification.FOLDER}/" == CHECKS
    store = FolderStore(tmp_path)
    store.write(f"predictions/houses/{CHECKS}job/rows.csv.out", b"", "")
    found = scored.listed(store, "predictions/houses/", datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), Calendar(24))
    assert found == ({}, {})


def test_an_answer_goes_by_the_clients_id_else_by_its_own_else_by_the_captures(production):
    lines = [line("50,2,Lima", "2.0\n", answer_kind="text/csv; answer-id=Ab-3", id=id) for id in ("order-1", None)]
    production.captured([*lines, line("50,2,Lima", "2.0\n", eventId="event-1")])
    chunks, _ = read(production)
    assert [id for chunk in chunks for id in chunk.ids] == ["order-1", "Ab-3", "event-1"]


def test_copies_in_production_s_shadow_are_no_traffic(production):
    production.captured([line("1,2,Lima", "5.0\n", id="a")])
    (answered,) = production.store.list(CAPTURE)
    copied = production.folder / answered.key.replace("AllTraffic", SHADOW_VARIANT)
    copied.parent.mkdir(parents=True)
    copied.write_text((production.folder / answered.key).read_text(encoding="utf-8"), encoding="utf-8")
    everything = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    found, foreign = listed(production.store, CAPTURE, *everything, Calendar(24))
    assert [item.key for items in found.values() for item in items] == [answered.key]
    assert f"{SHADOW_VARIANT}/" == SHADOW and foreign == {None: []}
