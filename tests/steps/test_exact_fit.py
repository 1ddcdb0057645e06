"""What is fitted is the same to the last bit in one piece, in batches and in shuffled partitions, and is what NumPy says."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from fractions import Fraction
from typing import Any

import baseline
import exact_sums
import fitting
import numeric_summary
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

#: Of generated samples: a build leaves them to `make test`.
pytestmark = pytest.mark.thorough

PREPARATION = {
    "outlier_rule": "iqr",
    "outlier_factor": 1.5,
    "numeric_imputation": "mean",
    "normalisation": "standard",
    "missing_indicators": True,
    "max_categories": 3,
}
RULES = list(itertools.product(("none", "iqr", "quantile", "zscore"), ("mean", "median"), ("standard", "minmax", "robust")))


def column(kind: str, rows: int = 5000) -> Any:
    """Values whose sums depend on their order when they are added as floats."""
    generator = np.random.default_rng(4)
    values = {
        "normal": generator.normal(3, 2, rows),
        "wide": generator.normal(0, 1, rows) * 10.0 ** generator.integers(-12, 13, rows),
        "large": 1e9 + generator.random(rows),
        "few": generator.integers(-3, 4, rows) / 10,
        "zeros": np.where(generator.random(rows) < 0.5, -0.0, 0.0),
        "heavy": np.where(generator.random(rows) < 0.9, 7.5, generator.normal(0, 1, rows)),
    }[kind]
    values[generator.random(rows) < 0.1] = np.nan
    return values


def partitions(values: Any) -> dict[str, list[Any]]:
    generator = np.random.default_rng(5)
    shuffled = generator.permutation(values)
    cuts = np.sort(generator.integers(0, len(values), 11))
    return {"one piece": [values], "seven batches": np.array_split(values, 7), "shuffled": [*np.split(shuffled, cuts), values[:0]]}


@pytest.mark.parametrize("kind", ["normal", "wide", "large", "few", "zeros", "heavy"])
def test_what_is_fitted_of_numbers_is_byte_for_byte_the_same_in_any_parts(kind: str) -> None:
    documents: dict[str, set[bytes]] = {}
    for name, parts in partitions(column(kind)).items():
        found = []
        for outliers, fill, normalisation in RULES:
            rules = {**PREPARATION, "outlier_rule": outliers, "numeric_imputation": fill, "normalisation": normalisation}
            summary = numeric_summary.of(parts, fitting.shares(rules))
            found.append([fitting.of_numeric("x", summary, rules), baseline.of_summary("x", summary)])
        documents.setdefault(json.dumps(found), set()).add(name)
    assert list(documents.values()) == [{"one piece", "seven batches", "shuffled"}]


def test_what_is_fitted_of_categories_is_the_same_in_any_parts() -> None:
    codes = np.random.default_rng(6).integers(0, 6, 700)
    distinct = ["b", "a", None, "d", "c", "e"]
    whole = baseline.counts((distinct, codes))
    apart: Counter[str | None] = Counter()
    for part in reversed(np.array_split(np.random.default_rng(7).permutation(codes), 7)):
        apart.update(baseline.counts(([*reversed(distinct)], 5 - part)))
    states = {json.dumps(fitting.of_categorical("x", counts, PREPARATION, None)) for counts in (whole, apart)}
    statistics = {json.dumps(baseline.categorical("x", counts)) for counts in (whole, apart)}
    assert len(states) == len(statistics) == 1


@pytest.mark.parametrize("kind", ["normal", "wide", "few", "heavy"])
def test_quantiles_buckets_and_moments_are_those_of_numpy(kind: str) -> None:
    values = column(kind)
    present = values[~np.isnan(values)]
    shares = [0.0, 0.01, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.99, 1.0]
    summary = numeric_summary.of(np.array_split(values, 3), [*shares, *baseline.SHARES])
    np.testing.assert_allclose([summary.quantile(share) for share in shares], np.quantile(present, shares), rtol=1e-14)
    for bounds in ((-math.inf, math.inf), (-0.5, 1.25)):
        clipped = np.clip(present, *bounds)
        np.testing.assert_allclose(summary.moments(*bounds), (clipped.mean(), clipped.std()), rtol=1e-12, atol=1e-14)
        assert summary.quantile(0.25, *bounds) == pytest.approx(np.quantile(clipped, 0.25), rel=1e-14)
    facts = baseline.of_summary("x", summary)["numerical_statistics"]
    buckets = facts["distribution"]["kll"]["buckets"]
    inner = [bucket["lower_bound"] for bucket in buckets[1:]]
    counts = np.bincount(np.searchsorted(inner, present, side="right"), minlength=len(inner) + 1)
    assert [bucket["count"] for bucket in buckets] == counts.tolist()
    assert facts["common"] == {"num_present": len(present), "num_missing": len(values) - len(present)}


@given(st.lists(st.floats(-1e300, 1e300, allow_subnormal=False), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_a_sum_is_within_its_stated_error_and_does_not_depend_on_the_order(values: list[float], shuffle: Any) -> None:
    largest = max(map(abs, values))
    exponent = exact_sums.exponent(largest)
    together = exact_sums.total(np.array(values), exponent)
    shuffle.shuffle(values)
    cut = len(values) // 3
    assert together == sum(exact_sums.total(np.array(part), exponent) for part in (values[cut:], values[:cut]))
    error = abs(exact_sums.as_fraction(together, exponent) - sum(map(Fraction, values)))
    assert error <= len(values) * Fraction(2) ** (exponent - 75)


def test_a_block_of_the_largest_values_is_added_exactly() -> None:
    """As many as are added as floats, each with all of its bits."""
    value = math.nextafter(1.0, 0.0)
    exponent = exact_sums.exponent(value)
    total = exact_sums.total(np.full(exact_sums.BLOCK_ROWS, value), exponent)
    assert exact_sums.as_fraction(total, exponent) == exact_sums.BLOCK_ROWS * Fraction(value)
