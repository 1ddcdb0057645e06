"""An approver reads why a training was started by an alarm; what cannot be read is said, and keeps no version from being judged."""

from __future__ import annotations

import io
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from evaluation import report, why_now

FEEDBACK, TRIGGER = "s3://data/feedback/houses/", "alarm shop--houses--live--drift"
DOCUMENT: dict[str, Any] = {
    "model": "houses",
    "environment": "live",
    "window": {"from": "2026-11-27T14Z", "to": "2026-11-27T15Z"},
    "alarms": ["drift"],
    "since": "2026-11-27T10Z",
    "windows": [
        {
            "from": "2026-11-27T14Z",
            "to": "2026-11-27T15Z",
            "rows": 640,
            "report": "s3://live/monitoring/houses/windows/2026-11-27T14Z--2026-11-27T15Z/report.html",
            "breaches": [{"kind": "drift", "feature": "<area>", "version": "3", "detail": "moved by 0.31"}],
            "more": 2,
        }
    ],
    "estimate": {"metric": "rmse", "value": 3.125, "lower": 2.9, "upper": 3.3, "at_evaluation": 2.25, "version": "3", "assumption": "none"},
    "realised": {"metric": "rmse", "value": 3.5, "lower": 3.0, "upper": 3.9, "version": "3", "labels": 212},
    "labels": 212,
    "answers": 640,
    "report": "s3://live/monitoring/houses/windows/2026-11-27T14Z--2026-11-27T15Z/report.html",
}


class Bucket:
    """What may be read of it, by key; `refuses`: the code of an error instead."""

    def __init__(self, content: bytes = b"", refuses: str = "") -> None:
        self.content, self.refuses = content, refuses

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's own names
        assert (Bucket, Key) == ("data", "feedback/houses/live.json")
        if self.refuses:
            raise ClientError({"Error": {"Code": self.refuses, "Message": "no"}}, "GetObject")
        return {"Body": io.BytesIO(self.content)}


def read(monkeypatch: pytest.MonkeyPatch, bucket: Bucket, trigger: str = TRIGGER) -> dict[str, Any] | None:
    monkeypatch.setattr(boto3, "client", lambda _: bucket)
    return why_now.read(FEEDBACK, trigger)


def shown(why: dict[str, Any] | None) -> str:
    """The page's section, of a template that needs nothing else."""
    return report.environment().get_template("why_now.html.j2").render(why=why)


def test_the_page_shows_since_when_what_it_costs_and_what_labels_say(monkeypatch: pytest.MonkeyPatch) -> None:
    page = shown(read(monkeypatch, Bucket(json.dumps(DOCUMENT).encode())))
    assert "Alarm shop--houses--live--drift started this training" in page
    assert "2026-11-27T10Z" in page
    assert "3.125" in page
    assert "2.25 at evaluation" in page
    assert "by labels" in page
    assert "212" in page
    assert "&lt;area&gt;: moved by 0.31; and 2 more" in page
    assert DOCUMENT["report"] in page


def test_production_that_is_well_again_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    page = shown(read(monkeypatch, Bucket(json.dumps({**DOCUMENT, "since": None, "estimate": None, "realised": None}).encode())))
    assert "did not any more in its last window" in page


@pytest.mark.parametrize(
    "trigger", ["push", "schedule", "new data: s3://data/training/houses/_SUCCESS", "alarm ", "alarm a--b--../c--drift"]
)
def test_what_no_alarm_started_has_no_reason_to_show(monkeypatch: pytest.MonkeyPatch, trigger: str) -> None:
    found = read(monkeypatch, Bucket(refuses="NeverAsked"), trigger)
    assert found is None
    assert shown(found).strip() == ""


def test_where_no_watch_has_written_there_is_nothing_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, Bucket(refuses="NoSuchKey")) is None


@pytest.mark.parametrize(
    ("bucket", "says"),
    [
        (Bucket(refuses="AccessDenied"), "live.json cannot be read"),
        (Bucket(b"cut in the mid"), "live.json cannot be read"),
        (Bucket(b"[]"), "live.json does not say environment"),
        (Bucket(b'{"environment": "live"}'), "live.json does not say window"),
    ],
)
def test_what_cannot_be_read_is_said_on_the_page(monkeypatch: pytest.MonkeyPatch, bucket: Bucket, says: str) -> None:
    assert says in shown(read(monkeypatch, bucket))


def test_environments_and_models_have_hyphens_and_each_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Noted(Bucket):
        def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
            asked.append(Key)
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")

    read(monkeypatch, Noted(), "alarm my-shop--houses-large--pre-live--quality")
    assert asked == ["feedback/houses/pre-live.json"]
