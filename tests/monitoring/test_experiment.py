"""Two versions in an experiment: counted while it lasts, judged once when it is over, and what is said of it is no more than is known."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import experiment_statistics
import numpy as np
import pytest
from dataset import Rows
from decisions import Predictions
from experiment import FEWEST_REQUESTS, Experiment, Trial
from experiment_statistics import Answers, difference, sample_ratio
from scipy import stats
from store import FolderStore

from settings_schema import experiment as experiment_settings
from tests.monitoring.answers_of_versions import NOON, Sampled, answered

BEGAN = NOON - timedelta(hours=1)
WINDOW = "monitoring/x/windows/2026-11-27T11Z--2026-11-27T13Z/"
SET = Experiment("3", "4", BEGAN, "rmse", more_is_better=False, percent=20, labelled_answers=500, days=14)
PLACE = SimpleNamespace(model="x", environment="live", monitoring_prefix="monitoring/x/", labels_prefix="labels/x/", deployed="3")
TAKES = SimpleNamespace(numeric=["size"], categorical=[], classes=None)


def answers(count: int, spread: float, seed: int, each: int = 1) -> Answers:
    """Answers whose errors have that standard deviation. `each`: rows of a request, which are all the same."""
    error = np.repeat(np.random.default_rng(seed).normal(0, spread, count), each)
    target = np.zeros(len(error))
    requests = [f"id-{place // each}" for place in range(len(error))]
    return Answers(Rows({}, {}, target, len(error)), Predictions.of(error, None), requests)


# ---------------------------------------------------------------------------------------------------------- statistics


def test_the_interval_is_that_of_the_difference_of_two_means() -> None:
    """The mean squared error is a mean, whose difference Welch's interval has, too."""
    both = {"champion": answers(1600, 1.0, 1), "challenger": answers(400, 1.1, 2)}
    found = difference("mse", both, more_is_better=False)
    squares = [np.square(item.predicted.scores) for item in (both["challenger"], both["champion"])]
    expected = stats.ttest_ind(*squares, equal_var=False).confidence_interval(0.95)
    width = expected.high - expected.low
    assert found.difference == pytest.approx(squares[0].mean() - squares[1].mean())
    assert (found.lower, found.upper) == (pytest.approx(expected.low, abs=width / 10), pytest.approx(expected.high, abs=width / 10))


def test_of_equal_versions_about_one_in_twenty_is_called_better() -> None:
    found = [difference("rmse", _equal(seed), more_is_better=False).favours for seed in range(200)]
    assert 0.01 <= 1 - found.count("neither") / 200 <= 0.10


def _equal(seed: int) -> Mapping[str, Answers]:
    return {"champion": answers(160, 1.0, 2 * seed), "challenger": answers(80, 1.0, 2 * seed + 1)}


def test_also_where_errors_are_rarely_large_and_requests_are_few() -> None:
    """Forty requests with errors that are spread as incomes are: the interval alone finds a difference in one of four."""
    found = [
        difference("rmse", {"champion": _skewed(30, 2 * seed), "challenger": _skewed(10, 2 * seed + 1)}, more_is_better=False)
        for seed in range(100)
    ]
    beyond = [item for item in found if item.lower is not None and item.upper is not None and not item.lower <= 0 <= item.upper]
    assert len(beyond) > 15
    assert sum(item.favours != "neither" for item in found) <= 10


def _skewed(count: int, seed: int) -> Answers:
    error = np.random.default_rng(seed).lognormal(0, 1.2, count)
    return Answers(Rows({}, {}, np.zeros(count), count), Predictions.of(error, None), [str(place) for place in range(count)])


def test_what_chance_does_is_that_of_a_permutation_test() -> None:
    both = {"champion": answers(60, 1.0, 5), "challenger": answers(40, 1.3, 6)}
    squares = [np.square(both[side].predicted.scores) for side in ("challenger", "champion")]
    expected = stats.permutation_test(squares, lambda a, b, axis: a.mean(axis) - b.mean(axis), vectorized=True, rng=1).pvalue
    assert difference("mse", both, more_is_better=False).p == pytest.approx(expected, abs=0.03)


def test_requests_of_many_rows_are_compared_in_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are of rows, however few requests they are of."""
    held = []
    metric = experiment_statistics.METRICS["rmse"]

    def watched(target: Any, predicted: Any, weights: Any) -> Any:
        held.append(weights.size)
        return metric(target, predicted, weights)

    monkeypatch.setitem(experiment_statistics.METRICS, "rmse", watched)
    monkeypatch.setattr(experiment_statistics, "LARGEST_BLOCK", 50_000)
    whole = {"champion": answers(20, 1, 1, each=100), "challenger": answers(10, 1, 2, each=100)}
    assert difference("rmse", whole, more_is_better=False).p is not None
    assert max(held) <= 50_000 + 3_000


@pytest.mark.parametrize(("spread", "favours"), [(0.5, "challenger"), (2.0, "champion")])
def test_a_clear_difference_is_found_in_the_direction_of_the_metric(spread: float, favours: str) -> None:
    both = {"champion": answers(300, 1.0, 1), "challenger": answers(100, spread, 2)}
    found = difference("rmse", both, more_is_better=False)
    assert (found.favours, found.difference is not None and found.difference < 0) == (favours, favours == "challenger")
    assert found.values["challenger"] == pytest.approx(spread, rel=0.2)


def test_rows_of_one_request_count_as_one_observation() -> None:
    once, thrice = (
        difference("rmse", {"champion": answers(200, 1, 1, each), "challenger": answers(100, 1, 2, each)}, more_is_better=False)
        for each in (1, 3)
    )
    assert (thrice.lower, thrice.upper) == (pytest.approx(once.lower), pytest.approx(once.upper))


def test_a_metric_that_is_undefined_favours_nobody() -> None:
    one_class = Answers(Rows({}, {}, np.ones(50), 50), Predictions.of(np.full(50, 0.7), 0.5), [str(number) for number in range(50)])
    found = difference("auc", {"champion": one_class, "challenger": one_class}, more_is_better=True)
    assert (found.difference, found.lower, found.favours) == (None, None, "neither")


@pytest.mark.parametrize(("champion", "challenger"), [(800, 200), (750, 250), (830, 170)])
def test_counts_are_held_against_the_weights(champion: int, challenger: int) -> None:
    total = champion + challenger
    expected = stats.chisquare([champion, challenger], [0.8 * total, 0.2 * total]).pvalue
    assert sample_ratio(champion, challenger, 0.2) == pytest.approx(expected)


# ------------------------------------------------------------------------------------------------------- one experiment


class Kept:
    """What the watch has kept: requests of both versions, of which some have labels."""

    def __init__(self, folder: Path) -> None:
        self.store, self.told, self._folder, self._ids = FolderStore(folder), [], folder, 0
        self.now = NOON + timedelta(hours=2)

    def answer(self, version: str, count: int, spread: float = 1.0, *, labelled: int | None = None, at: Any = NOON, each: int = 1) -> None:
        """`each`: rows of a request."""
        error = np.random.default_rng(self._ids).normal(0, spread, count)
        sample = Sampled(Rows({"size": np.zeros(count)}, {}, np.zeros(count), count), Predictions.of(error, None))
        content = answered(sample, None, self._ids, at, each)
        self.store.write(f"{WINDOW}answered/{version}-{self._ids:05d}.parquet", content, "")
        known = [f"id-{self._ids + place // each},{place % each + 1},0" for place in range(count if labelled is None else labelled)]
        key = f"labels/x/{self._ids}.csv"
        self.store.write(key, "\n".join(["inference_id,row,truth", *known, ""]).encode(), "")
        os.utime(self._folder / key, (NOON.timestamp(), NOON.timestamp()))  # labels count from when they were sent on
        self._ids += count

    def judge(self, experiment: Experiment = SET, takes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """`takes`: of a version, where they are not alike."""
        versions = SimpleNamespace(find=lambda version: SimpleNamespace(takes=(takes or {}).get(version, TAKES)))
        return Trial(experiment, PLACE, self.store, versions, self.now).judge(lambda *said: self.told.append(said))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """The challenger has answered once, with which it begins."""
    made = Kept(tmp_path)
    made.answer("4", 1, labelled=0, at=NOON - timedelta(minutes=1))
    return made


def test_before_its_end_there_are_counts_and_no_comparison(kept: Kept) -> None:
    kept.answer("3", 400)
    kept.answer("4", 100, spread=0.1, labelled=99)
    found = kept.judge()
    assert (found["decided"], found["favours"], found["labels"]) == (False, None, {"champion": 400, "challenger": 99})
    assert found["sentence"].startswith("499 of 500 labelled answers, nothing is decided before there are so many or 2026-12-11T11:00:00Z")
    assert not {"values", "difference", "lower", "upper"} & set(found) and kept.told == []


def test_with_enough_labelled_answers_it_is_judged_and_told_once(kept: Kept) -> None:
    kept.answer("3", 400)
    kept.answer("4", 100, spread=0.5)
    found = kept.judge()
    assert (found["decided"], found["favours"], found["requests"]) == (True, "challenger", {"champion": 400, "challenger": 100})
    assert found["upper"] < 0 and found["sentence"].startswith("version 4 is better: rmse is 0.")
    kept.answer("4", 400, spread=9.0)
    assert kept.judge() == found
    ((subject, text),) = kept.told
    assert subject == "x in live: the experiment is decided" and "Yes in the review rolls it out" in text


def test_no_difference_is_said_as_that_with_its_interval(kept: Kept) -> None:
    kept.answer("3", 400)
    kept.answer("4", 100)
    found = kept.judge()
    assert (found["favours"], found["lower"] < 0 < found["upper"]) == ("neither", True)
    assert found["sentence"].startswith("no difference was found") and "does not say that they are equal" in found["sentence"]
    assert "Without a yes in the review version 3 stays" in kept.told[0][1]


def test_what_was_answered_before_both_did_is_not_counted(kept: Kept) -> None:
    kept.answer("3", 300, at=NOON - timedelta(minutes=10))
    kept.answer("3", 40)
    kept.answer("4", 10)
    found = kept.judge()
    assert (found["requests"], found["labels"]) == ({"champion": 40, "challenger": 10},) * 2
    assert found["counted_since"] == "2026-11-27T11:59:00Z"


def test_its_last_day_ends_it_with_the_labels_that_there_are(kept: Kept) -> None:
    kept.answer("3", 120)
    kept.answer("4", 30)
    kept.now = SET.last
    assert (kept.judge()["decided"], kept.judge()["favours"]) == (True, "neither")


def test_too_few_labels_are_said_and_favour_nobody(kept: Kept) -> None:
    kept.answer("3", 120)
    kept.answer("4", 30, labelled=29)
    kept.now = SET.last
    found = kept.judge()
    assert (found["favours"], found["sentence"]) == (
        "neither",
        "too few labelled answers to compare: 30 requests of each version with a labelled answer are needed, version 4 has 29",
    )


def test_rows_of_few_requests_do_not_end_it_and_compare_nothing(kept: Kept) -> None:
    """Ten requests of fifty rows: as many labels as were wanted, of ten observations."""
    kept.answer("3", 400)
    kept.answer("4", 500, spread=0.1, each=50)
    early = kept.judge()
    assert (early["decided"], early["labelled_requests"]) == (False, {"champion": 400, "challenger": 10})
    assert early["sentence"].startswith(
        "900 labelled answers; 30 requests of each version with a labelled answer are needed, version 4 has 10"
    )
    kept.now = SET.last
    assert (kept.judge()["decided"], kept.judge()["favours"]) == (True, "neither")


def test_requests_that_were_not_divided_as_set_compare_nothing(kept: Kept) -> None:
    kept.answer("3", 250)
    kept.answer("4", 250, spread=0.1)
    found = kept.judge()
    assert found["favours"] == "neither"
    assert found["sentence"].startswith("requests were not divided as set: 250 of 500 (50.0%, set: 20 %) went to version 4 (p = ")


def test_another_experiment_of_the_same_version_is_judged_anew(kept: Kept) -> None:
    kept.answer("3", 400)
    kept.answer("4", 100)
    assert kept.judge()["decided"]
    again = kept.judge(replace(SET, began=BEGAN + timedelta(minutes=30), labelled_answers=10_000))
    assert (again["decided"], again["began"]) == (False, "2026-11-27T11:30:00Z")


def test_nothing_is_counted_before_the_challenger_has_answered(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.answer("3", 50)
    found = kept.judge()
    assert (found["requests"], found["sample_ratio_p"], found["counted_since"]) == ({"champion": 0, "challenger": 0}, 1.0, None)
    json.dumps(found, allow_nan=False)


def test_versions_that_know_other_classes_are_not_compared(kept: Kept) -> None:
    kept.answer("3", 400)
    kept.answer("4", 100)
    more = SimpleNamespace(numeric=["size"], categorical=[], classes=["0", "1", "2"])
    found = kept.judge(takes={"3": SimpleNamespace(numeric=["size"], categorical=[], classes=["0", "1"]), "4": more})
    assert (found["decided"], found["favours"]) == (True, "neither")
    assert found["sentence"].startswith("the versions know other classes ([['0', '1'], ['0', '1', '2']])")


def test_settings_ask_for_as_many_as_are_needed() -> None:
    assert FEWEST_REQUESTS == experiment_settings.FEWEST_REQUESTS


def test_the_job_knows_of_an_experiment_by_its_variables() -> None:
    variables = {
        "CHALLENGER_VERSION": "4",
        "EXPERIMENT_BEGAN": "2026-11-27T11:00:00Z",
        "EXPERIMENT_METRIC": "rmse",
        "EXPERIMENT_MORE_IS_BETTER": "false",
        "EXPERIMENT_PERCENT": "20",
        "EXPERIMENT_LABELLED_ANSWERS": "500",
        "EXPERIMENT_DAYS": "14",
    }
    assert Experiment.of(variables, PLACE) == SET
    assert Experiment.of({**variables, "EXPERIMENT_BEGAN": "never"}, PLACE) is None
    assert Experiment.of({}, PLACE) is None
