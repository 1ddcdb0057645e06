"""Labels are held to the contract row by row; what is doubled, corrected or wrong is counted and named, and nothing good is lost."""

from __future__ import annotations

import tracemalloc
from datetime import timedelta
from pathlib import Path

import csv_files
import pytest
from labels import Labels, read, reasons

from tests.monitoring.answers_of_versions import NOON, Store

CLASSES = ["No", "Yes"]


def parsed(folder: Path, text: str | bytes, classes: list[str] | None = None) -> Labels:
    path, found = folder / "labels.csv", Labels()
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found.add(path, classes, NOON)
    return found


def test_a_truth_is_a_number_or_a_class_of_the_version(tmp_path: Path) -> None:
    numbers = parsed(tmp_path, "inference_id,truth\na,1.5\nb, 2e3 \n")
    assert {key: label.truth for key, label in numbers.known.items()} == {("a", 1): 1.5, ("b", 1): 2000.0}
    classes = parsed(tmp_path, "truth,inference_id,row\nYes,a,2\nNo,a,1\n", CLASSES)
    assert {key: label.truth for key, label in classes.known.items()} == {("a", 2): 1.0, ("a", 1): 0.0}


def test_a_class_is_read_as_training_reads_it(tmp_path: Path) -> None:
    found = parsed(tmp_path, "inference_id,truth\na,TRUE\nb,4.0\n", ["true", "4"])
    assert [label.truth for label in found.known.values()] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("row", "classes", "problem"),
    [
        (",1,1,,", None, "line 3: inference_id is empty"),
        ("b,,1,,", None, "line 3: truth is empty, which is allowed only beside a reason"),
        ("b,many,1,,", None, "line 3: truth is 'many'; allowed: a number, with a point for decimals"),
        ("b,1e308,1,,", None, "line 3: truth is '1e308'; allowed: numbers that models calculate with, up to 3.4e+38"),
        ("b,inf,1,,", None, "line 3: truth is 'inf'; allowed: a number"),
        ("b,Maybe,1,,", CLASSES, "line 3: truth is 'Maybe'; allowed: No, Yes"),
        ("b,1,0,,", None, "line 3: row is '0'; allowed: a whole number from 1 on"),
        ("b,1,1.5,,", None, "line 3: row is '1.5'; allowed"),
        ("b,1,first,,", None, "line 3: row is 'first'; allowed"),
        ("b,1,1,,yesterday", None, "line 3: observed_at is 'yesterday'; allowed: ISO 8601"),
        ("b,1,1,,2026-11-27T12:00:01Z", None, "line 3: observed_at is '2026-11-27T12:00:01Z', which is in the future"),
    ],
)
def test_a_row_that_is_wrong_is_named_with_its_line_and_the_others_count(
    tmp_path: Path, row: str, classes: list[str] | None, problem: str
) -> None:
    good = "Yes" if classes else "3"
    found = parsed(tmp_path, f"inference_id,truth,row,reason,observed_at\na,{good},1,,2026-11-27T13:59:59+02:00\n{row}\n", classes)
    assert [said for said in found.problems if said.startswith(problem)] == list(found.problems) != []
    assert list(found.known) == [("a", 1)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b"inference_id,truth\n", "has no rows"),
        (b"inference_id,label\na,1\n", "has no column truth; the columns are inference_id, truth, and if needed row, reason, observed_at"),
        (b"inference_id,truth,model\na,1,x\n", "has an unknown column 'model'"),
        ("inference_id,truth\na,ä\n".encode("latin-1"), "not UTF-8"),
        ("inference_id,truth\na,1\n".encode("utf-16"), "UTF-8"),
        (b"inference_id;truth\na;1\n", "semicolons"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_says_so_in_one_line(tmp_path: Path, content: bytes, problem: str) -> None:
    found = parsed(tmp_path, content)
    assert not found.known
    assert len(found.problems) == 1 and problem in found.problems[0] and "\n" not in found.problems[0]


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    assert list(parsed(tmp_path, "inference_id,truth\na,1\n".encode("utf-8-sig")).known) == [("a", 1)]


def test_a_row_that_says_the_same_twice_is_counted_and_one_that_contradicts_counts_for_nothing(tmp_path: Path) -> None:
    found = parsed(tmp_path, "inference_id,truth\na,1\nb,2\na,1\nb,3\n")
    assert found.repeated == 1
    assert list(found.known) == [("a", 1)]
    assert list(found.problems) == ["line 5: inference_id 'b' has another truth or reason than on line 3; say it once"]


def test_feedback_needs_no_truth_and_does_not_take_one_away(tmp_path: Path) -> None:
    store = Store()
    store.put("labels/x/1.csv", "inference_id,truth\na,1\n")
    store.put("labels/x/2.csv", "inference_id,truth,reason\na,,the shell was broken\nb,,too old\n")
    found = read(store, "labels/x/", None, NOON + timedelta(hours=1))
    assert found.known["a", 1].truth == 1 and found.known["a", 1].reason == "the shell was broken"
    assert not found.known["b", 1].is_known


def test_a_newer_file_corrects_an_older_one_and_says_nothing_new_by_repeating_it() -> None:
    store = Store()
    store.put("labels/x/b.csv", "inference_id,truth\na,1\nb,2\n")
    store.put("labels/x/a.csv", "inference_id,truth\na,5\nb,2\n")
    store.put("labels/x/notes.txt", "not labels")
    store.put("labels/xy/other.csv", "inference_id,truth\nz,9\n")
    found = read(store, "labels/x/", None, NOON + timedelta(hours=1))
    assert {key[0]: label.truth for key, label in found.known.items()} == {"a": 5.0, "b": 2.0}
    assert (found.files, found.rows, found.corrected, found.repeated, found.left_out) == (2, 4, 1, 1, 0)


def test_what_is_wrong_in_one_file_is_named_with_its_key_and_takes_nothing_from_the_others() -> None:
    store = Store()
    store.put("labels/x/good.csv", "inference_id,truth\na,1\n")
    store.put("labels/x/bad.csv", "inference_id,truth\nb,high\nc,2\n")
    store.put("labels/x/none.csv", b"\xff\xfe")
    found = read(store, "labels/x/", None, NOON + timedelta(days=1))
    assert sorted(key[0] for key in found.known) == ["a", "c"]
    assert found.left_out == 1
    assert found.problems[0].startswith("labels/x/bad.csv: line 2: truth is 'high'")
    assert found.problems[1].startswith("labels/x/none.csv: ")


def test_reasons_are_listed_by_how_often_people_give_them(tmp_path: Path) -> None:
    found = parsed(tmp_path, "inference_id,truth,reason\na,1,too old\nb,2,broken\nc,3,too old\n")
    assert reasons(list(found.known.items())) == [
        {"reason": "too old", "count": 2, "inference_ids": ["a", "c"]},
        {"reason": "broken", "count": 1, "inference_ids": ["b"]},
    ]


def test_a_file_that_came_after_the_run_began_is_the_next_runs() -> None:
    store = Store()
    store.put("labels/x/a.csv", "inference_id,truth\na,1\n")
    store.put("labels/x/b.csv", "inference_id,truth\nb,1\n")  # a minute later
    assert [list(read(store, "labels/x/", None, NOON + timedelta(minutes=wait)).known) for wait in (0, 1)] == [
        [("a", 1)],
        [("a", 1), ("b", 1)],
    ]


def test_a_file_that_says_again_and_corrects_and_contradicts_is_counted_row_by_row(tmp_path: Path) -> None:
    """Against the label of each answer written down by hand."""
    found = parsed(tmp_path, "inference_id,truth,row,reason\na,1,1,\na,2,2,\nb,5,,\nc,7,,\n")
    (tmp_path / "newer.csv").write_text(
        "inference_id,truth,row,reason\na,1,1,\na,3,2,\nb,5,,cheap\nb,5,,cheap\nc,8,,\nc,9,,\nd,4,,\nd,4,,\n"
    )
    found.add(tmp_path / "newer.csv", None, NOON, "newer", sent_at=9.0)
    said = {key: (label.truth, label.reason, label.sent_at) for key, label in found.known.items()}
    assert said == {
        ("a", 1): (1.0, "", 0.0),
        ("a", 2): (3.0, "", 9.0),
        ("b", 1): (5.0, "cheap", 9.0),
        ("c", 1): (7.0, "", 0.0),
        ("d", 1): (4.0, "", 9.0),
    }
    assert (found.files, found.rows, found.repeated, found.left_out) == (2, 12, 3, 2)
    assert found.problems == ["newer: line 7: inference_id 'c' has another truth or reason than on line 6; say it once"]


def test_what_is_wrong_at_the_end_of_a_long_file_leaves_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "_PART_BYTES", 100)
    rows = "".join(f"id-{row},{row}\n" for row in range(100))
    found = parsed(tmp_path, f"inference_id,truth\n{rows}last,1,2\n")
    assert (len(found.known), found.rows, len(found.problems)) == (0, 0, 1)
    assert "line 102" in found.problems[0]
    found.add(tmp_path / "labels.csv", None, NOON)  # nothing of the first reading is left to be found twice
    assert len(found.known) == 0
    whole = parsed(tmp_path, f"inference_id,truth\n{rows}")
    assert [whole.known[f"id-{row}", 1].truth for row in range(100)] == list(range(100))


def test_memory_does_not_grow_with_the_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "_PART_BYTES", 1 << 14)

    def peak(count: int) -> int:
        (tmp_path / "labels.csv").write_text("inference_id,truth\n" + "".join(f"id-{row},{row % 7}\n" for row in range(count)))
        tracemalloc.start()
        try:
            labels = Labels()
            labels.add(tmp_path / "labels.csv", None, NOON)
            assert len(labels.known) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)  # what is imported or remembered once
    assert peak(20_000) < 1.5 * peak(4_000)


def test_ids_without_an_answer_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    known = parsed(tmp_path, "inference_id,truth,row\na,1,1\na,1,2\nb,1,1\nc,1,1\n").known
    known.meet([("a", 1), ("c", 1), ("nobody", 1)])
    assert known.unmet(1) == (2, ["a"])
    assert known.unmet(5, ["b", "c"]) == (1, ["b"])
