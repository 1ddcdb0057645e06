"""Answers become training rows when their truth is known: as they were served, without the future, and again when a label is corrected."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import learned
import pyarrow as pa
import pytest
import sources
from learned import Learned, Truth

PREFIX, WINDOW = "training/houses/learned/live/", "2026-11-27T14Z--2026-11-27T15Z"
SERVED = datetime(2026, 11, 27, 14, 30, tzinfo=UTC).timestamp()
LATER, NOW = SERVED + 3600, SERVED + 7200


def answered(*rows: tuple[str, int, float | None, str | None], served: float = SERVED, **more: Any) -> pa.Table:
    """(inference id, row, area, town) of each answered row."""
    ids, places, areas, towns = zip(*rows, strict=True)
    columns = {
        "inference_id": pa.array(ids),
        "row": pa.array(places, pa.int64()),
        "time": pa.array([int(served * 1000)] * len(rows), pa.timestamp("ms", tz="UTC")),
        "version": pa.array(["12"] * len(rows)),
        "feature.area": pa.array(areas, pa.float64()),
        "feature.town": pa.array(towns, pa.string()),
        "score": pa.array([1.0] * len(rows)),
    }
    return pa.table({**columns, **more})


def learn(*tables: pa.Table, truths: dict[tuple[str, int], Truth], features: tuple[str, ...] = ("area", "town")) -> Learned:
    return learned.learn(tables, lambda _: truths, features=features, target="price", now=NOW)


def test_rows_are_as_they_were_served_with_what_turned_out_to_be_true() -> None:
    table = answered(("a", 1, 0.1, "Lima"), ("a", 2, None, None), ("b", 1, 3.0, 'a,"b'))
    truths = {("a", 1): Truth(70.5, LATER), ("a", 2): Truth(80.0, LATER), ("b", 1): Truth(90.0)}
    found = learn(table, truths=truths)
    assert found.content.decode() == 'area,town,price\n0.1,Lima,70.5\n,,80.0\n3.0,"a,""b",90.0\n'
    assert (found.rows, found.left_out) == (3, {})


def test_answers_whose_truth_is_not_known_yet_wait() -> None:
    found = learn(answered(("a", 1, 1.0, "Lima"), ("b", 1, 2.0, "Lima")), truths={("b", 1): Truth("yes", LATER), ("b", 2): Truth("no")})
    assert found.content.decode().splitlines() == ["area,town,price", "2.0,Lima,yes"]


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        (Truth(7.0, SERVED - 60), "its truth was known before it was asked"),
        (Truth(7.0, SERVED), "its truth was known before it was asked"),
        (Truth(7.0, NOW + 1), "its truth is of the future"),
        (Truth(float("nan"), LATER), "its truth is missing"),
        (Truth("a\rb", LATER), "it holds characters that no CSV file can"),
    ],
)
def test_the_future_does_not_leak_and_what_cannot_be_learned_is_counted(truth: Truth, reason: str) -> None:
    found = learn(answered(("a", 1, 1.0, "Lima")), truths={("a", 1): truth})
    assert (found.rows, found.left_out) == (0, {reason: 1})


def test_in_the_hour_of_a_deployment_answers_of_a_version_with_other_columns_are_left_out() -> None:
    older = answered(("a", 1, 1.0, "Lima")).drop_columns(["feature.town"])
    found = learn(older, answered(("b", 1, 2.0, "Ica")), truths={("a", 1): Truth(1.0), ("b", 1): Truth(2.0)})
    assert (found.rows, found.left_out) == (1, {"the version that answered had no column 'town'": 1})


def test_the_same_answers_in_another_order_are_the_same_bytes() -> None:
    rows = [("b", 1, 2.0, "Ica"), ("a", 2, 1.5, "Lima"), ("a", 1, 1.0, "Lima")]
    truths = {(identifier, row): Truth(float(row)) for identifier, row, *_ in rows}
    assert learn(answered(*rows), truths=truths) == learn(*(answered(row) for row in reversed(rows)), truths=truths)


class Folder:
    """A bucket in memory, with what was written in order."""

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        self.objects, self.written = objects or {}, list[str]()

    def list(self, prefix: str) -> list[Any]:
        return [SimpleNamespace(key=key) for key in sorted(self.objects) if key.startswith(prefix)]

    def read(self, key: str) -> io.BytesIO:
        return io.BytesIO(self.objects[key])

    def write(self, key: str, content: bytes, content_type: str) -> None:
        self.objects[key] = content
        self.written.append(key.removeprefix(PREFIX))

    @property
    def tally(self) -> Any:
        return json.loads(self.objects[PREFIX + sources.TALLY])


def window(**truths: float) -> Learned:
    """Answers `a`, `b`, ... of one hour, those with a truth."""
    table = answered(*((name, 1, float(ord(name)), "Lima") for name in "abcd"))
    return learn(table, truths={(name, 1): Truth(value, LATER) for name, value in truths.items()})


def test_new_rows_are_kept_and_counted_and_the_tally_comes_last() -> None:
    store = Folder()
    assert learned.keep(store, PREFIX, WINDOW, window(a=1.0, b=2.0)) == 2
    assert store.written == [f"{WINDOW}.csv", sources.TALLY]
    assert (store.tally["rows"], list(store.tally["windows"])) == (2, [WINDOW])


def test_the_same_rows_again_are_not_written_so_that_the_data_stay_the_version_that_they_are() -> None:
    store = Folder()
    learned.keep(store, PREFIX, WINDOW, window(a=1.0))
    store.written.clear()
    assert learned.keep(store, PREFIX, WINDOW, window(a=1.0)) == 0
    assert store.written == []


def test_a_correction_replaces_and_what_changed_or_came_is_counted_once() -> None:
    store = Folder()
    learned.keep(store, PREFIX, WINDOW, window(a=1.0, b=2.0))
    assert learned.keep(store, PREFIX, WINDOW, window(a=9.0, b=2.0, c=3.0)) == 2
    assert b"9.0\n" in store.objects[f"{PREFIX}{WINDOW}.csv"]
    assert (store.tally["rows"], list(store.tally["windows"])) == (4, [WINDOW])


@pytest.mark.parametrize("content", [b"\xff", b""])
def test_a_file_that_is_damaged_is_written_anew(content: bytes) -> None:
    store = Folder({f"{PREFIX}{WINDOW}.csv": content})
    assert learned.keep(store, PREFIX, WINDOW, window(a=1.0)) == 1
    assert store.objects[f"{PREFIX}{WINDOW}.csv"] == window(a=1.0).content


def test_a_file_that_was_written_and_not_counted_is_counted_by_the_next_run() -> None:
    store = Folder({f"{PREFIX}{WINDOW}.csv": window(a=1.0, b=2.0).content})
    assert learned.keep(store, PREFIX, WINDOW, window(a=1.0, b=2.0)) == 2
    assert (store.tally["rows"], store.written) == (2, [sources.TALLY])


def test_windows_add_up() -> None:
    store = Folder()
    learned.keep(store, PREFIX, WINDOW, window(a=1.0))
    learned.keep(store, PREFIX, "2026-11-27T13Z--2026-11-27T14Z", window(a=1.0, b=1.0))
    assert store.tally["rows"] == 3
    assert sources.rows_of(store.objects[PREFIX + sources.TALLY]) == 3


def test_without_truths_nothing_is_written() -> None:
    store = Folder()
    assert learned.keep(store, PREFIX, WINDOW, window()) == 0
    assert store.written == []


def test_a_tally_that_is_cut_loses_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    store = Folder({PREFIX + sources.TALLY: b'{"rows": 4'})
    assert learned.keep(store, PREFIX, WINDOW, window(a=1.0)) == 1
    assert store.tally["rows"] == 1
    assert "is no tally and begins anew" in capsys.readouterr().out


def test_labels_say_what_is_true_and_feedback_without_a_truth_teaches_nothing() -> None:
    known = {("a", 1): SimpleNamespace(truth=1.0, observed_at=LATER), ("b", 1): SimpleNamespace(truth=float("nan"), observed_at=None)}
    assert learned.truths_of(known, ["no", "yes"]) == {("a", 1): Truth("yes", LATER)}
    assert learned.truths_of(known, None) == {("a", 1): Truth(1.0, LATER)}
