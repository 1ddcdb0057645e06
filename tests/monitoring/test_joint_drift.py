"""A classifier tells a window that differs from the evaluation's rows, and names what gives it away; else it does no better than chance."""

from __future__ import annotations

import joint_drift
import numpy as np
import pytest
from dataset import Rows

LIMITS = {"max_joint_auc": 0.55}


def table(seed, rows, correlation=0.0, shift=0.0):
    """Five numeric columns, of which `a` and `b` may be correlated and `c` shifted, and one of categories with gaps."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, 5))
    values[:, 1] = correlation * values[:, 0] + np.sqrt(1 - correlation**2) * values[:, 1]
    values[:, 2] += shift
    numeric = dict(zip("abcde", values.T, strict=True))
    return Rows(numeric, {"kind": (["x", "y", None], generator.choice(3, rows, p=[0.6, 0.3, 0.1]))}, np.full(rows, np.nan), rows)


def test_rows_of_the_same_table_cannot_be_told_apart():
    found = joint_drift.tell_apart(table(1, 3_000), table(2, 1_000), LIMITS, seed=0)
    assert not found.breached
    assert found.lower < 0.5 < found.upper
    assert found.features == []


def test_a_broken_correlation_names_both_columns():
    found = joint_drift.tell_apart(table(1, 3_000), table(2, 1_500, correlation=0.8), LIMITS, seed=0)
    assert found.breached
    assert {name for name, _ in found.features[:2]} == {"a", "b"}
    assert sum(share for _, share in found.features[:2]) > 0.8
    assert found.lower <= found.auc <= found.upper


def test_a_shifted_column_is_named_alone():
    found = joint_drift.tell_apart(table(1, 3_000), table(2, 600, shift=1.0), LIMITS, seed=0)
    assert found.breached
    assert found.features[0][0] == "c"
    assert found.features[0][1] > 0.9


def test_the_limit_is_of_the_auc():
    sides = table(1, 3_000), table(2, 600, shift=1.0)
    assert not joint_drift.tell_apart(*sides, {"max_joint_auc": 0.9}, seed=0).breached


def test_the_same_seed_gives_the_same_answer():
    sides = table(1, 1_000), table(2, 300, shift=0.6)
    assert joint_drift.tell_apart(*sides, LIMITS, seed=4) == joint_drift.tell_apart(*sides, LIMITS, seed=4)


def test_categories_and_gaps_are_told_apart_too():
    reference, sample = table(1, 2_000), table(2, 500)
    sample.categorical["kind"] = (["never seen", "x"], (np.arange(500) % 3 > 0).astype(np.int64))
    sample.numeric["d"][:200] = np.nan
    named = [name for name, _ in joint_drift.tell_apart(reference, sample, LIMITS, seed=0).features]
    assert set(named[:2]) == {"kind", "d"}


def test_a_side_with_far_more_rows_is_as_good_as_one_with_some_more():
    few, many = table(3, 100), table(4, 5_000)
    assert not joint_drift.tell_apart(few, many, LIMITS, seed=0).breached
    assert not joint_drift.tell_apart(many, few, LIMITS, seed=0).breached


@pytest.mark.parametrize("constant", [0.0, np.nan])
def test_a_constant_column_gives_nothing_away(constant):
    sides = table(1, 500), table(2, 200)
    for side in sides:
        side.numeric["e"][:] = constant
    assert not joint_drift.tell_apart(*sides, LIMITS, seed=0).breached


@pytest.mark.parametrize("kept", ["c", "kind"])
def test_one_feature_is_enough(kept):
    sides = table(1, 1_000), table(2, 400, shift=1.0)
    sides[1].categorical["kind"] = (["x", "z"], np.arange(400) % 2)
    only = [
        Rows(
            {n: v for n, v in side.numeric.items() if n == kept},
            {n: v for n, v in side.categorical.items() if n == kept},
            side.target,
            side.count,
        )
        for side in sides
    ]
    assert joint_drift.tell_apart(*only, LIMITS, seed=0).features == [(kept, 1.0)]


def test_numbers_beyond_single_precision_are_large_ones():
    sample = table(2, 200)
    sample.numeric["a"][:100], sample.numeric["b"][:100] = 1e300, -np.inf
    named = joint_drift.tell_apart(table(1, 500), sample, LIMITS, seed=0).features
    assert {name for name, _ in named[:2]} == {"a", "b"}


def test_a_column_that_the_sample_lacks_is_named():
    sample = table(2, 200)
    del sample.numeric["d"]
    with pytest.raises(ValueError, match="no column 'd'"):
        joint_drift.tell_apart(table(1, 500), sample, LIMITS, seed=0)


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="fewer than 5 rows"):
        joint_drift.tell_apart(table(1, 500), table(2, 4), LIMITS, seed=0)


@pytest.mark.thorough
def test_undrifted_windows_vary_no_more_than_is_allowed_for():
    found = [joint_drift.tell_apart(table(seed, 300), table(1_000 + seed, 100), LIMITS, seed).p_value for seed in range(60)]
    # 3 of 60 are expected below 0.05; 10 or more happen once in a thousand times.
    assert np.count_nonzero(np.array(found) < 0.05) < 10
