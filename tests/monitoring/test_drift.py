"""A feature is said to drift when both its effect and the evidence over all features are large enough."""

from __future__ import annotations

import drift
import numpy as np
import pytest
import two_samples
from feature_counts import FeatureCounts
from scipy import stats

LIMITS = {"max_drift": 0.04}


def categories(name, missing=0, **counts):
    return FeatureCounts(name, "categorical", counts, None, missing)


def bins(name, counts, missing=0, edges=None, kind="numeric"):
    return FeatureCounts(name, kind, np.asarray(counts, dtype=float), edges, missing)


def judged(baseline, window, limits=LIMITS):
    return drift.drifts({baseline.name: baseline}, {window.name: window}, limits)[0]


def binned(name, values, edges, **more):
    return bins(name, np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1), edges=edges, **more)


def test_the_same_shares_are_no_drift_however_many_rows():
    found = judged(categories("sex", f=500, m=500), categories("sex", f=50_000, m=50_000))
    assert (found.effect, found.psi, found.breached) == (0.0, 0.0, False)
    assert found.p_value == pytest.approx(1.0)
    assert found.rows == 100_000


def test_the_effect_of_disjoint_categories_is_one():
    assert judged(categories("sex", f=5_000), categories("sex", m=5_000)).effect == pytest.approx(1.0, abs=1e-3)


def test_the_effect_is_the_jensen_shannon_distance_where_chance_adds_nothing():
    # (3/4, 1/4) against (1/4, 3/4): the middle is one half each, so the divergence is 1 - H(1/4) bits.
    found = judged(categories("sex", f=750_000, m=250_000), categories("sex", f=250_000, m=750_000))
    assert found.effect == pytest.approx(np.sqrt(1 - stats.entropy([0.25, 0.75], base=2)), abs=1e-4)
    assert found.psi == pytest.approx(np.log(3), abs=1e-4)


def test_certain_but_slight_drift_stays_below_the_limit():
    found = judged(categories("sex", f=500_000, m=500_000), categories("sex", f=505_000, m=495_000))
    assert found.q_value < 1e-6
    assert found.effect < LIMITS["max_drift"]
    assert not found.breached


def test_large_but_uncertain_drift_is_not_told():
    found = judged(categories("sex", f=500, m=500), categories("sex", f=32, m=18))
    assert found.effect > LIMITS["max_drift"]
    assert not found.breached


def test_the_limit_is_the_teams():
    sides = categories("sex", f=50_000, m=50_000), categories("sex", f=60_000, m=40_000)
    assert judged(*sides, {"max_drift": 0.05}).breached
    assert not judged(*sides, {"max_drift": 0.5}).breached


def test_values_that_go_missing_are_drift_of_the_feature():
    assert judged(bins("height", [100] * 10, missing=10), bins("height", [80] * 10, missing=200)).breached


def test_a_feature_of_which_nothing_is_left_has_drifted():
    assert judged(bins("height", [100] * 10), bins("height", [0] * 10, missing=300)).breached


def test_a_constant_feature_with_another_constant_has_drifted():
    assert judged(bins("unit", [0, 1_000, 0]), bins("unit", [0, 0, 200])).breached
    assert not judged(bins("unit", [0, 1_000, 0]), bins("unit", [0, 200, 0])).breached


def test_a_category_that_was_never_seen_is_drift():
    assert judged(categories("colour", red=500, blue=500), categories("colour", red=85, blue=85, green=30)).breached


def test_three_numbers_are_judged_as_they_are():
    assert judged(bins("doors", [0, 700, 200, 100, 0]), bins("doors", [0, 140, 40, 70, 0])).breached
    assert not judged(bins("doors", [0, 700, 200, 100, 0]), bins("doors", [0, 144, 36, 20, 0])).breached


def test_wider_values_with_the_same_middle_are_drift():
    generator = np.random.default_rng(1)
    edges = np.linspace(-2, 2, 40)
    found = judged(binned("height", generator.normal(size=5_000), edges), binned("height", generator.normal(0, 1.3, 1_000), edges))
    assert found.breached


def test_predictions_are_judged_as_features_are():
    found = judged(bins("prediction", [500, 500], kind="prediction"), bins("prediction", [100, 400], kind="prediction"))
    assert found.feature == "prediction"
    assert found.breached


def test_more_features_need_more_evidence():
    baseline, window = categories("sex", f=500, m=500), categories("sex", f=130, m=70)
    alone = judged(baseline, window)
    others = {f"c{number}": categories(f"c{number}", a=500, b=500) for number in range(200)}
    same = {name: categories(name, a=100, b=100) for name in others}
    among = drift.drifts({"sex": baseline, **others}, {"sex": window, **same}, LIMITS)[0]
    assert alone.breached
    assert not among.breached
    assert among.p_value == alone.p_value


def test_bins_of_another_baseline_are_refused():
    with pytest.raises(ValueError, match="'height' was not counted in the bins of its baseline"):
        judged(bins("height", [1, 2]), bins("height", [1, 2, 3]))
    with pytest.raises(ValueError, match="'height' was not counted in the bins"):
        judged(bins("height", [1, 2], edges=np.array([1.0])), bins("height", [1, 2], edges=np.array([2.0])))


def test_a_feature_that_was_not_counted_is_named():
    with pytest.raises(ValueError, match="no counts of 'sex'"):
        drift.drifts({"sex": categories("sex", f=1)}, {}, LIMITS)


@pytest.mark.parametrize("empty", [categories("sex"), categories("sex", f=0, m=0)])
def test_nothing_is_said_of_a_window_without_rows(empty):
    found = judged(categories("sex", f=500, m=500), empty)
    assert (found.effect, found.p_value, found.breached, found.rows) == (0.0, 1.0, False, 0)


def test_q_values_are_those_of_scipy():
    p_values = [0.01, 0.04, 0.03, 0.005, 0.55, 0.55]
    assert two_samples.benjamini_hochberg(p_values) == pytest.approx(list(stats.false_discovery_control(p_values)))
    assert two_samples.benjamini_hochberg([]) == []


@pytest.mark.parametrize("happened", [8, 12, 20])
def test_the_tail_of_a_rare_value_is_the_exact_one(happened):
    # Two rows in a hundred had it. A normal tail would be a hundredth of that for 8 of 100, and worse beyond.
    baseline, window = np.array([98_000.0, 2_000.0]), np.array([100.0 - happened, happened])
    exact = 2 * stats.hypergeom.sf(happened - 1, 100_100, 2_000 + happened, 100)
    assert exact / 3 < two_samples.scores_test(baseline, window, np.array([0.0, 1.0])) < exact * 3


def test_a_shift_is_found_with_the_power_of_a_t_test():
    generator = np.random.default_rng(2)
    edges = np.quantile(generator.normal(size=10_000), np.linspace(0, 1, 101)[1:-1])
    ours, theirs = [], []
    for _ in range(40):
        reference, window = generator.normal(size=2_000), generator.normal(0.25, 1, 500)
        counts = [np.bincount(np.searchsorted(edges, side), minlength=100).astype(float) for side in (reference, window)]
        ours.append(np.log(two_samples.location_and_spread(*counts)[0]))
        theirs.append(np.log(stats.ttest_ind(reference, window).pvalue))
    assert np.mean(ours) == pytest.approx(np.mean(theirs), rel=0.1)


def small_or_even(generator, rows):
    return generator.normal(size=rows)


def rare_ones(generator, rows):
    return (generator.random(rows) < 0.02).astype(float)


@pytest.mark.thorough
@pytest.mark.parametrize("drawn", [small_or_even, rare_ones], ids=["normal", "rare"])
@pytest.mark.parametrize("rows", [50, 400])
def test_p_values_of_undrifted_windows_are_no_smaller_than_they_say(drawn, rows):
    generator, p_values = np.random.default_rng(3), []
    for _ in range(1_000):
        reference = drawn(generator, 800)
        edges = np.unique(np.quantile(reference, np.linspace(0, 1, 41)[1:-1]))
        p_values.append(judged(binned("x", reference, edges), binned("x", drawn(generator, rows), edges)).p_value)
    # Of 1,000, 10 are expected below 0.01; 23 or more happen once in 5,000 times.
    assert np.count_nonzero(np.array(p_values) < 0.01) < 23
