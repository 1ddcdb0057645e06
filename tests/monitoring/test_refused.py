"""A permission that is taken away from the watch ends a run before it says what is not so, and with it given back nothing was lost."""

import json

import pytest
from botocore.exceptions import ClientError
from evidence import FolderSource
from store import FolderStore

from tests.monitoring.watched import Watched


def refuse(*_, **__):
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "is not authorized"}}, "GetObject")


class Refusing(FolderStore):
    """Refuses to read or to write what has this in its key."""

    def __init__(self, folder, verb, part):
        super().__init__(folder)
        self._verb, self._part = verb, part

    def read(self, key):
        return refuse() if self._verb == "read" and self._part in key else super().read(key)

    def write(self, key, content, content_type):
        return refuse() if self._verb == "write" and self._part in key else super().write(key, content, content_type)


@pytest.mark.parametrize(
    ("verb", "part"),
    [
        ("read", "capture/"),
        ("read", "labels/houses/"),
        ("write", "run.json"),
        ("write", "answered/"),
        ("write", "findings.json"),
        ("write", "home/learned/"),
        ("write", "told/"),
        ("write", "history.json"),
        ("write", "home/feedback.json"),
    ],
)
def test_a_refused_object_ends_the_run_and_nothing_is_lost(tmp_path, verb, part):
    watched = Watched(tmp_path)
    with pytest.raises(ClientError):
        watched.run("first", Refusing(tmp_path, verb, part))
    told_before = len(watched.messages)
    assert told_before == (part in ("told/", "history.json", "home/feedback.json")), "only what was found is told"
    watched.run("second")
    assert len(watched.messages) == (2 if part == "told/" else 1), "who was told is noted after the message"
    assert json.loads((watched.home / "learned/_tally.json").read_text())["rows"] == 120
    assert (len(watched.production.history), watched.production.history[0]["status"]) == (1, "breached")


def test_evidence_that_may_not_be_read_is_not_missing(tmp_path, monkeypatch):
    """A version that is judged by nothing would be said to have no baseline."""
    watched = Watched(tmp_path)
    with monkeypatch.context() as patched, pytest.raises(ClientError):
        patched.setattr(FolderSource, "read", refuse)
        watched.run("first")
    assert (watched.messages, watched.metrics) == ([], [])
    watched.run("second")
    assert watched.production.history[0]["status"] == "breached"


@pytest.mark.parametrize("kind", ["messages", "metrics"])
def test_what_could_not_be_told_the_next_run_tells(tmp_path, monkeypatch, kind):
    watched = Watched(tmp_path)

    class RefusingList(list):
        append = refuse

    monkeypatch.setattr(watched, kind, RefusingList())
    with pytest.raises(ClientError):
        watched.run("first")
    assert watched.metrics == [], "no metric of what nobody was told"
    monkeypatch.setattr(watched, kind, [])
    watched.run("second")
    assert (len(watched.messages), len(watched.metrics)) == (1, 1)
