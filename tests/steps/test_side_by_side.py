"""Tasks that run in several processes give what they give one after the other, and fail with one line."""

from __future__ import annotations

import os
from functools import partial
from itertools import pairwise
from pathlib import Path

import dataset
import numpy as np
import prepared_rows
import pytest
import side_by_side
from failure import BadInput

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="other systems run the tasks one after the other")


@pytest.fixture
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "processors", lambda: 2)


def process_of(number: int) -> tuple[int, int]:
    return number, os.getpid()


def refuse(number: int) -> int:
    if number:
        raise BadInput(f"column {number} is bad")
    return number


@pytest.mark.usefixtures("two_processors")
def test_results_come_in_the_order_of_the_tasks_of_which_many_rows_have_processes() -> None:
    tasks = [partial(process_of, number) for number in range(5)]
    many, few = (side_by_side.results(tasks, rows) for rows in (side_by_side.FEWEST_ROWS, side_by_side.FEWEST_ROWS - 1))
    assert [number for number, _ in many] == [number for number, _ in few] == [0, 1, 2, 3, 4]
    assert os.getpid() not in {process for _, process in many}
    assert {process for _, process in few} == {os.getpid()}


@pytest.mark.usefixtures("two_processors")
def test_the_first_task_that_fails_is_told_and_a_killed_process_is_one_line() -> None:
    rows = side_by_side.FEWEST_ROWS
    with pytest.raises(BadInput, match="column 1 is bad"):
        side_by_side.results([partial(refuse, number) for number in range(4)], rows)
    with pytest.raises(BadInput, match=r"one of 2 processes that prepare 400,000 rows was killed.*ProcessingInstanceType"):
        side_by_side.results([partial(os._exit, 9), partial(refuse, 0)], rows)


@pytest.mark.parametrize("places", [[], [0], [3], range(12), range(0, 12, 3), [1, 2, 3, 4, 8, 11], [4, 5, 6, 7]])
def test_shards_are_told_by_the_rows_between_which_theirs_are(places: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dataset, "ROWS_PER_SHARD", 4)
    mask = np.isin(np.arange(12), list(places))
    slices = prepared_rows.shard_slices(mask)
    counts = [int(mask[rows].sum()) for rows in slices]
    assert counts == ([4] * (len(places) // 4) + [len(places) % 4] * (len(places) % 4 > 0) or [0])
    assert slices[0].start == 0 and slices[-1].stop == 12 and all(one.stop == other.start for one, other in pairwise(slices))
