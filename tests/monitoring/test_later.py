"""Labels that come after a window was judged say how good its answers were, and the window's findings then say so, too."""

import json
from contextlib import suppress
from datetime import timedelta

import pytest
import truth
from store import FolderStore
from teach import Teacher

from tests.monitoring.production import HOUSES, LIMITS, NOW, Production, line

pytest.importorskip("realised")

#: Evaluated with an error of 1; not estimated for the window, so that only labels say anything.
ESTIMATOR = {"metric": "rmse", "at_evaluation": 1.0, "more_is_better": False, "method": None, "why": "the test says so"}


@pytest.fixture
def production(tmp_path):
    made = Production(tmp_path)
    made.version("12", estimator=ESTIMATOR)
    made.traffic(200)
    return made


def send(production, truth, name="first", rows=range(200)):
    """A truth for answered requests, which all have the answer 2."""
    cells = "".join(f"2026/11/27/14 30-00-000-a {row},{truth}\n" for row in rows)
    production.put(f"labels/houses/{name}.csv", f"inference_id,truth\n{cells}")


def realised(production):
    return production.written("findings.json")["versions"][0]["realised"]


def test_a_window_without_labels_has_no_realised_quality(production):
    production.watch()
    assert realised(production) is None


def test_labels_that_come_later_say_how_good_the_answers_were(production):
    production.watch()
    send(production, 2.5)
    told = []
    production.watch(NOW + timedelta(minutes=5), tell=lambda findings, truth: told.append((findings["status"], truth is not None)))
    found = realised(production)
    assert (found["metric"], found["value"], found["coverage"], found["labels"]) == ("rmse", 0.5, 1.0, 200)
    assert production.written("findings.json")["judged_at"] == "2026-11-27T15:25:00Z"
    assert told == [("ok", True)]
    assert production.history[-1]["realised"]["value"] == 0.5


def test_answers_that_were_worse_than_at_evaluation_are_a_breach(production):
    production.watch()
    send(production, 5.0)
    production.watch(NOW + timedelta(minutes=5))
    (breach,) = production.written("findings.json")["breaches"]
    assert (breach["kind"], breach["version"], breach["effect"], breach["limit"]) == ("quality", "12", 3.0, 1.1)
    assert production.written("findings.json")["status"] == production.history[-1]["status"] == "breached"


def test_a_correction_replaces_what_was_said_before(production):
    production.watch()
    send(production, 5.0)
    production.watch(NOW + timedelta(minutes=5))
    send(production, 2.0, name="second")
    production.watch(NOW + timedelta(minutes=10))
    assert (realised(production)["value"], production.written("findings.json")["status"]) == (0.0, "ok")


def test_without_new_labels_nothing_is_said_again(production):
    production.watch()
    send(production, 5.0)
    production.watch(NOW + timedelta(minutes=5))
    told = []
    production.watch(NOW + timedelta(minutes=10), tell=lambda findings, truth: told.append(findings))
    assert told == []
    assert production.written("findings.json")["judged_at"] == "2026-11-27T15:25:00Z"


def test_a_window_that_is_judged_again_keeps_what_labels_say(production):
    production.watch()
    send(production, 5.0)
    production.watch(NOW + timedelta(minutes=5))
    production.traffic(20, name="late", seed=4)
    told = []
    production.watch(NOW + timedelta(minutes=10), tell=lambda findings, truth: told.append(findings["status"]))
    assert told == ["breached"]
    assert (realised(production)["labels"], realised(production)["coverage"]) == (200, 200 / 220)


def test_what_is_wrong_with_label_files_is_kept(production):
    production.watch()
    production.put("labels/houses/wrong.csv", "id,truth\n1,2\n")
    production.watch(NOW + timedelta(minutes=5))
    written = (production.folder / "monitoring/houses/labels.json").read_text()
    assert "labels/houses/wrong.csv: has no column inference_id" in written


def test_answers_of_a_version_without_estimator_stay_as_they_are(production):
    production.version("11")
    production.captured([line("50,2,Lima", "2.0", version="11", id=f"old {place}") for place in range(150)], name="other")
    production.watch()
    send(production, 2.5)
    production.watch(NOW + timedelta(minutes=5))
    assert [version["realised"] is None for version in production.written("findings.json")["versions"]] == [True, False]


def test_labels_of_answers_that_nobody_got_are_counted_and_named(production):
    production.watch()
    production.put("labels/houses/first.csv", "inference_id,truth\nnobody,2\n2026/11/27/14 30-00-000-a 3,2\n")
    production.watch(NOW + timedelta(minutes=5))
    written = json.loads((production.folder / "monitoring/houses/labels.json").read_text())
    assert (written["rows"], written["unknown"], written["unknown_ids"]) == (2, 1, ["nobody"])


def test_truth_that_is_deleted_is_taken_back(production):
    production.watch()
    send(production, 5.0)
    production.watch(NOW + timedelta(minutes=5))
    (production.folder / "labels/houses/first.csv").unlink()
    production.watch(NOW + timedelta(minutes=10))
    assert realised(production) is None
    assert production.written("findings.json")["status"] == production.history[-1]["status"] == "ok"


def test_labels_of_one_window_judge_no_other_again(production):
    production.traffic(200, hour="2026/11/27/13")
    production.watch()
    send(production, 2.5)
    production.watch(NOW + timedelta(minutes=5))
    production.put("labels/houses/second.csv", "inference_id,truth\n2026/11/27/13 30-00-000-a 3,2\n")
    production.watch(NOW + timedelta(minutes=10))
    judged_at = [production.written("findings.json", f"2026-11-27T{hour}Z--2026-11-27T{hour + 1}Z")["judged_at"] for hour in (13, 14)]
    assert judged_at == ["2026-11-27T15:30:00Z", "2026-11-27T15:25:00Z"]


def test_what_labels_say_of_an_earlier_window_is_told_with_the_newest(production):
    production.watch(NOW + timedelta(hours=1))
    send(production, 5.0)
    told = []
    production.watch(
        NOW + timedelta(hours=1, minutes=5),
        tell=lambda findings, truth: told.append((findings["window"]["from"], truth and truth["window"]["from"])),
    )
    assert told == [("2026-11-27T14Z", None), ("2026-11-27T15Z", "2026-11-27T14Z")]


def taught(production):
    """The project's data bucket of a production that learns from its answers."""
    home = FolderStore(production.folder / "home")
    production.version("12", contract={**HOUSES, "dataset": {**HOUSES["dataset"], "target": "price"}}, estimator=ESTIMATOR)
    production.teacher = Teacher(production.store, home, "bucket", "learned/", "feedback.json", learns=True)
    return home


def learned_rows(home, window="2026-11-27T14Z--2026-11-27T15Z"):
    return home.read(f"learned/{window}.csv").read().count(b"\n") - 1


#: Kept longer in the history than their answered rows are in the bucket.
A_DAY = {**LIMITS, "window_hours": 24}


@pytest.mark.parametrize("expired", ["answered/12-00001.parquet", "findings.json", "shown.json", "files.json", "*"])
def test_what_was_learned_and_realised_stays_when_the_answers_have_expired(production, expired, capsys):
    home, production.limits, later = taught(production), A_DAY, NOW + timedelta(days=1)
    production.watch(later)
    send(production, 2.5)
    production.watch(later)
    window = "2026-11-27T00Z--2026-11-28T00Z"
    for path in list((production.folder / "monitoring/houses/windows" / window).rglob(expired)):
        if path.is_file():
            path.unlink()
    send(production, 9.0, name="second")
    production.watch(later + timedelta(hours=1))
    assert learned_rows(home, window) == 200
    assert (production.history[-1]["realised"]["value"], production.history[-1]["status"]) == (0.5, "ok")
    assert "1 window stay as they were judged" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["labels.json", "files.json", "findings.json", "shown.json", "12-00001.parquet"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_document_of_its_own_ends_no_run(production, name, content):
    production.watch()
    send(production, 2.5)
    production.watch(NOW + timedelta(minutes=5))
    for path in production.folder.joinpath("monitoring").rglob(name):
        path.write_bytes(content)
    send(production, 2.6, name="second")
    production.traffic(200, hour="2026/11/27/15")
    assert production.watch(NOW + timedelta(hours=1))[-1]["window"]["from"] == "2026-11-27T15Z"


class Killed(BaseException):
    """As by a signal."""


@pytest.mark.parametrize("last", range(1, 12))
def test_what_a_run_had_not_done_when_it_was_killed_the_next_one_does(production, last):
    home = taught(production)
    production.watch()
    send(production, 5.0)
    written, write, told = [], FolderStore.write, []

    def until(store, key, content, content_type):
        if len(written) == last:
            raise Killed
        written.append(key)
        write(store, key, content, content_type)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FolderStore, "write", until)
        with suppress(Killed):
            production.watch(NOW + timedelta(minutes=5), tell=lambda findings, truth: None)
    production.watch(NOW + timedelta(minutes=10), tell=lambda findings, truth: told.append(findings))
    assert (production.history[-1]["status"], learned_rows(home)) == ("breached", 200)
    assert json.loads(home.read("learned/_tally.json").read())["rows"] == 200
    assert json.loads(home.read("feedback.json").read())["realised"]["value"] == 3.0
    assert (production.written("findings.json")["status"], realised(production)["value"]) == ("breached", 3.0)


def test_labels_are_read_where_the_deployed_version_was_deleted_from_the_registry(tmp_path):
    production = Production(tmp_path, deployed="13")
    production.version("12", estimator=ESTIMATOR)
    production.traffic(200)
    production.watch()
    send(production, 2.5)
    production.watch(NOW + timedelta(minutes=5))
    assert realised(production)["value"] == 0.5


def test_labels_that_nobody_can_read_yet_wait_and_it_is_said(tmp_path, capsys):
    production = Production(tmp_path)
    send(production, 2.5)
    production.watch()
    assert "labels wait" in capsys.readouterr().out
    production.version("12", estimator=ESTIMATOR)
    production.traffic(200)
    production.watch(NOW + timedelta(minutes=5))
    assert realised(production)["labels"] == 200


def test_answers_that_were_read_before_are_not_read_in_each_run(production):
    production.watch()
    production.put("labels/houses/first.csv", "inference_id,truth\nnobody,2\n2026/11/27/15 later 3,2\n")
    production.watch(NOW + timedelta(minutes=5))
    read, before = [], FolderStore.read
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FolderStore, "read", lambda store, key: read.append(key) or before(store, key))
        production.watch(NOW + timedelta(minutes=10))
        assert not [key for key in read if key.endswith((".parquet", ".csv"))]
        production.traffic(200, hour="2026/11/27/15", name="later")
        production.watch(NOW + timedelta(hours=1))
    assert not [key for key in read if "T14Z--" in key and key.endswith(".parquet")]
    written = json.loads((production.folder / "monitoring/houses/labels.json").read_text())
    assert (written["unknown"], written["unknown_ids"]) == (1, ["nobody"])


def test_more_unknown_labels_than_are_named_are_counted_without_reading_every_window(production, monkeypatch):
    monkeypatch.setattr(truth, "MOST_KEPT", 2)
    production.watch()
    unknown = "".join(f"nobody-{place},2\n" for place in range(3))
    production.put("labels/houses/first.csv", f"inference_id,truth\n{unknown}2026/11/27/15 later 3,2\n")
    production.watch(NOW + timedelta(minutes=5))
    counted = [json.loads((production.folder / "monitoring/houses/labels.json").read_text())]
    production.traffic(200, hour="2026/11/27/15", name="later")
    read, before = [], FolderStore.read
    monkeypatch.setattr(FolderStore, "read", lambda store, key: read.append(key) or before(store, key))
    production.watch(NOW + timedelta(hours=1))
    assert not [key for key in read if "T14Z--" in key and key.endswith(".parquet")]
    counted.append(json.loads((production.folder / "monitoring/houses/labels.json").read_text()))
    assert [(each["unknown"], len(each["unknown_ids"])) for each in counted] == [(4, 2), (3, 1)]


@pytest.mark.parametrize(
    ("before", "after", "window"), [(1, 24, "2026-11-27T15Z--2026-11-28T00Z"), (24, 1, "2026-11-28T00Z--2026-11-28T01Z")]
)
def test_windows_of_another_length_teach_no_answer_twice(production, before, after, window):
    home, later = taught(production), NOW.replace(hour=1) + timedelta(days=1)
    production.limits = {**LIMITS, "window_hours": before}
    production.watch(NOW if before == 1 else later)
    send(production, 2.5)
    production.limits, told = {**LIMITS, "window_hours": after}, []
    production.traffic(200, hour="2026/11/27/16" if after == 24 else "2026/11/28/00", name="next")
    production.watch(later, tell=lambda findings, truth: told.append((findings["window"]["from"], truth is not None)))
    assert json.loads(home.read("learned/_tally.json").read())["rows"] == 200
    assert sum(item.key.endswith(".csv") for item in home.list("learned/")) == 1
    assert (window.split("--")[0], True) in told, "the newest window is told as such"
    assert sum(entry["rows"] for entry in production.history) == 400
