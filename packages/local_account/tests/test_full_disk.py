"""What cannot go on says so in its record, and the account goes on: a full disk, and any other failure behind an API call."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.codebuild.shell import BuildShell
from local_account.endpoints.registry import Endpoint
from local_account.events import Delivery, deliver

from . import small_pipelines as small
from .endpoint_models import create_configuration, create_model, variant
from .roles import open_to_services
from .sagemaker_requests import new_name, processing, publish, wait

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(scope="module", autouse=True)
def repository(account: Account, tmp_path_factory: pytest.TempPathFactory) -> None:
    small.prepare(account)
    small.commit(account, tmp_path_factory.mktemp("files"), {"readme.md": "hello"})
    publish(account.client("s3"), {"quiet.py": "print('done')\n"})


def stage(name: str, *actions: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "actions": list(actions)}


@pytest.fixture
def full_disk(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing can be written into the account's folder; what is there can be read."""
    folder = str(account.settings.state_directory)

    def refusing(original: Callable[..., Any], writes: Callable[..., bool]) -> Callable[..., Any]:
        def method(path: Path, *arguments: Any, **named: Any) -> Any:
            if str(path).startswith(folder) and writes(*arguments, **named):
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            return original(path, *arguments, **named)

        return method

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refusing(Path.open, lambda mode="r", *_, **__: bool(set(mode) & set("wax+"))))
        for name in ("mkdir", "touch", "write_text", "write_bytes"):
            patch.setattr(Path, name, refusing(getattr(Path, name), lambda *_, **__: True))
        yield


def pipeline(account: Account, name: str) -> str:
    small.create(account, name, stage("Build", small.command("Build", "echo built")))
    return small.start(account, name)


def test_a_pipeline_whose_build_cannot_begin_fails_and_says_why(account: Account, full_disk: None) -> None:
    execution = pipeline(account, "full-at-start")
    assert small.wait(account, "full-at-start", execution) == "Failed"
    assert "No space left on device" in small.failure(account, "full-at-start")
    builds = account.client("codebuild").list_builds()["ids"]
    assert all(build["buildComplete"] for build in account.client("codebuild").batch_get_builds(ids=builds)["builds"])


def test_a_build_that_runs_out_of_space_is_a_fault_with_its_reason_and_goes_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: Any) -> None:
        raise FULL

    with monkeypatch.context() as patch:
        patch.setattr(BuildShell, "run", run)
        execution = pipeline(account, "full-later")
        assert small.wait(account, "full-later", execution) == "Failed"
    assert "No space left on device" in small.failure(account, "full-later")
    build_id = small.action_state(account, "full-later", "Build", "Build")["externalExecutionId"]
    build = account.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]
    assert (build["buildStatus"], build["buildComplete"], build["currentPhase"]) == ("FAULT", True, "COMPLETED")

    account.client("codepipeline").retry_stage_execution(
        pipelineName="full-later", stageName="Build", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
    )
    small.wait_for(lambda: small.execution(account, "full-later", execution)["status"] == "Succeeded")


def test_a_build_whose_log_cannot_be_written_still_ends(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path.open

    def no_log(path: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if path.parent.name == "build" and "a" in mode and path.stat().st_size:
            raise FULL
        return original(path, mode, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", no_log)
        execution = pipeline(account, "no-log")
        assert small.wait(account, "no-log", execution) == "Failed"


def test_a_job_that_runs_out_of_space_fails_with_its_reason_and_the_next_one_works(account: Account, request: Any) -> None:
    sagemaker = account.client("sagemaker")

    def run() -> dict[str, Any]:
        name = new_name("job")
        sagemaker.create_processing_job(ProcessingJobName=name, **processing("quiet"))
        return wait(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")

    assert run()["ProcessingJobStatus"] == "Completed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(FULL))
        failed = run()
    assert failed["ProcessingJobStatus"] == "Failed"
    assert "No space left on device" in failed["FailureReason"]
    assert run()["ProcessingJobStatus"] == "Completed"


def test_a_push_that_cannot_be_kept_is_refused(account: Account, full_disk: None) -> None:
    with pytest.raises(ClientError):
        account.client("codecommit").create_repository(repositoryName="no-room")
    names = [found["repositoryName"] for found in account.client("codecommit").list_repositories()["repositories"]]
    assert "no-room" not in names


def test_an_endpoint_whose_creation_breaks_off_is_failed(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    create_model(account, "model-of-full", 2.0)
    create_configuration(account, "configuration-of-full", variant("model-of-full"))
    sagemaker = account.client("sagemaker")

    def refresh(_: Endpoint) -> None:
        raise FULL

    monkeypatch.setattr(Endpoint, "refresh_record", refresh)
    sagemaker.create_endpoint(EndpointName="full", EndpointConfigName="configuration-of-full")
    settled = ("InService", "Failed")
    small.wait_for(lambda: sagemaker.describe_endpoint(EndpointName="full")["EndpointStatus"] in settled)
    assert "No space left on device" in sagemaker.describe_endpoint(EndpointName="full")["FailureReason"]
    monkeypatch.undo()
    sagemaker.delete_endpoint(EndpointName="full")


def test_an_event_that_nobody_can_be_told_of_does_not_undo_what_happened(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import eventbridge

    def put_events(*_: Any, **__: Any) -> None:
        raise FULL

    sagemaker, name = account.client("sagemaker"), new_name("job")
    with monkeypatch.context() as patch:
        patch.setattr(eventbridge, "_put_events", put_events)
        sagemaker.create_processing_job(ProcessingJobName=name, **processing("quiet"))
        described = wait(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")
    assert described["ProcessingJobStatus"] == "Completed"


def test_an_event_whose_delivery_fails_in_an_unknown_way_goes_to_the_dead_letter_queue(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    from local_account import targets

    def send(*_: Any) -> None:
        raise FULL

    queue = account.client("sqs").create_queue(QueueName="dead", Attributes=open_to_services())["QueueUrl"]
    monkeypatch.setattr(targets, "send", send)
    dead = {"Arn": account.context.arn("sqs", "dead")}
    deliver(account.context, Delivery("arn:aws:events:us-east-1:111122223333:rule/x", {"Arn": "x", "DeadLetterConfig": dead}, "lost"))
    (message,) = account.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert message["Body"] == "lost"


def test_a_failure_behind_an_api_call_is_logged_and_ends_the_record(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Exception] = []

    def work() -> None:
        raise FULL

    with caplog.at_level(logging.ERROR):
        account.context.in_background(work, failed=seen.append).join()
    assert seen == [FULL]
    assert "No space left on device" in caplog.text


def test_a_loop_goes_on_after_a_turn_that_failed(account: Account) -> None:
    """Metrics, alarms and scaling share one beat: an action that fails is called again, and does not stop the others."""
    from local_account.monitoring import heartbeat

    turns, enough = [], threading.Event()

    def fails(now: float) -> None:
        turns.append(now)
        if len(turns) >= 2:
            enough.set()
        raise FULL

    heartbeat.on_beat(account.context, fails)
    assert enough.wait(30)
    heartbeat.Actions.at(account.context).every.remove(fails)
