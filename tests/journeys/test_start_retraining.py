"""Two events at once, and one run: what starts retraining asks SageMaker with one token, and SageMaker begins once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from infra.model.start_retraining import handler as start_retraining
from local_account.account import Account
from packages.local_account.tests import sagemaker_requests as small


def test_two_retraining_events_at_the_same_moment_start_one_run(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    sagemaker = account.client("sagemaker")
    end = {"Name": "End", "Type": "Fail", "Arguments": {"ErrorMessage": "as asked"}}
    defaults = {"InputDataUrl": "s3://bucket/data/", "TriggerReason": "manual", "GitCommit": "none"}
    parameters = [{"Name": key, "Type": "String", "DefaultValue": value} for key, value in defaults.items()]
    name = small.create_pipeline(sagemaker, [end], parameters)
    small.run_pipeline(sagemaker, name)
    both_have_looked, look = threading.Barrier(2, timeout=30), start_retraining.latest_runs

    def look_side_by_side(client: Any, pipeline_name: str) -> list[dict[str, Any]]:
        runs = look(client, pipeline_name)
        both_have_looked.wait()
        return runs

    monkeypatch.setattr(start_retraining, "latest_runs", look_side_by_side)
    monkeypatch.setattr(start_retraining, "boto3", SimpleNamespace(client=account.client))
    monkeypatch.setenv("SAGEMAKER_PIPELINE_NAME", name)
    monkeypatch.setenv("FEEDBACK", "feedback/")
    upload = {"source": "aws.s3", "id": "e-1", "detail": {"bucket": {"name": "bucket"}, "object": {"key": "data/_SUCCESS"}}}
    with ThreadPoolExecutor(2) as lambdas:
        answers = list(lambdas.map(lambda event: start_retraining.handler(event, None), [upload, {"source": "schedule"}]))
    arns = {answer["started"] for answer in answers}
    runs = sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
    assert len(runs) == 2, "the one before, and one for both events"
    assert arns == {runs[0]["PipelineExecutionArn"]}
