"""Truth that comes later is joined to what was answered: the metric of each window with its interval, coverage and groups."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from labels import Labels, read
from realised import join, judge, windows

from tests.monitoring.answers_of_versions import NOON, Sampled, Store, answered, patients, species, truth_of

CLASSES = ["No", "Yes"]
TAKES = SimpleNamespace(numeric=["age"], categorical=["town"], classes=CLASSES)
LIMITS = {"max_quality_loss": 0.1}
FIRST, SECOND = "monitoring/x/windows/1/", "monitoring/x/windows/2/"


def estimator(metric: str = "accuracy", before: float = 0.8) -> dict[str, Any]:
    return {"metric": metric, "more_is_better": True, "at_evaluation": before}


def labels_of(sample: Sampled, classes: list[str], first: int = 0, every: int = 1) -> str:
    rows = [f"id-{first + place},{classes[int(truth)]}" for place, truth in enumerate(sample.rows.target) if place % every == 0]
    return "\n".join(["inference_id,truth", *rows]) + "\n"


def known(store: Store) -> Labels:
    return read(store, "labels/x/", CLASSES, NOON + timedelta(hours=1))


def store_of(sample: Sampled, every: int = 1) -> Store:
    store = Store()
    store.put(f"{FIRST}answered/1-00001.parquet", answered(sample, CLASSES))
    store.put("labels/x/1.csv", labels_of(sample, CLASSES, every=every))
    return store


def test_the_realised_metric_is_that_of_the_answers_whose_truth_is_known() -> None:
    sample = patients(300, seed=1)
    store = store_of(sample, every=3)
    found = judge(join(store, FIRST, "1", TAKES, known(store)), estimator(), LIMITS)
    assert found is not None
    third = np.arange(300) % 3 == 0
    expected = truth_of("accuracy", Sampled(sample.rows.take(third), sample.predicted.take(third)))
    assert found.value == pytest.approx(expected)
    assert found.lower is not None and found.upper is not None and found.lower < expected < found.upper
    assert (found.labels, found.coverage) == (100, pytest.approx(1 / 3))


def test_each_group_with_enough_labels_is_shown_by_itself() -> None:
    sample = patients(200, seed=1)
    town = np.where(np.arange(200) < 20, 0, 1)
    sample = Sampled(type(sample.rows)(sample.rows.numeric, {"town": (["Lima", "Quito"], town)}, sample.rows.target, 200), sample.predicted)
    store = store_of(sample)
    found = judge(join(store, FIRST, "1", TAKES, known(store)), estimator(), LIMITS)
    assert found is not None
    assert [(group["column"], group["value"], group["rows"]) for group in found.groups] == [("town", "Quito", 180)]


def test_a_breach_is_a_whole_interval_that_is_worse_than_the_limit() -> None:
    sample = patients(300, seed=1)
    truth = truth_of("accuracy", sample)
    store = store_of(sample)
    labelled = join(store, FIRST, "1", TAKES, known(store))
    near, far = (judge(labelled, estimator(before=before), LIMITS) for before in ((truth + 0.01) / 0.9, 1.0))
    assert near is not None and near.value is not None and near.limit is not None and near.value < near.limit and not near.breached
    assert far is not None and far.breached == (far.upper < 0.9)  # type: ignore[operator] # an interval that is there


def test_few_labels_have_no_number_and_none_at_all_have_no_entry() -> None:
    sample = patients(29, seed=1)
    store = store_of(sample)
    found = judge(join(store, FIRST, "1", TAKES, known(store)), estimator(), LIMITS)
    assert found is not None and found.value is None and not found.breached
    assert found.why == "29 answers have a truth; 30 are needed"
    assert judge(join(store, SECOND, "1", TAKES, known(store)), estimator(), LIMITS) is None


def test_labels_of_one_class_only_have_no_auc() -> None:
    sample = patients(300, seed=1)
    ill = Sampled(sample.rows.take(sample.rows.target == 1), sample.predicted.take(sample.rows.target == 1))
    store = store_of(ill)
    found = judge(join(store, FIRST, "1", TAKES, known(store)), estimator("auc"), LIMITS)
    assert found is not None and found.value is None and found.why is not None and "undefined" in found.why


def test_each_version_is_judged_by_its_own_answers() -> None:
    sample, other = patients(50, seed=1), patients(60, seed=2)
    store = store_of(sample)
    store.put(f"{FIRST}answered/12-00001.parquet", answered(other, CLASSES, first=50))
    store.put("labels/x/2.csv", labels_of(other, CLASSES, first=50))
    for version, count in (("1", 50), ("12", 60)):
        found = judge(join(store, FIRST, version, TAKES, known(store)), estimator(), LIMITS)
        assert found is not None and found.labels == count


def test_windows_that_labels_belong_to_are_found_whenever_they_were() -> None:
    store = store_of(patients(20, seed=1))
    store.put(f"{SECOND}answered/2-00001.parquet", answered(patients(20, seed=2), CLASSES, first=100))
    store.put("labels/x/late.csv", "inference_id,truth\nid-104,Yes\n")
    labels = known(store)
    assert list(windows(store, "monitoring/x/windows/", labels)) == [FIRST, SECOND]
    assert labels.known.unmet(5) == (0, [])


def test_a_truth_that_came_a_week_after_its_answer_is_called_late() -> None:
    sample = patients(40, seed=1)
    for days, late in ((6, 0), (8, 40)):
        store = Store()
        store.put(f"{FIRST}answered/1-00001.parquet", answered(sample, CLASSES, at=NOON - timedelta(days=days)))
        store.put("labels/x/1.csv", labels_of(sample, CLASSES))
        found = judge(join(store, FIRST, "1", TAKES, known(store)), estimator(), LIMITS)
        assert found is not None and found.late == late


def test_an_answer_that_was_kept_twice_counts_once() -> None:
    sample = patients(40, seed=1)
    store = store_of(sample)
    store.put(f"{FIRST}answered/1-00002.parquet", answered(sample, CLASSES))
    labelled = join(store, FIRST, "1", TAKES, known(store))
    assert labelled.rows.count == 40


def test_feedback_without_a_truth_is_listed_and_not_measured() -> None:
    sample = patients(40, seed=1)
    store = store_of(sample)
    store.put("labels/x/2.csv", "inference_id,truth,reason\nid-0,,wrong because the age was guessed\n")
    store.put(f"{FIRST}answered/1-00002.parquet", answered(patients(1, seed=2), CLASSES, first=900))
    store.put("labels/x/3.csv", "inference_id,truth,reason\nid-900,,unfair\n")
    found = judge(join(store, FIRST, "1", TAKES, known(store)), estimator(), LIMITS)
    assert found is not None and found.labels == 40
    assert {item["reason"] for item in found.reasons} == {"wrong because the age was guessed", "unfair"}


def test_several_classes_and_their_probabilities_come_back_as_they_were() -> None:
    sample, classes = species(80, seed=1), ["ant", "bee", "fly"]
    store = Store()
    store.put(f"{FIRST}answered/1-00001.parquet", answered(sample, classes))
    store.put("labels/x/1.csv", labels_of(sample, classes))
    takes = SimpleNamespace(numeric=["width"], categorical=[], classes=classes)
    labelled = join(store, FIRST, "1", takes, read(store, "labels/x/", classes, NOON + timedelta(hours=1)))
    assert np.array_equal(labelled.predicted.scores, sample.predicted.scores)
    found = judge(labelled, estimator("log_loss"), LIMITS)
    assert found is not None and found.value == pytest.approx(truth_of("log_loss", sample))
