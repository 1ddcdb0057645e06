"""What a version says in its log while it answers: how much, how it predicts, what was missing, unseen, refused; and what it never says."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import time
from collections.abc import Iterator
from typing import Any

import features
import flask
import inference
import live_metrics
import numpy as np
import prediction_shares
import pytest
import served
from live_metrics import LiveMetrics
from prediction_shares import PredictionShares

from infra.serving import live_metrics as asked
from settings_schema import ServingNames
from tests.edge.versions import fitted

PLACE = {"METRICS_NAMESPACE": "shop/houses/Monitoring", "METRICS_ENDPOINT": "shop--houses--live", "MODEL_VERSION": "12"}
FITTED = {
    "numeric": [
        {"name": name, "lower": None, "upper": None, "fill": 1.0, "centre": 0.0, "scale": 1.0, "indicator": False}
        for name in ("area", "rooms")
    ],
    "categorical": [{"name": "kind", "categories": ["flat", "house"], "indicator": False}],
    "selected": None,
}


class Area:
    """Predicts the area; as a probability, a hundredth of it."""

    def __init__(self, divisor: float) -> None:
        self.divisor = divisor

    def predict(self, matrix: Any) -> Any:
        return matrix[:, 0].astype(np.float64) / self.divisor


def version(classes: list[str] | None = None, predictions: dict[str, Any] | None = None) -> served.Served:
    model = Area(100.0 if classes else 1.0)
    return served.Served(features.Preparer(FITTED), model, {"classes": classes}, {}, {"dataset": {}}, predictions)


class Log:
    """The lines of a version that serves, and what CloudWatch reads in them: a value by name and, for a class, by its class."""

    def __init__(self, model: served.Served) -> None:
        self.model, self.lines = model, list[str]()
        self.live = LiveMetrics(model, PLACE, self.lines.append)

    def ask(self, *bodies: str, accept: str | None = None) -> Any:
        answers = [inference.output_fn(inference.predict_fn(inference.input_fn(body, "text/csv"), self.model), accept) for body in bodies]
        return answers[-1]

    def said(self) -> dict[str, float]:
        first = len(self.lines)
        self.live.say()
        values = {}
        for line in map(json.loads, self.lines[first:]):
            (directive,) = line["_aws"]["CloudWatchMetrics"]
            (dimensions,) = directive["Dimensions"]
            assert directive["Namespace"] == "shop/houses/Monitoring"
            assert (line["EndpointName"], line["ModelVersion"]) == ("shop--houses--live", "12")
            for metric in directive["Metrics"]:
                values[" ".join([metric["Name"], *(line[name] for name in dimensions[2:])])] = line[metric["Name"]]
        return values


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def begin(model: served.Served) -> Log:
        log = Log(model)
        monkeypatch.setattr(inference.Serving, "live", log.live)
        return log

    yield begin


def rows(*areas: float, kind: str = "flat") -> str:
    return "".join(f"{area},2,{kind}\n" for area in areas)


def test_a_line_counts_requests_and_rows_and_sums_up_predictions(serving: Any) -> None:
    log = serving(version())
    log.ask(rows(10, 20), rows(30), rows(40, 50))
    assert log.said() == {
        "Requests": 3, "RefusedRequests": 0, "Rows": 5, "MissingValues": 0, "UnseenValues": 0,
        "PredictionMean": 30.0, "PredictionP10": 14.0, "PredictionP50": 30.0, "PredictionP90": 46.0,
    }  # fmt: skip


def test_what_was_said_is_not_said_again_and_silence_says_nothing(serving: Any) -> None:
    log = serving(version())
    log.ask(rows(1, 2, 3, 4, 5))
    assert log.said()["Rows"] == 5
    assert log.said() == {}
    log.ask(rows(6))
    assert log.said()["Rows"] == 1


def test_missing_and_unseen_values_are_counted_and_their_features_named(serving: Any) -> None:
    log = serving(version())
    log.ask("1,,flat\n2,,castle\n", "3,4,\n")
    assert {name: count for name, count in log.said().items() if name.endswith("Values")} == {"MissingValues": 3, "UnseenValues": 1}
    line = json.loads(log.lines[0])
    assert line["missing"] == {"rooms": 2, "kind": 1}
    assert line["unseen"] == {"kind": 1}


def test_refused_requests_are_counted_by_their_status_wherever_they_are_refused(serving: Any) -> None:
    log = serving(version())
    log.ask("1,2\n", "x,2,flat\n", rows(1))
    log.ask(rows(1), accept="image/png")
    said = log.said()
    assert (said["Requests"], said["RefusedRequests"]) == (4, 3)
    assert json.loads(log.lines[0])["refused"] == {"400": 2, "406": 1}


def test_each_class_has_its_share_also_one_that_nobody_got(serving: Any) -> None:
    log = serving(version(["no", "yes"]))
    log.ask(rows(60, 70, 80, 90, 10))
    shares = {name: share for name, share in log.said().items() if name.startswith("Class")}
    assert shares == {"ClassShare no": 0.2, "ClassShare yes": 0.8}
    log.ask(rows(60, 70, 80, 90, 95))
    assert log.said()["ClassShare no"] == 0.0


def test_a_class_that_cloudwatch_cannot_name_is_escaped(serving: Any) -> None:
    log = serving(version(["n\u00e3o", "sim"]))
    log.ask(rows(*range(5)))
    assert log.said()["ClassShare n\\xe3o"] == 1.0


def test_no_value_of_a_request_is_in_a_line(serving: Any) -> None:
    log = serving(version())
    log.ask("71234,82345,Bartholomew\n", "x93456,1,flat\n")
    log.said()
    assert log.lines
    assert not any(value in "".join(log.lines) for value in ("71234", "82345", "Bartholomew", "93456"))


def test_predictions_of_fewer_than_five_rows_wait_for_more(serving: Any) -> None:
    """The mean of one row would be somebody's own prediction."""
    log = serving(version())
    log.ask(rows(1, 2, 3))
    assert "PredictionMean" not in log.said()
    log.ask(rows(4, 10))
    said = log.said()
    assert (said["Rows"], said["PredictionMean"]) == (2, 4.0)


def test_a_failure_of_the_metrics_is_a_word_in_the_log_and_no_answer_knows_of_it(serving: Any, capsys: pytest.CaptureFixture[str]) -> None:
    log = serving(version())

    def full(line: str) -> None:
        raise OSError(line)

    log.live._write = full
    assert log.ask(rows(7)) == ('{"predictions": [{"score": 7.0}]}', "application/json")
    log.live.say()
    assert capsys.readouterr().err == "live metrics failed: OSError\n"


def test_many_rows_are_not_kept_until_the_line_is_written(serving: Any) -> None:
    log = serving(version())
    log.ask(*(rows(*range(1000)) for _ in range(12)))
    assert sum(len(scores) for _, scores in log.live._kept) <= live_metrics.MOST_ROWS_KEPT
    assert log.said()["Rows"] == 12_000


def test_a_line_fits_into_a_pipe_whatever_the_features_are_called(serving: Any) -> None:
    """So that the lines of several worker processes do not mix."""
    names = [f"{number}{'x' * 400}" for number in range(30)]
    fitted = {**FITTED, "categorical": [{"name": name, "categories": [], "indicator": False} for name in names]}
    model = served.Served(features.Preparer(fitted), Area(1.0), {"classes": None}, {}, {"dataset": {}})
    log = serving(model)
    log.ask(",".join(["1", "2", *(["z"] * 30)]))
    assert log.said()["UnseenValues"] == 30
    assert len(log.lines[0]) < 4096


def test_nothing_is_said_where_the_stack_did_not_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METRICS_NAMESPACE", raising=False)
    monkeypatch.setenv("MODEL_VERSION", "12")
    assert live_metrics.start(version()) is None


@pytest.mark.parametrize(
    ("accept", "kind"),
    [(None, "application/json; model-version=12; answer-id={}"), ("text/csv", "text/csv; model-version=12; answer-id={}; charset=utf-8")],
)
def test_an_answer_names_its_version_and_itself_and_is_otherwise_the_same(
    monkeypatch: pytest.MonkeyPatch, accept: str | None, kind: str
) -> None:
    def ask() -> Any:
        return inference.output_fn({"score": [7.0]}, accept)

    unnamed = ask()
    monkeypatch.setattr(inference.Serving, "headers", inference._headers("12"))
    answer, other = ask(), ask()
    assert isinstance(answer, flask.Response)
    assert answer.get_data(as_text=True) == unnamed[0]
    assert answer.mimetype == unnamed[1]
    said, other_said = (each.headers["X-Amzn-SageMaker-Custom-Attributes"] for each in (answer, other))
    version, _, answer_id = said.partition("; answer-id=")
    assert version == "model-version=12"
    assert re.fullmatch(r"[\w-]{16}", answer_id)
    assert answer.headers["Content-Type"] == kind.format(answer_id)
    assert said != other_said


def test_the_stack_asks_in_the_words_that_the_container_reads_and_shows_what_it_says(serving: Any) -> None:
    names = ServingNames(project="shop", model="houses", environment="live")
    assert {**asked.variables(names), asked.VERSION: "12"} == PLACE
    log = serving(version(["no", "yes"], prediction_shares.describe(np.linspace(0, 1, 100))))
    for _ in range(2):
        log.ask(*(rows(float(area)) for area in range(100)))
        log.live._add_up()
    said = {name.split()[0] for name in log.said()}
    assert {
        asked.REQUESTS,
        asked.REFUSED,
        asked.MISSING,
        asked.UNSEEN,
        asked.MEAN,
        *asked.QUANTILES,
        asked.CLASS_SHARE,
        asked.DISTANCE,
    } <= said
    assert list(asked.DIMENSIONS) == json.loads(log.lines[0])["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]


# ------------------------------------------------------------------------------------- the distance of predictions


def normal(count: int, centre: float, seed: int) -> Any:
    return np.random.default_rng(seed).normal(centre, 1.0, count)


def one_row_each(scores: Any) -> Any:
    return np.ones(len(scores), dtype=np.int64)


def distances(shares: PredictionShares, scores: Any) -> list[float]:
    return [shares.distance(shares.of_requests(block, one_row_each(block))) for block in np.split(scores, len(scores) // 100)]


@pytest.mark.thorough
@pytest.mark.parametrize("validation_rows", [50, 400])
def test_requests_like_the_validation_rows_are_hardly_ever_beyond_four(validation_rows: int) -> None:
    """Over the luck of forty validation sets, too. Of 10,000 blocks a third of one is expected; three are rarer than one in 200."""
    found = []
    for seed in range(40):
        shares = PredictionShares.of(prediction_shares.describe(normal(validation_rows, 0.0, seed)))
        assert shares is not None
        found += distances(shares, normal(25_000, 0.0, 100 + seed))
    assert len(found) == 10_000
    assert sum(distance > 4 for distance in found) < 3


def test_predictions_that_moved_by_a_standard_deviation_are_beyond_four_in_every_block() -> None:
    shares = PredictionShares.of(prediction_shares.describe(normal(400, 0.0, 1)))
    assert shares is not None
    assert min(distances(shares, normal(10_000, 1.0, 2))) > 4


def test_a_small_difference_is_no_anomaly_however_much_traffic_shows_it() -> None:
    shares = PredictionShares.of(prediction_shares.describe(normal(2000, 0.0, 1)))
    assert shares is not None
    many = normal(200_000, 0.1, 2)
    assert shares.distance(shares.of_requests(many, one_row_each(many))) < 1


def test_the_rows_of_a_request_are_one_piece_of_evidence() -> None:
    shares = PredictionShares.of(prediction_shares.describe(np.arange(100.0)))
    assert shares is not None
    alone = shares.of_requests(np.array([5.0, 95.0]), np.array([1, 1]))
    with_copies = shares.of_requests(np.array([5.0] * 50 + [95.0]), np.array([50, 1]))
    assert alone == pytest.approx(with_copies)


def test_shares_of_several_classes_are_compared_and_rare_classes_together() -> None:
    probabilities = np.eye(4)[[0] * 500 + [1] * 460 + [2] * 20 + [3] * 20]
    shares = PredictionShares.of(prediction_shares.describe(probabilities))
    assert shares is not None
    assert sorted(shares.counts) == [500, 500]
    assert shares.distance(shares.of_requests(probabilities[:500], one_row_each(probabilities[:500]))) > 4


@pytest.mark.parametrize("scores", [np.full(200, 0.3), np.arange(20.0)], ids=["one prediction for all", "few rows"])
def test_where_nothing_is_usual_nothing_is_unusual(scores: Any) -> None:
    assert PredictionShares.of(prediction_shares.describe(scores)) is None
    assert PredictionShares.of(None) is None


def test_two_blocks_in_a_row_have_to_be_unusual_and_few_requests_say_nothing(serving: Any) -> None:
    log = serving(version(predictions=prediction_shares.describe(np.arange(100.0))))
    log.ask(*(rows(90.0) for _ in range(199)))
    assert "PredictionDistance" not in log.said()
    log.ask(rows(90.0))
    assert "PredictionDistance" not in log.said()  # 200 requests are one block: they were added up at two times
    log.ask(*(rows(90.0) for _ in range(100)))
    assert log.said()["PredictionDistance"] > 4
    log.ask(*(rows(float(area)) for area in range(100)))
    assert log.said()["PredictionDistance"] < 4


def test_a_process_that_is_forked_after_the_model_was_loaded_speaks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The image's multi-model server loads, then forks (`model_service_worker.py`, preload)."""
    monkeypatch.setattr(live_metrics, "SECONDS", 0.02)
    read, write = os.pipe()
    live = LiveMetrics(version(), PLACE, lambda line: os.write(write, b"said\n"))
    live.begin()
    child = os.fork()
    if not child:
        live.ended(400)
        time.sleep(5)  # the parent ends it
        os._exit(0)
    try:
        assert select.select([read], [], [], 5)[0], "nothing was said"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@pytest.mark.parametrize("problem", ["regression", "binary", "multiclass"])
def test_rows_that_are_looked_up_alone_are_told_as_rows_together_are(serving: Any, monkeypatch: pytest.MonkeyPatch, problem: str) -> None:
    model = fitted(problem, "gradient_boosting")
    asked_for = ["1.5,2,a b,4\n", ",0.5,never seen,10\n", "3,,rare,\n", "0.2,1,a b,10\n", "7,-1,Łódź,4\n", "x,1,a b,4\n"]
    told = []
    for quick in (model.one_row, None):
        monkeypatch.setitem(model.__dict__, "one_row", quick)
        log = serving(model)
        log.ask(*asked_for, "1,2,a b,4\n2,3,a b,4\n")
        told.append(log.said())
    assert told[0] == told[1]
    assert (told[0]["Requests"], told[0]["RefusedRequests"], told[0]["Rows"]) == (7, 1, 7)
    assert (told[0]["MissingValues"], told[0]["UnseenValues"]) == (3, 2)
