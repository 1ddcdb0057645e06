"""Two runs of a watch at once leave what one after the other would: the second waits, also where the first is killed on its way."""

import json
import threading

import boto3
import pytest
import turn
from botocore.stub import Stubber
from failure import BadInput
from store import FolderStore
from turn import Turn

from tests.monitoring.production import NOW
from tests.monitoring.watched import KEY, Watched


class Killed(BaseException):
    """As by a signal."""


class Stopped(FolderStore):
    """Stops before its nth write, once, for another to run. `then`: what it does after that."""

    def __init__(self, folder, at, there, then):
        super().__init__(folder)
        self.left, self.there, self.then = at, there, then

    def write(self, key, content, content_type):
        self._stop()
        super().write(key, content, content_type)

    def write_if_unchanged(self, key, content, content_type, etag):
        self._stop()
        return FolderStore(self._folder).write_if_unchanged(key, content, content_type, etag)

    def _stop(self):
        self.left -= 1
        if self.left == 0:
            self.there()
            self.then()


@pytest.fixture(scope="module")
def one_after_the_other(tmp_path_factory):
    watched = Watched(tmp_path_factory.mktemp("after"))
    watched.run("first")
    watched.run("second")
    assert len(watched.messages) == 1
    assert json.loads((watched.home / "learned/_tally.json").read_text())["rows"] == 120
    return watched


#: As many writes has a run: that of its turn, those of one window, and those that end it.
WRITES = range(1, 15)


@pytest.mark.parametrize("at", WRITES)
def test_a_run_that_begins_during_another_s_leaves_what_it_would_after_it(tmp_path, one_after_the_other, at):
    watched, is_there, goes_on = Watched(tmp_path), threading.Event(), threading.Event()
    store = Stopped(tmp_path, at, is_there.set, lambda: goes_on.wait(60))
    first = threading.Thread(target=watched.run, args=("first", store, lambda: goes_on.wait(60)))
    first.start()
    assert is_there.wait(60)

    def wait():
        goes_on.set()
        first.join(60)

    if at == 1:  # the first had seen that nobody's turn was, and was about to take it
        watched.run("second", wait=wait)
        wait()
    else:
        watched.run("second", wait=wait)
    assert not first.is_alive()
    assert watched.left() == one_after_the_other.left()
    assert len(watched.messages) == 1


def test_a_run_with_windows_of_another_length_waits_and_goes_on_beside_those_of_the_other(tmp_path):
    """A deployment during a run may have changed their length."""
    watched, is_there, goes_on = Watched(tmp_path), threading.Event(), threading.Event()
    first = threading.Thread(target=watched.run, args=("first", Stopped(tmp_path, 2, is_there.set, lambda: goes_on.wait(60))))
    first.start()
    assert is_there.wait(60)

    def wait():
        goes_on.set()
        first.join(60)

    watched.run("second", wait=wait, hours=24)
    assert (watched.production.history[0]["to"], watched.production.history[1]["from"]) == ("2026-11-27T15Z", "2026-11-27T15Z")
    assert json.loads((watched.home / "learned/_tally.json").read_text())["rows"] == 120


@pytest.mark.parametrize("at", WRITES)
def test_a_run_that_was_killed_holds_up_nobody(tmp_path, one_after_the_other, at):
    watched = Watched(tmp_path)

    def kill():
        raise Killed

    with pytest.raises(Killed):
        watched.run("first", Stopped(tmp_path, at, lambda: None, kill))
    watched.run("second", wait=lambda: pytest.fail("it waits for a job that has ended"))
    assert watched.left().keys() == one_after_the_other.left().keys()
    assert json.loads((watched.home / "learned/_tally.json").read_text())["rows"] == 120
    assert len(watched.production.history) == 1


def test_whoever_waits_is_told_once_for_whom(tmp_path, capsys):
    store, looks = FolderStore(tmp_path), iter([True, True, False])
    Turn(store, KEY, "first", lambda job: False).take()
    Turn(store, KEY, "second", lambda job: next(looks), lambda: None).take()
    assert capsys.readouterr().out == "another run is under way (first); this one goes on when it has ended\n"
    assert json.loads(store.read(KEY).read()) == {"job": "second"}


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_a_turn_that_is_damaged_is_nobody_s(tmp_path, content):
    store = FolderStore(tmp_path)
    store.write(KEY, content, "application/json")
    Turn(store, KEY, "first", lambda job: True).take()
    assert json.loads(store.read(KEY).read()) == {"job": "first"}


@pytest.mark.parametrize("status", ["InProgress", "Stopping", "Completed", "Failed", "Stopped"])
def test_sagemaker_says_whether_a_job_runs(status):
    client = boto3.client("sagemaker", region_name="eu-west-1", aws_access_key_id="none", aws_secret_access_key="none")
    with Stubber(client) as stub:
        answer = {"ProcessingJobStatus": status, "ProcessingJobName": "one", "ProcessingResources": {"ClusterConfig": {}}}
        answer["ProcessingResources"]["ClusterConfig"] = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
        more = {"AppSpecification": {"ImageUri": "i"}, "ProcessingJobArn": "a", "CreationTime": NOW}
        stub.add_response("describe_processing_job", answer | more, {"ProcessingJobName": "one"})
        for code in ("ResourceNotFound", "ValidationException", "ThrottlingException"):
            stub.add_client_error("describe_processing_job", code, http_status_code=400)
        ask = turn.running(client)
        assert ask("one") is (status in ("InProgress", "Stopping"))
        assert ask("gone") is ask("gone") is False
        with pytest.raises(client.exceptions.ClientError):
            ask("one")


def test_outside_of_a_job_there_is_no_turn(tmp_path):
    configuration = tmp_path / "processingjobconfig.json"
    with pytest.raises(BadInput, match=r"processingjobconfig\.json names no processing job .*; outside of one, give --folder"):
        turn.job_of(str(configuration))
    configuration.write_text('{"ProcessingJobName": "one"}')
    assert turn.job_of(str(configuration)) == "one"
