"""Serverless and asynchronous endpoints in a model's file and in the scripts: refused with SageMaker's reason, asked, priced."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build_scripts import monitor
from build_scripts.command_line import ProblemError, run
from deploy_scripts import cost_of_use, queued_requests, status, verify
from deploy_scripts.live_capacity import Fleet, refuse_conversion
from deploy_scripts.placements import Placement, kind_of
from settings_schema import (
    Asynchronous,
    BacklogScaling,
    Batch,
    Endpoint,
    Prices,
    ProvisionedConcurrency,
    Retraining,
    Rollout,
    Routing,
    Schedule,
    Serverless,
    SettingsError,
)
from settings_schema.reading import read
from tests.unit import script_account
from tests.unit.script_account import MODEL, NAMES, PACKAGE, PRODUCTION, SETTINGS, STAGING, ScriptAccount
from tests.unit.test_reading import MODEL as MODEL_FILE
from tests.unit.test_reading import SETTINGS as SETTINGS_FILE
from tests.unit.test_verify import ROWS, Stacks, score, with_answers

LIVE = NAMES.at(PRODUCTION.name)
READY = {"MaxConcurrency": 5, "ProvisionedConcurrency": 2}


def served(staging: Any, production: Any) -> Any:
    return MODEL.but(serving={STAGING.name: staging, PRODUCTION.name: production})


# --------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Serverless(memory_mb=1500), "Serverless.memory_mb is 1500; allowed: 1024 | 2048 | 3072 | 4096 | 5120 | 6144"),
        (lambda: Serverless(max_concurrency=201), "Serverless.max_concurrency is 201; allowed: 1 to 200"),
        (
            lambda: Serverless(data_capture_percent=100),
            "Serverless.data_capture_percent is 100; allowed: 0: it asks for data capture, which Serverless Inference does not support "
            "(SageMaker guide, its feature exclusions)",
        ),
        (
            lambda: Serverless(max_concurrency=2, provisioned=ProvisionedConcurrency(max_capacity=3)),
            "Serverless.provisioned is 'up to 3'; allowed: up to max_concurrency (2)",
        ),
        (
            lambda: Serverless(
                max_concurrency=4,
                provisioned=ProvisionedConcurrency(schedules=(Schedule(name="day", cron="0 7 * * ? *", min_capacity=1, max_capacity=5),)),
            ),
            "Serverless.provisioned is 'up to 5'; allowed: up to max_concurrency (4)",
        ),
        (
            lambda: Serverless(rollout=Rollout(routing=Routing.LINEAR)),
            "Serverless.rollout is 'LINEAR'; allowed: ALL_AT_ONCE: deployment guardrails are for real-time and asynchronous endpoints "
            "(SageMaker guide, Deployment guardrails)",
        ),
        (lambda: BacklogScaling(min_capacity=3), "BacklogScaling.min_capacity is 3; allowed: 0 to max_capacity (2)"),
        (
            lambda: Asynchronous(rollout=Rollout(routing=Routing.CANARY)),
            "Asynchronous.scaling is 'down to 0'; allowed: at least 2 with CANARY routing",
        ),
        (
            lambda: Asynchronous(concurrent_requests_per_instance=0),
            "Asynchronous.concurrent_requests_per_instance is 0; allowed: None, or 1 to 1000",
        ),
        (
            lambda: served(Serverless(), Serverless()).but(retraining=Retraining(learn_from_answers=True)),
            "Model('abalone').retraining is 'learn_from_answers=True'; allowed: False where no endpoint captures: serverless captures no "
            "requests",
        ),
        (
            lambda: served(Serverless(), Batch()),
            None,
        ),
    ],
)
def test_what_sagemaker_does_not_allow_is_refused_with_its_reason(make: Any, message: str | None) -> None:
    with pytest.raises(SettingsError) as refused:
        make()
    assert message is None or str(refused.value) == message


def test_each_environment_may_be_served_by_a_kind_of_its_own() -> None:
    model = served(Serverless(memory_mb=2048, max_concurrency=5), Asynchronous())
    assert model.watch_in(STAGING.name) is None, "nothing is captured there"
    assert model.watch_in(PRODUCTION.name) is not None
    assert served(Serverless(), Serverless()).watch is None


def test_a_serverless_endpoint_is_in_no_vpc(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "settings.py").write_text(SETTINGS_FILE.replace('Environment(name="live")', 'Environment(name="live", in_vpc=True)'))
    file = MODEL_FILE.replace("Batch(), ", "Serverless(), ").replace("Batch()}", "Serverless()}").replace("Batch,", "Serverless,")
    (tmp_path / "models" / "fish.py").write_text(file)
    with pytest.raises(SettingsError, match=r"Environment\('live'\).in_vpc is set: a VPC configuration, which Serverless"):
        read(tmp_path)


# --------------------------------------------------------------------------------------------------- verification


def _rows(body: str, content_type: str) -> list[list[Any]]:
    if content_type == "text/csv":
        return [line.split(",") for line in body.splitlines()]
    records = map(json.loads, body.splitlines()) if content_type == "application/jsonlines" else json.loads(body)["instances"]
    return [list(record.values()) for record in records]


class Queue:
    """An asynchronous endpoint that doubles the first column; `says` lies at the failure location instead."""

    def __init__(self, s3: Any) -> None:
        self._s3, self.says = s3, ""

    def invoke_endpoint_async(self, *, InputLocation: str, ContentType: str, InferenceId: str, **_: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        bucket, _, key = InputLocation.removeprefix("s3://").partition("/")
        body = self._s3.objects[f"{bucket}/{key}"].decode()
        places = {kind: f"{bucket}/{kind}/{InferenceId}" for kind in ("answers", "failures")}
        if self.says or ContentType not in ("text/csv", "application/json", "application/jsonlines"):
            self._s3.objects[places["failures"]] = (self.says or 'Received client error (415) from model with message "no"').encode()
        else:
            found = [{"score": score(row)} for row in _rows(body, ContentType)]
            answer = "\n".join(map(json.dumps, found)) if ContentType == "application/jsonlines" else json.dumps({"predictions": found})
            self._s3.objects[places["answers"]] = answer.encode()
        return {"OutputLocation": f"s3://{places['answers']}", "FailureLocation": f"s3://{places['failures']}"}


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    """An account whose production is asynchronous."""
    account = script_account.install(monkeypatch)
    model = served(Endpoint(), Asynchronous())
    script_account.set_values(monkeypatch, replace(SETTINGS, models={model.name: model}))
    monkeypatch.setattr("deploy_scripts.environment_place.EnvironmentPlace.account", "111122223333", raising=False)
    account.clients |= {"sagemaker-runtime": Queue(account.s3), "cloudformation": Stacks()}
    account.register(7, MODEL.data, with_answers(ROWS), **{"git-commit": "abc"})
    account.sagemaker.serve(LIVE.endpoint, 7)
    return account


def check() -> int:
    return run(verify.main, ["--stage", PRODUCTION.name, "--package", f"{PACKAGE}/7"])


def test_an_asynchronous_endpoint_is_asked_through_s3(queued: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert check() == 0
    said = capsys.readouterr().out
    assert "text/csv: 3 answers equal the evaluation's" in said and "wrong content type: answers 415" in said
    asked = [key for key in queued.s3.writes if key.startswith(LIVE.requests)]
    assert len(asked) == 4 and all("/verification/check--" in key for key in asked), "the watch leaves them out by that"


def test_what_lies_at_the_failure_location_is_the_verdict(queued: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    queued.clients["sagemaker-runtime"].says = 'Received server error (500) from model with message "the disk is gone"'
    assert check() == 1
    assert "the disk is gone" in capsys.readouterr().err


def test_who_may_list_some_prefixes_only_is_refused_what_is_not_there_and_waits_all_the_same(
    queued: ScriptAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 says that an object is missing only to whoever may list the whole bucket (API reference of GetObject), which Verify may not."""
    there = queued.s3.get_object

    def get_object(*, Bucket: str, Key: str, **more: Any) -> Any:  # noqa: N803 - boto3 spells them so
        if f"{Bucket}/{Key}" not in queued.s3.objects:
            raise script_account.refusal("AccessDenied", "Access Denied", "GetObject")
        return there(Bucket=Bucket, Key=Key, **more)

    monkeypatch.setattr(queued.s3, "get_object", get_object)
    assert check() == 0


def test_an_answer_that_does_not_come_is_waited_for_no_longer_than_the_limit(
    queued: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Silent:
        def invoke_endpoint_async(self, **_: Any) -> dict[str, Any]:
            return {"OutputLocation": "s3://b/answers/1", "FailureLocation": "s3://b/failures/1"}

    queued.clients["sagemaker-runtime"] = Silent()
    monkeypatch.setattr(queued_requests, "LIMIT_MINUTES", 0)
    assert check() == 1
    assert f"no answer of {LIVE.endpoint} within 0 min" in capsys.readouterr().err


# ----------------------------------------------------------------------------------------- before and after it is there


def test_an_endpoint_on_instances_is_not_made_serverless(queued: ScriptAccount) -> None:
    with pytest.raises(ProblemError, match=r"converts no endpoint on instances to a serverless one; nothing is changed.*delete-stack"):
        refuse_conversion(Fleet("ml.m5.large", 2), LIVE, "models/: abalone, live")
    refuse_conversion(None, LIVE, "models/: abalone, live")


@pytest.mark.parametrize(
    ("endpoint", "kind", "shown"),
    [
        ({"ProductionVariants": [{"CurrentInstanceCount": 2}]}, "", "2"),
        (
            {"ProductionVariants": [{"CurrentInstanceCount": 0}], "AsyncInferenceConfig": {"OutputConfig": {}}},
            "asynchronous",
            "0, asynchronous",
        ),
        (
            {
                "ProductionVariants": [
                    {"CurrentInstanceCount": 0, "CurrentServerlessConfig": {"MaxConcurrency": 5, "ProvisionedConcurrency": 2}}
                ]
            },
            "serverless: 5 at once, 2 ready",
            "serverless: 5 at once, 2 ready",
        ),
    ],
)
def test_status_shows_what_an_endpoint_runs_on(endpoint: dict[str, Any], kind: str, shown: str) -> None:
    assert kind_of(endpoint) == kind
    count = sum(item["CurrentInstanceCount"] for item in endpoint["ProductionVariants"])
    assert status.runs_on(Placement(model="m", stage="s", instances=count, kind=kind)) == shown


def test_a_watch_over_a_serverless_endpoint_is_refused_with_the_reason() -> None:
    with pytest.raises(ProblemError, match="says Serverless; serverless captures no requests"):
        monitor.require_watched(served(Serverless(), Serverless()), PRODUCTION)


# ------------------------------------------------------------------------------------------------------------- cost

PRICES = Prices(
    region="eu-west-1", as_of="2026-01", source="a list", usd_per_hour={"ml.m5.large": 0.1}, serverless_usd_per_gb_second=0.00002
)


def test_a_serverless_day_stands_beside_an_instance() -> None:
    """20,000 answers of 0.05 s are 1,000 s of 2 GB: 0.04 USD; an answer costs 0.000002, so an instance of 2.40 a day 1.2 million."""
    said = list(cost_of_use.lines(Serverless(), PRICES, ["--requests-per-day", "20000"]))
    assert said[1] == "serverless, 2048 MB: 0.04 USD, and the data that go in and out"
    assert said[2] == "one ml.m5.large all day: 2.40 USD, which is less from 1,200,000 requests a day on"


def test_what_is_kept_ready_needs_a_price() -> None:
    with pytest.raises(ProblemError, match=r"provisioned_usd_per_gb_second of settings\.py is None"):
        list(cost_of_use.lines(Serverless(provisioned=ProvisionedConcurrency()), PRICES, []))


def test_an_asynchronous_day_costs_what_the_queue_keeps_running() -> None:
    """7,200 answers of 0.25 s are 1,800 s, and the instance stays for 1,200: 0.08 USD."""
    said = list(cost_of_use.lines(Asynchronous(), PRICES, ["--requests-per-day", "7200", "--milliseconds", "250"]))
    assert "0.08 USD; 0.00 on a day without any" in said[1] and "20 min" in said[2]


def test_a_figure_that_cannot_be_is_one_line() -> None:
    with pytest.raises(ProblemError, match=r"a request takes 0\.0 s; allowed: more than 0"):
        list(cost_of_use.lines(Serverless(), PRICES, ["--milliseconds", "0"]))
