"""A limit of the contract is broken by a change that matters and is more than chance, and by nothing else."""

from collections import Counter

import contract_checks
import numpy as np
import pytest
from bodies import Faults
from dataset import Rows
from evidence import Evidence
from sketch import Sketch

from tests.monitoring.production import HOUSES, evidence_of, trained
from tests.monitoring.test_sketch import chunk_of

TRAINED = trained(600)
EVIDENCE = Evidence("12", {"contract.json": HOUSES, "statistics.json": evidence_of(TRAINED)}, None)


def check(rows, faults=None, refused=0, **limits):
    made = Sketch.begin(EVIDENCE)
    made.add(chunk_of(rows))
    return contract_checks.check(made, EVIDENCE, faults, refused, rows.count + refused, limits)


def broken(found):
    return [(item["feature"], item["kind"]) for item in found if item["breached"]]


def with_area(rows, area):
    return Rows({**rows.numeric, "area": area}, rows.categorical, rows.target, rows.count)


def test_windows_like_training_break_nothing():
    """As many windows as an hourly model has in five weeks, with the rows that training had and with a tenth of them."""
    assert sum(bool(broken(check(trained(rows, seed)))) for rows in (60, 600) for seed in range(100, 500)) <= 2


def test_missing_values_are_broken_by_the_increase():
    rows = trained(400, 7)
    half = rows.numeric["area"].copy()
    half[::2] = np.nan
    assert broken(check(with_area(rows, half))) == [("area", "missing")]
    assert broken(check(with_area(rows, half), max_missing_increase=0.6)) == []


def test_a_large_share_of_few_rows_may_be_chance():
    rows = trained(5, 7)
    one = np.array([np.nan, 50.0, 60.0, 70.0, 80.0])
    found = check(with_area(rows, one))
    missing = next(item for item in found if item["kind"] == "missing" and item["feature"] == "area")
    assert missing["share"] == 0.2 and not missing["breached"]


def test_a_baseline_of_few_rows_is_not_sure_either():
    """None of 20 rows was missing: up to a third of all may be."""
    few = trained(20)
    complete = Rows({**few.numeric, "area": np.nan_to_num(few.numeric["area"], nan=50.0)}, few.categorical, few.target, few.count)
    evidence = Evidence("12", {"contract.json": HOUSES, "statistics.json": evidence_of(complete)}, None)
    made = Sketch.begin(evidence)
    rows = trained(1000, 7)
    made.add(chunk_of(with_area(rows, np.where(np.arange(1000) < 100, np.nan, 100.0))))
    missing = contract_checks.check(made, evidence, None, 0, 1000, {})[0]
    assert (missing["kind"], missing["share"], missing["baseline"], missing["breached"]) == ("missing", 0.1, 0.0, False)


def test_a_small_but_certain_change_stays_below_the_limit():
    rows = trained(20_000, 7)
    area = np.where(np.arange(rows.count) < rows.count * 0.02, 500.0, np.nan_to_num(rows.numeric["area"], nan=50.0).clip(30, 190))
    out = next(item for item in check(with_area(rows, area)) if item["feature"] == "area" and item["kind"] == "out of range")
    assert (out["share"], out["breached"]) == (0.02, False)
    assert out["p_value"] < 0.001


def test_the_baseline_of_values_out_of_range_is_what_new_rows_of_the_same_kind_have():
    """A value of the same distribution lies outside of n others with a chance of 2 / (n + 1)."""
    out = next(item for item in check(trained(100, 7)) if item["feature"] == "area" and item["kind"] == "out of range")
    assert out["baseline"] == pytest.approx(2 / (np.count_nonzero(~np.isnan(TRAINED.numeric["area"])) + 1))


def test_rare_categories_are_expected_as_often_as_training_saw_one_once():
    distinct = [*(f"rare {place}" for place in range(60)), "usual"]
    codes = np.concatenate([np.arange(60), np.full(540, 60)])
    evidence = Evidence(
        "12",
        {"contract.json": HOUSES, "statistics.json": evidence_of(Rows(TRAINED.numeric, {"town": (distinct, codes)}, TRAINED.target, 600))},
        None,
    )
    made = Sketch.begin(evidence)
    others = ([*(f"new {place}" for place in range(60)), "usual"], codes)
    made.add(chunk_of(Rows(TRAINED.numeric, {"town": others}, TRAINED.target, 600)))
    unseen = next(item for item in contract_checks.check(made, evidence, None, 0, 600, {}) if item["kind"] == "unseen category")
    assert (unseen["baseline"], unseen["share"], unseen["breached"]) == (0.1, 0.1, False)


def test_requests_that_were_refused_and_why_are_broken():
    faults = Faults(200, Counter({"rooms": 200}), Counter(), Counter())
    assert broken(check(trained(400, 7), faults, refused=200)) == [("rooms", "wrong type"), (None, "refused")]


def test_each_limit_has_its_setting():
    faults = Faults(200, Counter({"rooms": 200}), Counter({"area": 200}), Counter({"town": 200}))
    found = check(
        trained(400, 7),
        faults,
        200,
        max_wrong_type_increase=0.9,
        max_out_of_range_increase=0.9,
        max_unseen_increase=0.9,
        max_refused_increase=0.9,
    )
    assert broken(found) == []
    assert len(broken(check(trained(400, 7), faults, 200))) == 4
