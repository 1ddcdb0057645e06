"""Why a model should be trained again, in one document: the windows that broke limits, since when, the estimate and what labels say."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import why

TOLD_AT = "2026-11-27T20:20:00Z"


def hour(number: int) -> dict[str, str]:
    return {"from": f"2026-11-27T{number:02}Z", "to": f"2026-11-27T{number + 1:02}Z"}


def report(window: Mapping[str, str]) -> str:
    return f"s3://live/monitoring/houses/windows/{window['from']}--{window['to']}/report.html"


def breach(kind: str, since: int, feature: str | None = None) -> dict[str, Any]:
    detail = f"{feature or kind} moved"
    return {"kind": kind, "feature": feature, "version": "3", "effect": 0.3, "limit": 0.1, "since": hour(since)["from"], "detail": detail}


def version(number: str, rows: int, **parts: Any) -> dict[str, Any]:
    return {"version": number, "rows": rows, "estimate": None, "realised": None, **parts}


def findings(at: int, *breaches: dict[str, Any], versions: tuple[dict[str, Any], ...] = (), status: str = "") -> dict[str, Any]:
    return {
        "model": "houses",
        "environment": "live",
        "window": hour(at),
        "judged_at": f"2026-11-27T{at + 1:02}:20:00Z",
        "status": status or ("breached" if breaches else "ok"),
        "rows": 500,
        "versions": list(versions),
        "breaches": list(breaches),
    }


def made(*found: dict[str, Any]) -> dict[str, Any]:
    document = why.why(found, report, TOLD_AT)
    assert document is not None
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    return document


def test_it_names_the_windows_the_alarms_and_since_when() -> None:
    moved = breach("drift", 10, "area")
    document = made(findings(9), findings(10, moved), findings(11, moved, breach("quality", 11)))
    assert document["alarms"] == ["drift", "quality"]
    assert document["since"] == hour(10)["from"]
    assert [window["from"] for window in document["windows"]] == [hour(10)["from"], hour(11)["from"]]
    assert document["windows"][0]["breaches"] == [{"kind": "drift", "feature": "area", "version": "3", "detail": "area moved"}]
    assert document["windows"][0]["report"] == report(hour(10))


def test_production_that_is_well_again_sets_off_nothing_and_its_past_is_still_told() -> None:
    document = made(findings(10, breach("drift", 10, "area")), findings(11))
    assert (document["alarms"], document["since"], len(document["windows"])) == ([], None, 1)


def test_an_hour_without_traffic_does_not_make_it_well() -> None:
    document = made(findings(10, breach("joint", 10)), findings(11, status="no traffic"), findings(12, status="too few rows"))
    assert (document["window"], document["alarms"]) == (hour(10), ["drift"])


def test_what_another_training_cannot_mend_is_no_reason_for_one() -> None:
    document = made(findings(10, breach("contract", 10, "area"), breach("bias", 10)))
    assert (document["alarms"], document["windows"]) == ([], [])


def test_the_estimate_and_the_truth_are_the_newest_of_the_version_that_answered_most() -> None:
    estimate = {"metric": "rmse", "value": 3.1, "lower": 2.9, "upper": 3.3, "at_evaluation": 2.2}
    realised = {"metric": "rmse", "value": 3.4, "lower": 3.0, "upper": 3.9, "coverage": 0.2, "labels": 40}
    before = findings(10, versions=(version("3", 400, realised=realised), version("4", 100, realised={**realised, "labels": 10})))
    last = findings(11, breach("estimate", 11), versions=(version("4", 20, estimate={}), version("3", 480, estimate=estimate)))
    document = made(last, before)
    assert document["estimate"] == {**estimate, "version": "3", "window": hour(11)}
    assert document["realised"] == {**realised, "version": "3", "window": hour(10)}
    assert (document["labels"], document["answers"]) == (50, 1000)


def test_before_anything_was_judged_there_is_nothing_to_tell() -> None:
    assert why.why([findings(10, status="no traffic")], report, TOLD_AT) is None
    assert why.why([], report, TOLD_AT) is None


def test_a_week_of_breaches_stays_one_small_document() -> None:
    many = [findings(at % 24, *(breach("drift", 0, f"f{number}") for number in range(500))) for at in range(24)]
    many += [{**item, "window": {name: text.replace("-27T", "-28T") for name, text in item["window"].items()}} for item in many]
    document = made(*many)
    assert len(document["windows"]) == why.MOST_WINDOWS
    assert document["windows"][-1]["from"].startswith("2026-11-28T23")
    assert (len(document["windows"][0]["breaches"]), document["windows"][0]["more"]) == (why.MOST_BREACHES, 500 - why.MOST_BREACHES)


class Folder:
    """One object in memory, and how often it was written."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.writes = 0

    def list(self, prefix: str) -> list[Any]:
        return [SimpleNamespace(key=key) for key in self.objects if key.startswith(prefix)]

    def read(self, key: str) -> io.BytesIO:
        return io.BytesIO(self.objects[key])

    def write(self, key: str, content: bytes, content_type: str) -> None:
        self.objects[key], self.writes = content, self.writes + 1


def test_the_same_finding_asks_for_a_training_once() -> None:
    store, key = Folder(), "feedback/houses/live.json"
    first, then = made(findings(10, breach("drift", 10))), made(findings(10, breach("drift", 10)), findings(11, breach("drift", 10)))
    assert [why.keep(store, key, document) for document in (None, first, first, then)] == [False, True, False, True]
    assert (json.loads(store.objects[key]), store.writes) == (then, 2)


def test_what_labels_say_of_an_earlier_window_counts_while_its_version_answers() -> None:
    known = version("3", 500, realised={"metric": "rmse", "value": 3.0, "labels": 200})
    worse = findings(10, breach("quality", 10), versions=(known,))
    assert made(worse, findings(11, versions=(version("3", 500),)))["alarms"] == ["quality"]
    assert made(worse, findings(11, versions=(version("4", 500),)))["alarms"] == []


def test_the_same_is_not_told_again_although_it_is_later() -> None:
    store = Folder()
    assert why.keep(store, "key", why.why([findings(9)], report, TOLD_AT))
    assert not why.keep(store, "key", why.why([findings(9)], report, "2026-11-27T21:20:00Z"))
