"""The report says what the run took, cost and saved; what the account does not tell keeps no version from being judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from evaluation import making, report
from failure import BadInput

RUN = "arn:aws:sagemaker:us-east-1:111122223333:pipeline/shop--houses--training/execution/abcdefghijkl"
XLARGE = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}
PRICES = {"ml.m5.xlarge": 0.36}


class Account:
    """A run whose preparation came from the cache, whose two trials ran 400 s on two spare instances of which 100 s are billed, and whose
    evaluation has run for 200 s so far.
    """

    def __init__(self, refuses: bool = False) -> None:
        self._refuses = refuses

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_pipeline_execution_steps"
        return self

    def paginate(self, *, PipelineExecutionArn: str, SortOrder: str) -> list[dict[str, Any]]:  # noqa: N803 - boto3's own names
        assert (PipelineExecutionArn, SortOrder) == (RUN, "Ascending")
        if self._refuses:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "ListPipelineExecutionSteps")
        begin = datetime.now(UTC) - timedelta(minutes=30)
        job = {"Arn": "arn:aws:sagemaker:us-east-1:111122223333:job/one"}
        prepared = {"StepName": "Prepare", "StartTime": begin, "CacheHitResult": {"SourcePipelineExecutionArn": RUN}}
        tuned = {"StepName": "TuneLinear", "StartTime": begin, "Metadata": {"TuningJob": job}}
        return [
            {"PipelineExecutionSteps": [{"StepName": "DataVersion", "StartTime": begin, "Metadata": {"Lambda": job}}, prepared, tuned]},
            {"PipelineExecutionSteps": [{"StepName": "Evaluate", "StartTime": begin, "Metadata": {"ProcessingJob": job}}]},
        ]

    def describe_processing_job(self, **_: str) -> dict[str, Any]:
        image = "111122223333.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
        begun = {"ProcessingStartTime": datetime.now(UTC) - timedelta(seconds=200), "ProcessingResources": {"ClusterConfig": XLARGE}}
        return {**begun, "AppSpecification": {"ImageUri": image}}

    def list_training_jobs_for_hyper_parameter_tuning_job(self, **_: Any) -> dict[str, Any]:
        return {"TrainingJobSummaries": [{"TrainingJobName": "first"}, {"TrainingJobName": "second"}]}

    def describe_training_job(self, **_: str) -> dict[str, Any]:
        return {"TrainingTimeInSeconds": 400, "BillableTimeInSeconds": 100, "ResourceConfig": {**XLARGE, "InstanceCount": 2}}


def read(monkeypatch: pytest.MonkeyPatch, account: Account, prices: dict[str, float]) -> dict[str, Any]:
    monkeypatch.setattr(boto3, "client", lambda _: account)
    found = making.read(RUN, prices, "2026-01")
    assert found is not None
    return found


def shown(found: dict[str, Any] | None) -> str:
    return report.environment().get_template("making.html.j2").render(making=found)


def test_each_step_s_instances_seconds_and_savings_are_told_and_what_all_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, Account(), PRICES)
    prepare, tune, evaluate = found["steps"]
    assert prepare["name"] == "Prepare" and prepare["cached"] and prepare["jobs"] == 0
    assert (tune["jobs"], tune["instances"]) == (2, "2 ml.m5.xlarge")
    assert (tune["ran_seconds"], tune["billed_seconds"], tune["saved"]) == (800, 200, 0.75)
    assert evaluate["billed_seconds"] == pytest.approx(200, abs=60) and evaluate["saved"] is None
    assert found["seconds"] == pytest.approx(1800, abs=60)
    # 200 s on two instances and 200 s on one are 600 s, at 0.0001 USD each.
    assert found["usd"] == pytest.approx(0.06, abs=0.006)
    page = shown(found)
    assert "from the cache" in page and "saved 75%" in page and "0.06 USD at the prices noted 2026-01" in page


def test_a_price_that_is_not_known_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, Account(), {"ml.m5.large": 1.0})
    assert found["usd"] is None and found["unpriced"] == ["ml.m5.xlarge"]
    assert "PRICES of settings.py has none of ml.m5.xlarge" in shown(found)


def test_what_may_not_be_seen_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    page = shown(read(monkeypatch, Account(refuses=True), PRICES))
    assert "What it took cannot be seen" in page and "not authorized" in page


def test_outside_of_a_pipeline_there_is_nothing_to_tell() -> None:
    assert making.read("", PRICES, "") is None
    assert shown(None).strip() == ""


def test_prices_come_in_any_number_of_arguments() -> None:
    assert making.prices(["ml.m5.large=0.115 ml.m5.xlarge=0.23", "ml.c5.large=0.1"]) == {
        "ml.m5.large": 0.115,
        "ml.m5.xlarge": 0.23,
        "ml.c5.large": 0.1,
    }
    with pytest.raises(BadInput, match=r"PRICES of settings.py"):
        making.prices(["ml.m5.large=cheap"])
