"""The test rows of a version come back as they were, from a file that holds no more than it may and no code."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
import reference
from dataset import Rows
from decisions import Predictions
from evaluation import reference as written
from failure import BadInput

ROWS = Rows(
    {"area": np.array([1.5, np.nan, 3.0])},
    {"town": (["Quito", None, "Łódź"], np.array([2, 1, 0])), "kind": ([None], np.zeros(3, dtype=np.int64))},
    np.array([0.0, 1.0, 0.0]),
    3,
)
TAKES = SimpleNamespace(numeric=["area"], categorical=["town", "kind"])
PREDICTED = Predictions.of(np.array([0.2, 0.9, 0.6]), 0.7)


def read(content: bytes, takes: SimpleNamespace = TAKES) -> reference.Reference:
    return reference.read(io.BytesIO(content), takes)


def test_rows_come_back_as_they_were() -> None:
    found = read(written.content(ROWS, PREDICTED))
    assert np.array_equal(found.rows.numeric["area"], ROWS.numeric["area"], equal_nan=True)
    assert found.rows.texts("town") == ["Łódź", None, "Quito"]
    assert found.rows.texts("kind") == [None, None, None]
    assert found.rows.target.tolist() == [0, 1, 0]
    assert found.predicted.scores.tolist() == [0.2, 0.9, 0.6] and found.predicted.decided.tolist() == [0, 1, 0]


def test_a_version_without_numeric_or_without_categorical_columns_has_a_reference_too() -> None:
    of_texts = Rows({}, {"town": ROWS.categorical["town"]}, ROWS.target, 3)
    assert read(written.content(of_texts, PREDICTED), SimpleNamespace(numeric=[], categorical=["town"])).rows.count == 3
    of_numbers = Rows(ROWS.numeric, {}, ROWS.target, 3)
    scores = Predictions.of(np.eye(3), None)
    found = read(written.content(of_numbers, scores), SimpleNamespace(numeric=["area"], categorical=[]))
    assert found.predicted.scores.shape == (3, 3)


def test_the_same_rows_give_the_same_bytes_of_at_most_ten_thousand_rows() -> None:
    many = Rows({"area": np.arange(10_500.0)}, {}, np.zeros(10_500), 10_500)
    content = [written.content(many, Predictions.of(np.arange(10_500.0), None)) for _ in range(2)]
    assert content[0] == content[1]
    found = read(content[0], SimpleNamespace(numeric=["area"], categorical=[]))
    assert found.rows.count == 10_000
    assert found.rows.numeric["area"].tolist() == found.predicted.scores.tolist()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK but not really", written.content(ROWS, PREDICTED)[:-40]],
    ids=["empty", "no archive", "cut"],
)
def test_a_file_that_is_none_is_one_line(content: bytes) -> None:
    with pytest.raises(BadInput, match=r"reference\.npz does not hold the test rows of this version .*; train it again"):
        read(content)


def test_a_reference_of_other_columns_is_refused() -> None:
    with pytest.raises(BadInput, match="1 numeric columns for 2"):
        read(written.content(ROWS, PREDICTED), SimpleNamespace(numeric=["area", "rooms"], categorical=["town", "kind"]))
    with pytest.raises(BadInput, match="more categorical columns than 1"):
        read(written.content(ROWS, PREDICTED), SimpleNamespace(numeric=["area"], categorical=["town"]))
