"""Of a version's rows stay counts and a sample, the same whatever pieces the rows come in, and no more for more rows."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import sketch as sketches
from chunks import Chunk
from dataset import Rows
from decisions import Predictions
from evidence import Evidence
from sketch import Sketch

from tests.monitoring.production import HOUSES, evidence_of, trained

EVIDENCE = Evidence("12", {"contract.json": HOUSES, "statistics.json": evidence_of(trained())}, None)


def chunk_of(rows, first=0):
    ids = [f"request {first + place}" for place in range(rows.count)]
    scores = np.linspace(1, 3, rows.count)
    return Chunk("12", rows, Predictions(scores, scores), ids, np.ones(rows.count, dtype=np.int64), np.zeros(rows.count))


def part(rows, start, end):
    mask = np.zeros(rows.count, dtype=bool)
    mask[start:end] = True
    return rows.take(mask)


def in_pieces(rows, pieces):
    made = Sketch.begin(EVIDENCE)
    edges = np.linspace(0, rows.count, pieces + 1).astype(int)
    for start, end in pairwise(edges.tolist()):
        made.add(chunk_of(part(rows, start, end), start))
    return made


def test_the_sample_and_the_counts_are_the_same_in_any_pieces(monkeypatch):
    monkeypatch.setattr(sketches, "MOST_SAMPLED", 100)
    rows = trained(1000, 5)
    whole, pieces = in_pieces(rows, 1), in_pieces(rows, 13)
    assert whole.sample().ids == pieces.sample().ids
    assert len(set(whole.sample().ids)) == 100
    np.testing.assert_array_equal(whole.sample().rows.numeric["area"], pieces.sample().rows.numeric["area"])
    assert whole.sample().rows.texts("town") == pieces.sample().rows.texts("town")
    np.testing.assert_array_equal(whole.numeric["area"].counts, pieces.numeric["area"].counts)
    assert whole.numeric["area"].mean == pytest.approx(pieces.numeric["area"].mean)
    assert whole.numeric["area"].squares == pytest.approx(pieces.numeric["area"].squares)
    assert whole.categorical["town"].counts == pieces.categorical["town"].counts


def test_the_sample_is_of_all_rows_alike(monkeypatch):
    monkeypatch.setattr(sketches, "MOST_SAMPLED", 500)
    rows = trained(5000, 5)
    taken = [int(name.removeprefix("request ")) for name in in_pieces(rows, 10).sample().ids]
    assert 2300 < np.mean(taken) < 2700


def test_rows_of_one_request_are_sampled_one_by_one():
    ids = ["a"] * 1000
    hashes = sketches.hashed(ids, np.arange(1, 1001))
    assert len(set(hashes.tolist())) == 1000


def test_memory_does_not_grow_with_the_rows(monkeypatch):
    monkeypatch.setattr(sketches, "MOST_SAMPLED", 500)

    def held(pieces):
        made = Sketch.begin(EVIDENCE)
        tracemalloc.start()
        for piece in range(pieces):
            generator = np.random.default_rng(piece)
            labels = ([f"code {piece} {place}" for place in range(1000)], generator.permutation(1000))
            rows = Rows({"area": generator.normal(size=1000), "rooms": generator.normal(size=1000)}, {"town": labels}, np.zeros(1000), 1000)
            made.add(chunk_of(rows, piece * 1000))
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return kept

    assert held(60) < 1.5 * held(6)


def test_categories_without_number_are_counted_all_the_same():
    made = Sketch.begin(EVIDENCE)
    rows = trained(5000, 5)
    labels = ([f"code {place}" for place in range(5000)], np.arange(5000))
    made.add(chunk_of(Rows(rows.numeric, {"town": labels}, rows.target, rows.count)))
    town = made.categorical["town"]
    assert (town.present, town.unseen) == (5000, 5000)
    assert len(town.counts) <= sketches.MOST_UNSEEN + 3


def test_bins_are_those_of_the_evaluations_rows_where_there_are_any():
    reference = trained(2000, 8)
    made = Sketch.begin(EVIDENCE, (reference, Predictions.of(np.linspace(1, 3, 2000), None)))
    assert len(made.numeric["area"].counts) == 100
    assert len(made.numeric["rooms"].counts) == 9  # one for each number of rooms, and one below and above them
    assert made.numeric["area"].bins.missing == np.isnan(reference.numeric["area"]).sum()
    assert len(Sketch.begin(EVIDENCE).numeric["area"].counts) == 10
