"""What columns add to a score is learned where rows show it, nothing is added where they do not, and a wide table is no burden."""

from __future__ import annotations

import json

import numpy as np
from evaluation import calibrators, refinement


def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def test_columns_that_say_nothing_add_nothing() -> None:
    noise = generator().normal(size=(800, 4)).astype(np.float32)
    label = (generator().random(800) < 0.4).astype(np.float64)
    found = refinement.fit(refinement.LOGISTIC, noise, label, np.full(800, np.log(0.4 / 0.6)), generator())
    assert max(np.abs(more).mean() for more in refinement.added(found, noise)) < 0.1


def test_a_column_that_the_score_has_left_out_is_made_up_for() -> None:
    column = generator().normal(size=(3000, 1)).astype(np.float32)
    label = (generator().random(3000) < 1 / (1 + np.exp(-1.5 * column[:, 0]))).astype(np.float64)
    found = refinement.fit(refinement.LOGISTIC, column, label, np.zeros(3000), generator())
    low, high = (np.mean(refinement.added(found, np.array([[value]], dtype=np.float32))) for value in (-1, 1))
    assert -2 < low < -1 and 1 < high < 2


def test_beyond_the_rows_that_were_seen_the_line_stays_level() -> None:
    column = generator().uniform(0, 1, size=(1000, 1)).astype(np.float32)
    size = np.exp(2 * column[:, 0].astype(np.float64)) * generator().exponential(size=1000)
    found = refinement.fit(refinement.GAMMA, column, size / size.mean(), np.zeros(1000), generator())
    at_the_end, far_away = (refinement.added(found, np.array([[value]], dtype=np.float32)) for value in (1.0, 1000.0))
    assert np.allclose(at_the_end, far_away)


def test_rows_that_a_member_has_not_seen_are_those_that_fit_left_out() -> None:
    column = generator().normal(size=(200, 2)).astype(np.float32)
    label = np.abs(column[:, 0].astype(np.float64)) + 0.1
    found = refinement.fit(refinement.GAMMA, column, label / label.mean(), np.zeros(200), generator())
    parts = refinement.unseen(found, column, generator())
    assert len(parts) == refinement.MEMBERS
    assert all(0.25 < len(part.rows) / 200 < 0.5 for part in parts)  # a resample misses e^-1 of the rows


def test_of_five_hundred_columns_the_one_that_matters_is_found() -> None:
    wide = generator().normal(size=(400, 500)).astype(np.float32)
    label = np.exp(1.5 * wide[:, 321].astype(np.float64))
    found = json.loads(json.dumps(refinement.fit(refinement.GAMMA, wide, label / label.mean(), np.zeros(400), generator())))
    assert 321 in found["columns"] and len(found["columns"]) == refinement.MOST_COLUMNS


def test_a_curve_is_chosen_by_what_the_rows_show() -> None:
    chance = generator()
    scores = chance.random(4000)
    honest = chance.random(4000) < scores
    assert calibrators.count(scores, honest).curve()(calibrators.logit(np.array([0.2, 0.8]))).round(1).tolist() == [0.2, 0.8]
    steps = chance.random(4000) < np.where(scores > 0.5, 0.9, 0.3)
    curve = calibrators.count(scores, steps)
    assert curve.kind == calibrators.ISOTONIC
    assert np.allclose(curve.curve()(calibrators.logit(np.array([0.2, 0.45, 0.55, 0.9]))), [0.3, 0.3, 0.9, 0.9], atol=0.08)


def test_few_rows_of_one_kind_never_make_a_certainty() -> None:
    curve = calibrators.count(np.linspace(0.01, 0.99, 60), np.linspace(0.01, 0.99, 60) > 0.5)
    assert 0 < curve.curve()(calibrators.logit(np.array([0.0])))[0] < 0.5 < curve.curve()(calibrators.logit(np.array([1.0])))[0] < 1
