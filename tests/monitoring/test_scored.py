"""What a batch model scored is watched like what an endpoint answered."""

import os
from datetime import UTC, datetime

import pytest

from tests.monitoring.production import HOUSES, LIMITS, NOW, PREFIX, Production, asked, line, trained

PREDICTIONS = "predictions/houses/"


@pytest.fixture
def production(tmp_path):
    made = Production(tmp_path, {**LIMITS, "window_hours": 24}, capture_prefix=None, predictions_prefix=PREDICTIONS)
    made.version("12")
    return made


def scored(production, lines, name="monday/version-12/abcdefghi/houses.csv.out", at="2026-11-26T04:10"):
    """A file as a transform job leaves it, written at a time."""
    production.put(PREDICTIONS + name, "".join(f"{text}\n" for text in lines))
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    os.utime(production.folder / (PREDICTIONS + name), (moment, moment))


def test_scored_rows_are_judged_in_the_window_in_which_they_were_written(production):
    scored(production, [f"{body},2.0" for body in asked(trained(300, 4))])
    (findings,) = production.watch()
    assert (findings["window"]["from"], findings["status"], findings["rows"]) == ("2026-11-26T00Z", "ok", 300)


def test_a_row_is_known_by_its_file_and_its_line(production):
    from evidence import FolderSource, Versions
    from scored import Scored

    scored(production, ["1,2,Lima,5.0", '"3",4,"Quito",6.0', "", "5,6,Cusco,7.0"])
    reader = Scored(production.store, Versions(FolderSource(production.folder / "evidence")).takes, PREDICTIONS)
    chunks = list(reader.chunks(production.store.list(PREDICTIONS)))
    rows = {
        row: (area, score)
        for chunk in chunks
        for row, area, score in zip(
            chunk.row_in_request.tolist(), chunk.rows.numeric["area"].tolist(), chunk.predicted.scores.tolist(), strict=True
        )
    }
    assert rows == {1: (1.0, 5.0), 2: (3.0, 6.0), 4: (5.0, 7.0)}
    assert {name for chunk in chunks for name in chunk.ids} == {f"{PREDICTIONS}monday/version-12/abcdefghi/houses.csv.out"}


def test_each_file_is_judged_by_the_version_in_its_path(production):
    production.version("13")
    scored(production, [f"{body},2.0" for body in asked(trained(150, 4))])
    scored(production, [f"{body},2.0" for body in asked(trained(120, 5))], "version-13/abcdefghj/houses.csv.out")
    (findings,) = production.watch()
    assert {version["version"]: version["rows"] for version in findings["versions"]} == {"12": 150, "13": 120}


def test_lines_that_are_cut_or_of_another_table_are_counted(production):
    scored(production, [*(f"{body},2.0" for body in asked(trained(200, 4))), "1,2", "1,2,3,4,5,6", '"1,2,Lima,5.0', "1,two,Lima,5.0"])
    (findings,) = production.watch()
    assert (findings["requests"], findings["rows"]) == (204, 200)
    assert findings["reasons"][0].startswith("4 requests of version 12 not as its contract has them, such as ")


def test_files_that_no_job_has_written_are_named_and_not_read(production):
    scored(production, [f"{body},2.0" for body in asked(trained(200, 4))])
    scored(production, ["what is this"], "by-hand.csv")
    (findings,) = production.watch()
    assert findings["reasons"] == [f"not read, because they are not where this model's requests are captured: {PREDICTIONS}by-hand.csv"]


def test_labels_with_commas_stay_one_cell(production):
    contract = {**HOUSES, "classes": ["dear", "cheap, small"], "dataset": {**HOUSES["dataset"], "problem": "binary"}}
    production.version("12", contract=contract)
    scored(production, ['50,2,"Lima","cheap, small",0.9'] * 120)
    (findings,) = production.watch()
    assert findings["rows"] == 120


def test_captured_requests_are_not_what_a_batch_model_is_judged_by(production):
    production.captured([line("1,2,Lima", "2.0")])
    (findings,) = production.watch(NOW)
    assert findings["status"] == "no traffic"
    assert production.store.list(f"{PREFIX}history.json")
