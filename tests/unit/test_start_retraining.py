"""What starts training without a push: the decision, and the calls made for it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from build_scripts import run_pipeline
from infra.model.start_retraining import handler as start_retraining
from infra.model.start_retraining.plan import plan

DEFAULTS = {
    "InputDataUrl": "s3://data/training/abalone/",
    "TriggerReason": "manual",
    "GitCommit": "abc123",
}
SCHEDULE = {"source": "schedule"}
ALARM = "mlops-production-drift"
DRIFT = {
    "source": "aws.cloudwatch",
    "id": "e-1",
    "time": "2026-11-27T14:20:00Z",
    "detail": {"alarmName": ALARM, "state": {"value": "ALARM"}},
}


def new_data(key: str) -> dict[str, Any]:
    return {"source": "aws.s3", "id": "e-2", "detail": {"bucket": {"name": "data"}, "object": {"key": key}}}


def run(status: str, arn: str = "arn:run", cause: str = "event e-0") -> dict[str, str]:
    """A run as ListPipelineExecutions tells it."""
    return {"PipelineExecutionArn": arn, "PipelineExecutionStatus": status, "PipelineExecutionDescription": cause}


@pytest.mark.parametrize("event", [SCHEDULE, DRIFT, new_data("training/abalone/_SUCCESS")])
def test_every_trigger_starts_a_run(event):
    assert plan(event, DEFAULTS, []).start


@pytest.mark.parametrize("event", [SCHEDULE, DRIFT, new_data("training/abalone/_SUCCESS")])
def test_no_trigger_starts_a_second_run(event):
    decision = plan(event, DEFAULTS, [run("Executing")])
    assert not decision.start
    assert "a run is active" in decision.reason


def test_data_of_another_data_set_starts_nothing():
    decision = plan(new_data("training/arrests/_SUCCESS"), DEFAULTS, [])
    assert not decision.start
    assert "s3://data/training/abalone/" in decision.reason


def test_the_run_knows_what_started_it_and_which_commit_it_is_of():
    decision = plan(DRIFT, DEFAULTS, [])
    assert decision.parameters == {"TriggerReason": "alarm mlops-production-drift", "GitCommit": "abc123"}


def test_an_unknown_event_is_an_error_that_reaches_the_dead_letter_queue():
    with pytest.raises(ValueError, match=r"aws\.ec2"):
        plan({"source": "aws.ec2"}, DEFAULTS, [])


class FakeSageMaker:
    """One pipeline and its runs, newest first. The same token starts nothing new, whatever else the request says."""

    class exceptions:  # noqa: N801 - boto3's own name
        ResourceNotFound = KeyError

    def __init__(self, statuses: list[str], pipelines: tuple[str, ...] = ("mlops-training",)) -> None:
        self.runs = [run(status, f"arn:old-{number}") for number, status in enumerate(statuses)]
        self.pipelines, self.started = pipelines, []
        self.steps: dict[str, list[dict[str, Any]]] = {}
        self.created = datetime(2026, 1, 1, tzinfo=UTC)
        self.after_listing: Callable[[], object] | None = None
        self.refuses_other_parameters = False

    def list_pipeline_execution_steps(self, *, PipelineExecutionArn: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"PipelineExecutionSteps": self.steps.get(PipelineExecutionArn, [])}

    def describe_pipeline(self, *, PipelineName: str) -> dict[str, Any]:  # noqa: N803 - boto3's own name
        if PipelineName not in self.pipelines:
            raise KeyError(PipelineName)
        definition = {"Parameters": [{"Name": k, "DefaultValue": v} for k, v in DEFAULTS.items()]}
        return {
            "PipelineArn": "arn:pipeline/mlops-training",
            "PipelineDefinition": json.dumps(definition),
            "PipelineDescription": "commit fedcba",
            "CreationTime": self.created,
        }

    def list_pipeline_executions(self, **request: Any) -> dict[str, Any]:
        assert (request["SortBy"], request["SortOrder"]) == ("CreationTime", "Descending")
        seen = [dict(item) for item in self.runs]
        after, self.after_listing = self.after_listing, None
        if after:
            after()
        return {"PipelineExecutionSummaries": seen}

    def start_pipeline_execution(self, **request: Any) -> dict[str, str]:
        for number, earlier in enumerate(self.started):
            if earlier["ClientRequestToken"] == request["ClientRequestToken"]:
                if self.refuses_other_parameters and earlier != request:
                    raise ClientError({"Error": {"Code": "ConflictException"}}, "StartPipelineExecution")
                return {"PipelineExecutionArn": f"arn:new-{number}"}
        self.started.append(request)
        arn = f"arn:new-{len(self.started) - 1}"
        self.runs.insert(0, run("Executing", arn, request["PipelineExecutionDescription"]))
        return {"PipelineExecutionArn": arn}

    def end(self, status: str) -> None:
        self.runs[0]["PipelineExecutionStatus"] = status


class FakeStore:
    """S3 and SNS and the function that says which data there is, as far as an alarm asks them."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.messages: list[str] = []
        self.data = {"version": "a.csv@v1", "uploaded": "1 files sha256:1", "learned": "0"}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        assert Bucket == "data"
        if Key not in self.objects:  # as S3 answers a role that may list only some prefixes
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key]), "ETag": self.etag(Key)}

    def etag(self, key: str) -> str | None:
        return f'"{hash(self.objects[key])}"' if key in self.objects else None

    def put_object(  # the names are those of boto3
        self,
        *,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Body: bytes,  # noqa: N803
        IfMatch: str | None = None,  # noqa: N803
        IfNoneMatch: str | None = None,  # noqa: N803
    ) -> None:
        assert (Bucket, bool(IfMatch) != bool(IfNoneMatch)) == ("data", True)
        self.before_writing()
        if IfMatch != self.etag(Key):
            raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": "no"}}, "PutObject")
        self.objects[Key] = Body

    def before_writing(self) -> None:
        """What happens between reading and writing."""

    def publish(self, *, TopicArn: str, Subject: str, Message: str) -> None:  # noqa: N803
        assert (TopicArn, len(Subject) < 100, Subject.isascii()) == ("arn:topic", True, True)
        self.messages.append(Message)

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert (FunctionName, json.loads(Payload)["url"]) == ("mlops-data-version", DEFAULTS["InputDataUrl"])
        return {"Payload": io.BytesIO(json.dumps(self.data).encode())}


ENVIRONMENT = {
    "SAGEMAKER_PIPELINE_NAME": "mlops-training",
    "MODEL_NAME": "abalone",
    "QUIET_HOURS": "24",
    "MIN_NEW_ROWS": "200",
    "LEARNS_FROM_ANSWERS": "true",
    "ALARMS": json.dumps({"production": {"drift": ALARM, "quality": "mlops-production-quality"}}),
    "FEEDBACK": "feedback/abalone/",
    "DATA_BUCKET": "data",
    "DATA_VERSION_FUNCTION": "mlops-data-version",
    "ALERT_TOPIC_ARN": "arn:topic",
}


@pytest.fixture
def store():
    return FakeStore()


@pytest.fixture
def account(monkeypatch, store):
    def install(sagemaker: FakeSageMaker, **environment: str) -> FakeSageMaker:
        clients = {"sagemaker": sagemaker, **dict.fromkeys(("s3", "sns", "lambda"), store)}
        monkeypatch.setattr(boto3, "client", clients.__getitem__)
        for name, value in {**ENVIRONMENT, **environment}.items():
            monkeypatch.setenv(name, value)
        return sagemaker

    return install


@pytest.mark.parametrize("statuses", [[], ["Succeeded", "Failed"]], ids=["first run", "later run"])
@pytest.mark.parametrize("first", [DRIFT, SCHEDULE], ids=["drift", "schedule"])
def test_two_events_that_saw_the_same_runs_start_one(account, statuses, first):
    sagemaker = account(FakeSageMaker(statuses))
    answers = []
    sagemaker.after_listing = lambda: answers.append(start_retraining.handler(first, None))
    answers.append(start_retraining.handler(new_data("training/abalone/_SUCCESS"), None))
    assert [answer["started"] for answer in answers] == ["arn:new-0", "arn:new-0"]
    assert len(sagemaker.started) == 1


def test_an_event_whose_request_is_refused_finds_the_run_when_lambda_tries_again(account):
    """AWS does not say what the same token with other parameters does; an error must neither hide nor start a second run."""
    sagemaker = account(FakeSageMaker(["Succeeded"]))
    sagemaker.refuses_other_parameters = True
    sagemaker.after_listing = lambda: start_retraining.handler(DRIFT, None)
    with pytest.raises(ClientError, match="ConflictException"):
        start_retraining.handler(SCHEDULE, None)
    assert "a run is active" in start_retraining.handler(SCHEDULE, None)["reason"]
    assert len(sagemaker.started) == 1


@pytest.mark.parametrize("status", ["Failed", "Succeeded", "Stopped"])
def test_an_event_after_a_run_has_ended_starts_the_next(account, status):
    sagemaker = account(FakeSageMaker([]))
    start_retraining.handler(SCHEDULE, None)
    sagemaker.end(status)
    assert start_retraining.handler(SCHEDULE, None)["started"] == "arn:new-1"


def test_a_pipeline_that_was_deleted_and_made_again_starts_its_first_run(account):
    sagemaker = account(FakeSageMaker([]))
    start_retraining.handler(SCHEDULE, None)
    sagemaker.runs, sagemaker.created = [], datetime(2026, 1, 2, tzinfo=UTC)
    assert start_retraining.handler(SCHEDULE, None)["started"] == "arn:new-1"


def test_the_request_is_one_that_the_api_allows(account):
    """Seam: the token's length is all that botocore's model of the operation asks of it."""
    shapes = Loader().load_service_model("sagemaker", "service-2")["shapes"]
    allowed = shapes[shapes["StartPipelineExecutionRequest"]["members"]["ClientRequestToken"]["shape"]]
    assert set(allowed) == {"type", "min", "max"}
    sagemaker = account(FakeSageMaker([]))
    start_retraining.handler(SCHEDULE, None)
    assert allowed["min"] <= len(sagemaker.started[0]["ClientRequestToken"]) <= allowed["max"]


@pytest.mark.parametrize("status", ["Executing", "Failed", "Succeeded"])
def test_a_redelivered_event_starts_nothing_new_even_when_its_run_is_over(account, status):
    sagemaker = account(FakeSageMaker(["Succeeded", "Failed"]))
    assert start_retraining.handler(DRIFT, None)["started"] == "arn:new-0"
    sagemaker.end(status)
    assert start_retraining.handler(DRIFT, None) == {
        "started": None,
        "reason": "alarm mlops-production-drift, but event e-1 has already started a run",
    }
    assert len(sagemaker.started) == 1


@pytest.mark.parametrize("status", ["Executing", "Stopping"])
def test_an_active_run_is_found_among_finished_ones(account, status):
    sagemaker = account(FakeSageMaker(["Succeeded", status]))
    assert start_retraining.handler(SCHEDULE, None)["started"] is None
    assert sagemaker.started == []


def test_a_retraining_is_registered_with_the_commit_of_the_deployed_definition(account):
    sagemaker = account(FakeSageMaker([]))
    start_retraining.handler(SCHEDULE, None)
    assert {"Name": "GitCommit", "Value": "fedcba"} in sagemaker.started[0]["PipelineParameters"]


def test_the_push_writes_the_commit_as_the_lambda_reads_it():
    assert run_pipeline.COMMIT_PREFIX == start_retraining.COMMIT_PREFIX


def test_before_the_first_push_there_is_nothing_to_start(account):
    account(FakeSageMaker([], pipelines=()))
    assert "does not exist yet" in start_retraining.handler(SCHEDULE, None)["reason"]


NEW_MODEL = {"source": "aws.cloudformation", "id": "e-3", "detail": {"status-details": {"status": "CREATE_COMPLETE"}}}


class FakeCodePipeline:
    """The build pipeline, and what it was asked to start."""

    def __init__(self, *triggers: str) -> None:
        self.executions = [{"pipelineExecutionId": trigger, "trigger": {"triggerType": trigger}} for trigger in triggers]
        self.started: list[dict[str, str]] = []

    def list_pipeline_executions(self, *, pipelineName: str, maxResults: int) -> dict[str, Any]:  # noqa: N803 - boto3's own names
        assert pipelineName == "shop--build"
        return {"pipelineExecutionSummaries": self.executions[:maxResults]}

    def start_pipeline_execution(self, **request: str) -> dict[str, str]:
        self.started.append(request)
        return {"pipelineExecutionId": "new"}


@pytest.fixture
def build(monkeypatch):
    def install(*triggers: str) -> FakeCodePipeline:
        pipeline = FakeCodePipeline(*triggers)
        monkeypatch.setattr(boto3, "client", {"codepipeline": pipeline}.__getitem__)
        monkeypatch.setenv("BUILD_PIPELINE_NAME", "shop--build")
        return pipeline

    return install


def test_a_new_model_is_built_without_another_push_and_once_per_event(build):
    pipeline = build("StartPipelineExecution", "CreatePipeline")
    assert start_retraining.handler(NEW_MODEL, None)["started"] == "new"
    assert pipeline.started == [{"name": "shop--build", "clientRequestToken": "e-3"}]


@pytest.mark.parametrize("triggers", [(), ("CreatePipeline",)])
def test_a_new_project_waits_for_its_first_push(build, triggers):
    """Its repository is empty, so a build could only fail, as the one does that a new pipeline starts by itself."""
    pipeline = build(*triggers)
    assert "the first push is built" in start_retraining.handler(NEW_MODEL, None)["reason"]
    assert pipeline.started == []


AT = datetime(2026, 11, 27, 14, 20, tzinfo=UTC)
LAST_WEEK = AT - timedelta(days=6)


def judged(
    sagemaker: FakeSageMaker, *, arn: str = "arn:old-0", began: datetime = LAST_WEEK, evaluate: str = "Succeeded", **data: str
) -> None:
    """A run has learned from these data."""
    outputs = [{"Name": name, "Value": value} for name, value in data.items()]
    steps = [{"StepName": "DataVersion", "StepStatus": "Succeeded", "Metadata": {"Lambda": {"OutputParameters": outputs}}}]
    sagemaker.steps[arn] = [*steps, {"StepName": "Evaluate", "StepStatus": evaluate}]
    for item in sagemaker.runs:
        item["StartTime"] = began if item["PipelineExecutionArn"] == arn else item.get("StartTime", began)


KNOWN = {"version": "a.csv@v1", "uploaded": "1 files sha256:1", "learned": "100"}


def told_nothing_new(account, store, *, learned: str = "137", **environment: str) -> str:
    """The one message about an alarm after which there were 37 answers more."""
    judged(account(FakeSageMaker(["Succeeded"]), **environment), **KNOWN)
    store.data = {**KNOWN, "learned": learned}
    answer = start_retraining.handler(DRIFT, None)
    assert answer["started"] is None
    (message,) = store.messages
    return message


def test_an_alarm_without_anything_new_starts_nothing_and_says_what_is_missing(account, store):
    message = told_nothing_new(account, store)
    assert f"alarm {ALARM}" in message
    assert "nothing new to learn from since the run of 2026-11-21 14:20 UTC: no upload and 37 of 200 labelled answers" in message
    assert "python -m build_scripts.upload_data --model abalone FILE" in message
    assert "python -m deploy_scripts.send_labels labels.csv --model abalone --environment production" in message
    assert "learn_from_answers" not in message


def test_of_a_model_that_does_not_learn_from_answers_only_an_upload_is_new(account, store):
    message = told_nothing_new(account, store, learned="9000", LEARNS_FROM_ANSWERS="false")
    assert "no upload.\n" in message
    assert "Retraining.learn_from_answers in models/abalone.py" in message


@pytest.mark.parametrize(
    "now",
    [{"uploaded": "2 files sha256:2"}, {"learned": "300"}, {"learned": "250"}],
    ids=["an upload", "enough answers", "a tally that began anew"],
)
def test_an_alarm_with_something_new_starts_a_run(account, store, now):
    known = {**KNOWN, "learned": "260"} if now == {"learned": "250"} else KNOWN
    judged(account(FakeSageMaker(["Succeeded"])), **known)
    store.data = {**KNOWN, **now}
    assert start_retraining.handler(DRIFT, None)["started"] == "arn:new-0"
    assert store.messages == []


def test_what_a_refused_version_learned_from_was_tried_and_is_not_new(account, store):
    judged(account(FakeSageMaker(["Failed"])), **KNOWN)
    store.data = KNOWN
    assert start_retraining.handler(DRIFT, None)["started"] is None


def test_a_run_that_broke_before_it_judged_anything_has_learned_nothing(account, store):
    sagemaker = account(FakeSageMaker(["Failed", "Succeeded"]))
    judged(sagemaker, arn="arn:old-1", **KNOWN)
    judged(sagemaker, arn="arn:old-0", evaluate="Failed", **{**KNOWN, "learned": "300"})
    store.data = {**KNOWN, "learned": "300"}
    assert start_retraining.handler(DRIFT, None)["started"] == "arn:new-0"


def test_a_run_of_an_earlier_definition_knew_only_the_version_of_its_data(account, store):
    judged(account(FakeSageMaker(["Succeeded"])), version="a.csv@v1")
    assert start_retraining.handler(DRIFT, None)["started"] is None
    store.data = {**KNOWN, "version": "a.csv@v2"}
    assert start_retraining.handler(DRIFT, None)["started"] == "arn:new-0"


def test_nobody_is_told_twice_within_the_quiet_time(account, store):
    told_nothing_new(account, store)
    quality = {**DRIFT, "id": "e-9", "time": "2026-11-28T14:19:00Z", "detail": {"alarmName": "mlops-production-quality"}}
    start_retraining.handler(quality, None)
    assert len(store.messages) == 1
    start_retraining.handler({**quality, "id": "e-10", "time": "2026-11-28T14:21:00Z"}, None)
    assert len(store.messages) == 2


def test_of_ten_alarms_in_one_second_one_tells(account, store, monkeypatch):
    """Each has read before any of them writes."""
    others = iter([{**DRIFT, "id": f"other-{place}"} for place in range(9)])

    def another():
        if event := next(others, None):
            start_retraining.handler(event, None)

    monkeypatch.setattr(store, "before_writing", another)
    told_nothing_new(account, store)
    assert (next(others, None), len(store.messages)) == (None, 1)


def test_what_could_not_be_told_the_same_event_tells_when_it_comes_again(account, store, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(ConnectionError):
        patched.setattr(store, "publish", lambda **_: (_ for _ in ()).throw(ConnectionError))
        told_nothing_new(account, store)
    start_retraining.handler(DRIFT, None)
    assert len(store.messages) == 1


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "Stopped"])
def test_soon_after_any_run_an_alarm_starts_none_and_calls_nobody(account, store, status):
    sagemaker = account(FakeSageMaker([status]))
    judged(sagemaker, began=AT - timedelta(hours=23), **KNOWN)
    store.data = {**KNOWN, "learned": "9000"}
    assert "alarms start no run within 24 hours after one began (Retraining.quiet_hours)" in start_retraining.handler(DRIFT, None)["reason"]
    assert store.messages == []
    assert start_retraining.handler({**DRIFT, "time": "2026-11-27T15:20:00Z"}, None)["started"] == "arn:new-0"


def test_other_triggers_wait_for_no_quiet_time_and_ask_for_nothing_new(account, store):
    sagemaker = account(FakeSageMaker(["Succeeded"]))
    judged(sagemaker, began=AT, **KNOWN)
    store.data = KNOWN
    assert start_retraining.handler(SCHEDULE, None)["started"] == "arn:new-0"


def feedback(store: FakeStore, *alarms: str, environment: str = "production") -> dict[str, Any]:
    """A watch has written what it found."""
    key = f"feedback/abalone/{environment}.json"
    store.objects[key] = json.dumps({"environment": environment, "alarms": alarms, "judged_at": AT.isoformat()}).encode()
    return new_data(key)


def test_what_was_missing_when_the_alarm_began_starts_the_run_when_it_has_come(account, store):
    sagemaker = account(FakeSageMaker(["Succeeded"]))
    judged(sagemaker, **KNOWN)
    store.data = {**KNOWN, "learned": "299"}
    assert start_retraining.handler(feedback(store, "drift"), None)["started"] is None
    store.data = {**KNOWN, "learned": "300"}
    assert start_retraining.handler(feedback(store, "drift"), None)["started"] == "arn:new-0"
    assert {"Name": "TriggerReason", "Value": f"alarm {ALARM}"} in sagemaker.started[0]["PipelineParameters"]


@pytest.mark.parametrize(("alarms", "environment"), [((), "production"), (("bias",), "production"), (("drift",), "unknown")])
def test_feedback_without_an_alarm_that_retrains_starts_nothing(account, store, alarms, environment):
    account(FakeSageMaker([]))
    assert start_retraining.handler(feedback(store, *alarms, environment=environment), None)["started"] is None


def test_feedback_that_is_gone_starts_nothing(account):
    account(FakeSageMaker([]))
    assert start_retraining.handler(new_data("feedback/abalone/production.json"), None)["started"] is None


def test_where_there_is_no_data_an_alarm_starts_nothing_and_says_so(account, store):
    account(FakeSageMaker([]))
    store.data = {"errorMessage": "there is no data at s3://data/training/abalone/", "errorType": "BadInput"}
    assert "there is no data at" in start_retraining.handler(DRIFT, None)["reason"]
