"""What a run that watches tells: metrics of what was judged, and one message for what nobody was told yet."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import publish
import pytest
from store import GoneError

from infra import drift_metrics

PLACE = publish.Place(
    namespace="shop/abalone/Monitoring",
    endpoint="shop--abalone--live",
    topic_arn="arn:aws:sns:eu-west-1:111122223333:alerts",
    bucket="shop--live-111122223333-eu-west-1",
    monitoring="monitoring/abalone/",
    region="eu-west-1",
)


class Store:
    """An environment's bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def list(self, prefix: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(key=key) for key in sorted(self.objects) if key.startswith(prefix)]

    def read(self, key: str) -> io.BytesIO:
        if key not in self.objects:
            raise GoneError(key)
        return io.BytesIO(self.objects[key])

    def write(self, key: str, content: bytes, content_type: str) -> None:
        assert content_type == "application/json"
        self.objects[key] = content


class Account:
    """CloudWatch and SNS, which keep what they get."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.messages: list[dict[str, str]] = []
        self.refuses_metrics = False
        self.clients = publish.Clients(cloudwatch=self, sns=self, store=Store())

    def put_metric_data(self, **request: Any) -> None:
        if self.refuses_metrics:
            raise RuntimeError("refused")
        self.requests.append(request)

    def publish(self, **request: str) -> None:
        self.messages.append(request)

    @property
    def metrics(self) -> dict[tuple[str, ...], float]:
        """By name, and the feature where there is one."""
        found = [datum for request in self.requests for datum in request["MetricData"]]
        return {(item["MetricName"], *(part["Value"] for part in item["Dimensions"][1:])): item["Value"] for item in found}


@pytest.fixture
def account() -> Account:
    return Account()


def drift(feature: str, effect: float) -> dict[str, Any]:
    return {"feature": feature, "effect": effect, "psi": 0.0, "p_value": 0.5, "q_value": 0.5, "limit": 0.1, "breached": effect > 0.1}


def breach(kind: str, feature: str | None, effect: float = 0.3, *, since: str = "2026-11-27T14:00:00Z", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "feature": feature, "version": "12", "effect": effect, "limit": 0.1, "since": since, "detail": "", **more}


def findings(*breaches: Mapping[str, Any], hour: int = 14, drifts: Mapping[str, float] | None = None, **more: Any) -> dict[str, Any]:
    """Of one window of an hour in which version 12 answered 500 rows."""
    version = {"version": "12", "rows": 500, "drift": [drift(*item) for item in (drifts or {}).items()]}
    return {
        "model": "abalone",
        "environment": "live",
        "window": {"from": f"2026-11-27T{hour}:00:00Z", "to": f"2026-11-27T{hour + 1}:00:00Z"},
        "status": "breached" if breaches else "ok",
        "versions": [version],
        "breaches": list(breaches),
        **more,
    }


def tell(account: Account, found: Mapping[str, Any], **more: Any) -> None:
    """As of the newest window, and no truth is known."""
    publish.publish(found, clients=account.clients, place=PLACE, **{"truth": {}, **more})


def test_a_healthy_window_publishes_zeros_each_feature_s_effect_and_no_message(account: Account) -> None:
    tell(account, findings(drifts={"length": 0.02, "sex": 0.01}))
    assert account.metrics == {
        ("DriftedFeatures",): 0,
        ("QualityBreaches",): 0,
        ("BiasBreaches",): 0,
        ("ContractBreaches",): 0,
        ("JudgedRows",): 500,
        ("Drift", "length"): 0.02,
        ("Drift", "sex"): 0.01,
    }
    assert account.messages == []
    (request,) = account.requests
    assert request["Namespace"] == "shop/abalone/Monitoring"
    assert {item["Dimensions"][0]["Value"] for item in request["MetricData"]} == {"shop--abalone--live"}


@pytest.mark.parametrize("status", ["no traffic", "too few rows", "not judged"])
def test_what_was_not_judged_publishes_nothing_because_no_news_is_not_good_news(account: Account, status: str) -> None:
    tell(account, findings(status=status, versions=[]))
    assert (account.requests, account.messages) == ([], [])


def test_an_older_window_that_is_judged_again_says_nothing_about_now(account: Account) -> None:
    tell(account, findings(breach("drift", "length")), truth=None)
    assert account.requests == []
    assert len(account.messages) == 1, "but what it newly found is told"


@pytest.mark.parametrize(
    ("kinds", "metric", "value"),
    [
        ((("drift", "length"), ("drift", "sex")), "DriftedFeatures", 2),
        ((("joint", None),), "DriftedFeatures", 1),
        ((("estimate", None), ("quality", None)), "QualityBreaches", 2),
        ((("attributions", None),), "QualityBreaches", 1),
        ((("bias", "sex"),), "BiasBreaches", 1),
        ((("contract", "sex"), ("contract", "length")), "ContractBreaches", 2),
    ],
)
def test_each_kind_of_breach_is_counted_in_the_metric_of_its_alarm(account: Account, kinds: Any, metric: str, value: int) -> None:
    tell(account, findings(*(breach(*kind) for kind in kinds)))
    counted = {
        name: number for (name, *feature), number in account.metrics.items() if name.endswith(("Breaches", "Features")) and not feature
    }
    assert counted == {**dict.fromkeys(counted, 0), metric: value}


def test_a_feature_that_drifts_for_two_versions_counts_once_and_its_effect_is_the_larger(account: Account) -> None:
    old = {"version": "11", "rows": 40, "drift": [drift("length", 0.4)]}
    new = {"version": "12", "rows": 60, "drift": [drift("length", 0.2)]}
    tell(account, findings(breach("drift", "length", version="11"), breach("drift", "length"), versions=[old, new]))
    assert account.metrics[("DriftedFeatures",)] == 1
    assert account.metrics[("Drift", "length")] == 0.4
    assert account.metrics[("JudgedRows",)] == 100


def test_the_message_names_model_environment_feature_window_effect_and_report(account: Account) -> None:
    tell(account, findings(breach("drift", "length", 0.342, detail="moved by 0.342 (limit 0.1)")))
    (message,) = account.messages
    assert message["TopicArn"] == PLACE.topic_arn
    assert message["Subject"] == "abalone in live: length"
    folder = "monitoring/abalone/windows/2026-11-27T14Z--2026-11-27T15Z"
    for part in (
        "abalone in live: a new finding in the window from 2026-11-27T14:00:00Z to 2026-11-27T15:00:00Z.",
        "- length (drift): moved by 0.342 (limit 0.1)\n",
        f"s3://shop--live-111122223333-eu-west-1/{folder}/report.html",
        f"https://eu-west-1.console.aws.amazon.com/s3/object/shop--live-111122223333-eu-west-1?region=eu-west-1&prefix={folder}/report.html",
    ):
        assert part in message["Message"]


def test_a_window_that_is_judged_again_sends_no_second_message(account: Account) -> None:
    for _ in range(2):
        tell(account, findings(breach("drift", "length")))
    assert len(account.messages) == 1


def test_what_lasts_is_told_once_and_what_is_new_beside_it_is_told(account: Account) -> None:
    tell(account, findings(breach("drift", "length")))
    tell(account, findings(breach("drift", "length"), breach("contract", "sex", since="2026-11-27T15:00:00Z"), hour=15))
    assert len(account.messages) == 2
    assert "sex" in account.messages[1]["Message"]
    assert "length" not in account.messages[1]["Message"]


def test_what_a_run_could_not_tell_the_next_one_tells(account: Account) -> None:
    """The window in which it began was judged by a run that ended before its message."""
    tell(account, findings(breach("drift", "length"), hour=15))
    assert "length" in account.messages[0]["Message"]


def test_a_run_that_could_not_publish_its_metrics_has_told_a_person_and_tells_no_second_time(account: Account) -> None:
    account.refuses_metrics = True
    with pytest.raises(RuntimeError):
        tell(account, findings(breach("drift", "length")))
    account.refuses_metrics = False
    tell(account, findings(breach("drift", "length")))
    assert (len(account.messages), account.metrics[("DriftedFeatures",)]) == (1, 1)


def test_what_ends_and_comes_back_is_told_again(account: Account) -> None:
    tell(account, findings(breach("drift", "length")))
    tell(account, findings(hour=15))
    tell(account, findings(breach("drift", "length", since="2026-11-27T16:00:00Z"), hour=16))
    assert len(account.messages) == 2


def test_hundreds_of_features_fit_into_requests_and_a_message_that_starts_with_the_worst(account: Account) -> None:
    """CloudWatch takes 1,000 data at once, SNS 100 characters of subject."""
    features = {f"feature_{number}": 0.2 + number / 10_000 for number in range(600)}
    tell(account, findings(*(breach("drift", name, effect) for name, effect in features.items()), drifts=features))
    assert max(len(request["MetricData"]) for request in account.requests) <= 1000
    assert account.metrics[("Drift", "feature_599")] == pytest.approx(0.2599)
    (message,) = account.messages
    assert message["Message"].count("\n- ") == 21
    assert message["Message"].index("feature_599") < message["Message"].index("feature_598")
    assert "and 580 more" in message["Message"]
    assert len(message["Subject"]) < 100


def test_names_that_cloudwatch_or_sns_would_refuse_do_not_stop_the_message(account: Account) -> None:
    """A dimension's value and a subject are ASCII; a column may be called anything."""
    strange = {"größe": 0.3, ":x": 0.3, "a\nb": 0.3, " ": 0.3, "x" * 2000: 0.3}
    tell(account, findings(*(breach("drift", name) for name in strange), drifts={**strange, "length": 0.01}))
    assert [key for key in account.metrics if key[0] == "Drift"] == [("Drift", "length")]
    assert account.metrics[("DriftedFeatures",)] == 5
    (message,) = account.messages
    assert re.fullmatch(r"[ -~]{1,99}", message["Subject"])
    assert "größe" in message["Message"]


def test_the_message_has_the_largest_first_in_its_subject_too_and_says_what_it_costs(account: Account) -> None:
    estimate = {"metric": "rmse", "value": 3.7, "at_evaluation": 2.331}
    versions = [{"version": "12", "rows": 500, "drift": [], "estimate": estimate}]
    moved = [
        breach("drift", name, effect, detail=f"moved by {effect}") for name, effect in (("length", 0.2), ("sex", 0.9), ("height", 0.4))
    ]
    tell(account, findings(*moved, versions=versions))
    (message,) = account.messages
    assert message["Subject"] == "abalone in live: sex, height and 1 more"
    said = message["Message"].splitlines()
    assert said[1] == "rmse is estimated at 3.7, 2.331 at evaluation."
    assert said[3:6] == ["- sex (drift): moved by 0.9", "- height (drift): moved by 0.4", "- length (drift): moved by 0.2"]


def test_what_a_feature_did_in_two_versions_is_one_line_of_the_message(account: Account) -> None:
    moved = [
        breach("drift", "length", effect, version=version, detail=f"moved by {effect}") for version, effect in (("11", 0.2), ("12", 0.4))
    ]
    versions = [{"version": version, "rows": 300, "drift": []} for version in ("11", "12")]
    tell(account, findings(*moved, versions=versions))
    (message,) = account.messages
    assert "a new finding" in message["Message"]
    assert "- length (drift): version 12: moved by 0.4; version 11: moved by 0.2\n" in message["Message"]


def test_an_effect_that_is_unknown_stops_no_message(account: Account) -> None:
    tell(account, findings(breach("quality", None, effect=None, limit=None, detail="rmse is 3")))  # type: ignore[arg-type]
    assert "- realised quality: rmse is 3\n" in account.messages[0]["Message"]


@pytest.mark.parametrize(
    ("region", "host"),
    [("us-gov-west-1", "console.amazonaws-us-gov.com"), ("cn-north-1", "console.amazonaws.cn"), ("us-east-1", "console.aws.amazon.com")],
)
def test_the_console_is_that_of_the_partition(region: str, host: str) -> None:
    import dataclasses

    assert publish.console_address(dataclasses.replace(PLACE, region=region), "k").startswith(f"https://{region}.{host}/s3/object/")


def test_alarm_and_dashboard_read_what_is_published() -> None:
    """The job imports nothing of the project, so each side has the names."""
    names = ("DRIFTED_FEATURES", "QUALITY_BREACHES", "BIAS_BREACHES", "CONTRACT_BREACHES", "JUDGED_ROWS", "EFFECT")
    assert {name: getattr(publish, name) for name in names} == {name: getattr(drift_metrics, name) for name in names}


def test_the_job_s_environment_says_where_it_publishes() -> None:
    from pipelines.monitoring.pipeline import variables
    from tests.example_models import ABALONE, PROJECT

    given = variables(ABALONE.names(PROJECT).at("live"), is_batch=False)
    place = publish.Place.of(given)
    assert (place.namespace, place.endpoint, place.monitoring) == ("shop/abalone/Monitoring", "shop--abalone--live", "monitoring/abalone/")
    assert json.dumps(given)


def test_a_feature_that_breaks_its_contract_in_a_second_way_is_told(account: Account) -> None:
    first, second = ({**breach("contract", "length"), "check": check} for check in ("missing", "out of range"))
    tell(account, findings(first))
    tell(account, findings(first, second))
    assert len(account.messages) == 2


def test_what_labels_say_of_an_earlier_window_is_a_metric_of_now(account: Account) -> None:
    tell(account, findings(), truth=findings(breach("quality", None)))
    assert account.metrics[("QualityBreaches",)] == 1


def test_truth_is_told_although_nobody_asks_any_more(account: Account) -> None:
    tell(account, findings(status="no traffic", versions=[]), truth=findings(breach("quality", None)))
    assert account.metrics == {("QualityBreaches",): 1}
