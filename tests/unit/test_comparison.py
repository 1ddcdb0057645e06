"""What comparison.json says of a version in production's shadow, and how it is told."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from deploy_scripts import comparison, shadow, shadow_answers, shadow_metrics
from deploy_scripts.comparison import PRODUCTION, SHADOW, Minute, Seen, interval
from deploy_scripts.shadow_stay import Stay
from settings_schema import Endpoint, Problem, Shadow

NOON = datetime(2026, 1, 5, 12, 0, 20, tzinfo=UTC)
SERVING = Endpoint(p99_latency_ms=100, server_error_percent=1.0)


def minute(requests: float = 100, failed: float = 0, p99: float = 20) -> Minute:
    return Minute(requests, 1, failed, p99 / 2, p99)


def measured(shadow: list[Minute | None], pairs: Any = None) -> dict[str, Any]:
    return comparison.measured(Seen({PRODUCTION: [minute(), minute(p99=40)], SHADOW: shadow}, pairs), SERVING)


def test_requests_errors_and_latency_stand_beside_each_other() -> None:
    found = measured([minute(50, 2, 30), None, minute(50, 0, 10)])
    assert found["requests"] == {"production": 200, "shadow": 100}
    assert found["errors"] == {"production": {"4xx": 2, "5xx": 0}, "shadow": {"4xx": 2, "5xx": 2}}
    assert found["latency_ms"]["shadow"] == {"p50": 10.0, "p99": 20.0, "worst_p99": 30}
    assert found["answers"] is None


@pytest.mark.parametrize(
    ("minutes", "undone"),
    [
        ([minute(failed=2), minute(), minute(failed=2)], ["server-errors"]),
        ([minute(failed=2), minute(), minute(), minute(failed=2)], []),
        ([minute(failed=1), minute(failed=1)], []),  # one in a hundred is allowed
        ([minute(failed=2), None, minute(p99=200), minute(p99=101)], ["latency-p99"]),
        ([], []),
    ],
)
def test_the_alarms_that_would_have_undone_its_rollout_are_named(minutes: list[Minute | None], undone: list[str]) -> None:
    assert measured(minutes)["would_undo"] == undone


def test_scores_are_compared_where_both_answered_as_many_rows() -> None:
    pairs = [([(None, 10.0), (None, 4.0)], [(None, 10.5), (None, 4.0)]), ([(None, 1.0)], [(None, 0.0)]), ([(None, 1.0)], [])]
    answers = measured([minute()], pairs)["answers"]
    assert (answers["requests"], answers["rows"], answers["differ"]) == (2, 3, None)
    assert (answers["mean"], answers["typical"], answers["largest"]) == (pytest.approx(-0.5 / 3), 0.5, 1.0)


def test_another_class_is_counted_with_its_interval() -> None:
    rows = [("Yes", 0.7)] * 8 + [("No", 0.2)] * 2
    answers = measured([minute()], [([("Yes", 0.7)] * 10, rows)])["answers"]
    assert (answers["differ"], answers["differ_share"]) == (2, 0.2)
    assert answers["differ_low"] < 0.2 < answers["differ_high"] < 0.55


def test_an_interval_is_wilson_s_and_never_sure() -> None:
    low, high = interval(0, 10)
    assert low == 0 and high == pytest.approx(0.2775, abs=1e-4)
    assert interval(0, 0) == (0.0, 1.0)


# ------------------------------------------------------------------------------------------------------------ the file


def fact(made: Stay, seen: Seen | None, usd: float | None = 0.115) -> dict[str, Any]:
    names = SimpleNamespace(model="abalone", environment="live")
    compared: Any = SimpleNamespace(
        names=names, version=SimpleNamespace(number=3), live=SimpleNamespace(number=2), serving=SERVING, shadow=Shadow(minutes=3)
    )
    return shadow.fact(compared, made, seen, usd)


def test_the_file_has_the_keys_that_its_module_describes() -> None:
    content = fact(Stay(NOON, 3, 2), Seen({PRODUCTION: [minute()], SHADOW: [minute()]}, []))
    described = comparison.__doc__ or ""
    assert [key for key in content if f" {key}" not in described and f"{key}," not in described] == []
    assert json.loads(json.dumps(content)) == content
    assert (content["usd"], content["compared"], content["reason"]) == (0.0115, True, "")


def test_what_was_not_compared_says_why() -> None:
    content = fact(Stay(ended="nothing serves yet whose requests could be copied"), None)
    assert content["summary"] == "In the shadow of production: not compared, because nothing serves yet whose requests could be copied"
    assert list(comparison.lines(content)) == [content["summary"]]
    assert (content["compared"], content["minutes"], content["requests"]) == (False, 0, {"production": 0, "shadow": 0})


def test_a_time_without_requests_says_so() -> None:
    content = fact(Stay(NOON, 3, 2), Seen({PRODUCTION: [None], SHADOW: [None]}, []))
    assert content["summary"] == "In the shadow of production for 3 min: no request came, so nothing is known of how it answers"


def test_a_shadow_that_was_busier_than_production_as_that_scaled_is_said_to_be() -> None:
    seen = Seen({PRODUCTION: [minute()], SHADOW: [minute()]}, [])
    scaled, same = (list(comparison.lines(fact(Stay(NOON, 3, 2, production=counts), seen))) for counts in ((2, 4), (2, 2)))
    assert [line for line in scaled if line not in same] == [
        "production scaled meanwhile (2 to 4 instances), the shadow stayed on 2: latencies are not of as busy instances"
    ]


def test_the_approver_reads_errors_latency_and_answers_in_one_line() -> None:
    seen = Seen({PRODUCTION: [minute()] * 3, SHADOW: [minute(failed=50)] * 3}, [([(None, 1.0)], [(None, 1.5)])])
    content = fact(Stay(NOON, 2, 2, "something else was deployed"), seen)
    assert content["summary"] == (
        "In the shadow of production for 2 min, 300 requests: 5xx 150 (version 2: 0), p99 20 ms (20 ms), "
        "scores of 1 rows differ by 0.5, at most 0.5, on average +0.5; its rollout would have been undone by server-errors"
    )
    said = list(comparison.lines(content))
    assert said[1] == "it ended after 2 of 3 min: something else was deployed"
    assert "version 3: 300 requests, 3 4xx, 150 5xx" in said


def test_the_line_is_one_that_a_shell_reads_as_it_is() -> None:
    assert shadow.exported({"summary": "it's $(rm) ü"}) == "export COMPARISON='it'\"'\"'s $(rm) ?'\n"


# ---------------------------------------------------------------------------------------------------- what was captured


def line(body: str, answer: str, kind: str = "application/json", **event: str) -> dict[str, Any]:
    given = {"observedContentType": "text/csv", "data": body, "encoding": "CSV"}
    output = {"observedContentType": f"{kind}; model-version=3", "data": answer, "encoding": "JSON"}
    return {
        "captureData": {"endpointInput": given, "endpointOutput": output},
        "eventMetadata": {"inferenceTime": "2026-01-05T12:01:00Z", **event},
    }


class Bucket:
    """Capture of an hour."""

    def __init__(self, lines: dict[str, list[dict[str, Any]]]) -> None:
        self.files = {f"capture/e/{variant}/2026/01/05/12/a.jsonl": own for variant, own in lines.items()}

    def get_paginator(self, _: str) -> Any:
        def paginate(*, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803
            return [{"Contents": [{"Key": key} for key in self.files if key.startswith(Prefix)]}]

        return SimpleNamespace(paginate=paginate)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        from botocore.response import StreamingBody

        body = "\n".join(json.dumps(item) for item in self.files[Key]).encode()
        return {"Body": StreamingBody(io.BytesIO(body), len(body))}


def pairs(production: list[dict[str, Any]], in_shadow: list[dict[str, Any]], problem: Problem = Problem.REGRESSION) -> Any:
    contract: Any = SimpleNamespace(problem=problem)
    bucket = Bucket({"AllTraffic": production, "Shadow": in_shadow})
    until = datetime(2026, 1, 5, 12, 5, tzinfo=UTC)
    return shadow_answers.pairs(bucket, "b", "capture/e/", NOON, until, {PRODUCTION: contract, SHADOW: contract}, 2)


def scored(score: float) -> str:
    return json.dumps({"predictions": [{"score": score}]})


def test_answers_to_the_same_request_are_a_pair_whatever_their_ids_and_order() -> None:
    ours = [line("1,2", scored(5), eventId="a"), line("3,4", scored(6), eventId="b")]
    theirs = [line("3,4", "8.0\n", "text/csv", eventId="c"), line("1,2", scored(7), eventId="d"), line("5,6", scored(9))]
    assert pairs(ours, theirs) == [([(None, 5.0)], [(None, 7.0)]), ([(None, 6.0)], [(None, 8.0)])]


@pytest.mark.parametrize(
    "left_out",
    [
        line("1,2", scored(5), inferenceId="check--1"),
        line("1,2", scored(5), inferenceTime="2026-01-05T11:59:00Z"),
        line("1,2", "row 1: length is too long", "text/plain"),
        line("1,2", "{}"),
    ],
    ids=["a check", "before the shadow was there", "a refusal", "no answer"],
)
def test_what_is_no_answer_to_traffic_is_left_out(left_out: dict[str, Any]) -> None:
    assert pairs([left_out], [line("1,2", scored(7))]) == []


def test_classes_are_read_of_both_forms() -> None:
    answer = json.dumps({"predictions": [{"predicted_label": "Yes", "score": 0.75}]})
    encoded = line("1,2", base64.b64encode(b"No,0.25\n").decode(), "text/csv")
    encoded["captureData"]["endpointOutput"]["encoding"] = "BASE64"
    assert pairs([line("1,2", answer)], [encoded], Problem.BINARY) == [([("Yes", 0.75)], [("No", 0.25)])]


# ------------------------------------------------------------------------------------------------------------ metrics


def test_a_minute_is_put_together_of_cloudwatch_s_values_and_is_none_without_requests() -> None:
    values = {"Invocations": 40.0, "Invocation4XXErrors": 1.0, "Invocation5XXErrors": 2.0, "ModelLatency": 15_000.0}

    def paginate(*, MetricDataQueries: list[Any], StartTime: datetime, **_: Any) -> list[Any]:  # noqa: N803
        assert StartTime == NOON.replace(second=0)
        results = []
        for query in MetricDataQueries:
            metric = query["MetricStat"]["Metric"]
            is_shadow = metric["Dimensions"][1]["Value"] == "Shadow"
            moments = [StartTime.replace(minute=1)] if is_shadow else []
            results.append({"Id": query["Id"], "Timestamps": moments, "Values": [values[metric["MetricName"]]] * len(moments)})
        return [{"MetricDataResults": results}]

    cloudwatch = SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=paginate))
    found = shadow_metrics.minutes(cloudwatch, "e", NOON, 2)
    assert found == {"production": [None, None], "shadow": [None, Minute(40.0, 1.0, 2.0, 15.0, 15.0)]}
