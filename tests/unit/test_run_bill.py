"""What a run took and cost: what SageMaker bills of each job, and what spare capacity saved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from build_scripts import run_bill
from settings_schema import Prices
from tests.unit.script_account import refusal

PRICES = Prices(region="us-east-1", as_of="2026-01", source="a page", usd_per_hour={"ml.m5.xlarge": 0.36})
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Jobs:
    """A processing job of 100 s, and of each tuning job two trials on two instances, of which `billed` seconds of 400 are paid."""

    def __init__(self, billed: int = 400, instance_type: str = "ml.m5.xlarge", image: str = "sagemaker-xgboost:3.2-0") -> None:
        self._billed, self._type, self._image = billed, instance_type, image

    def describe_processing_job(self, **_: str) -> dict[str, Any]:
        cluster = {"InstanceType": self._type, "InstanceCount": 1}
        times = {"ProcessingStartTime": BEGIN, "ProcessingEndTime": BEGIN + timedelta(seconds=100)}
        image = f"111122223333.dkr.ecr.us-east-1.amazonaws.com/{self._image}"
        return {**times, "ProcessingResources": {"ClusterConfig": cluster}, "AppSpecification": {"ImageUri": image}}

    def list_training_jobs_for_hyper_parameter_tuning_job(self, **request: Any) -> dict[str, Any]:
        if "NextToken" in request:
            return {"TrainingJobSummaries": [{"TrainingJobName": "second"}]}
        return {"TrainingJobSummaries": [{"TrainingJobName": "first"}], "NextToken": "more"}

    def describe_training_job(self, **_: str) -> dict[str, Any]:
        seconds = {"TrainingTimeInSeconds": 400, "BillableTimeInSeconds": self._billed}
        return {**seconds, "ResourceConfig": {"InstanceType": self._type, "InstanceCount": 2}}


def steps(**more: Any) -> list[dict[str, Any]]:
    arn = "arn:aws:sagemaker:us-east-1:111122223333:job/a"
    return [
        {"StepName": "Prepare", "Metadata": {"ProcessingJob": {"Arn": arn}}, **more},
        {"StepName": "TuneLinear", "Metadata": {"TuningJob": {"Arn": arn}}},
        {"StepName": "CheckGate", "Metadata": {"Condition": {"Outcome": "True"}}},
    ]


def test_each_step_s_billed_seconds_are_told_and_what_all_instances_cost() -> None:
    prepare, tune, together = run_bill.lines(Jobs(), steps(), PRICES)
    assert prepare.split()[:4] == ["Prepare", "100", "s", "billed"]
    assert tune.split()[:4] == ["TuneLinear", "800", "s", "billed"]
    assert "2 jobs, 2 ml.m5.xlarge" in tune and "saved" not in tune
    # 100 s on one instance and 800 s on two are 1,700 s, at 0.0001 USD each.
    assert "0.47 instance-hours, 0.17 USD at the prices noted 2026-01" in together


def test_the_engine_that_prepared_is_told_where_it_is_another() -> None:
    on_spark = run_bill.lines(Jobs(image="sagemaker-spark-processing:3.5-cpu-py312-v1.3"), steps(), PRICES)
    assert "1 ml.m5.xlarge with Spark" in on_spark[0]
    assert "Spark" not in run_bill.lines(Jobs(), steps(), PRICES)[0]


def test_what_spare_capacity_saved_is_told_as_sagemaker_reckons_it() -> None:
    """ "If BillableTimeInSeconds is 100 and TrainingTimeInSeconds is 500, the savings is 80%" (its service model)."""
    _, tune, together = run_bill.lines(Jobs(billed=80), steps(), PRICES)
    assert "they ran 800 s, so spare capacity saved 80%" in tune
    assert "0.04 USD" in together


def test_what_came_from_the_cache_is_not_billed() -> None:
    found = run_bill.lines(Jobs(), steps(CacheHitResult={"SourcePipelineExecutionArn": "arn"}), PRICES)
    assert not any(line.startswith("Prepare") for line in found)


def test_without_a_price_the_hours_are_told() -> None:
    assert run_bill.lines(Jobs(instance_type="ml.m7i.xlarge"), steps(), PRICES)[-1].endswith(
        "what they cost is not known: no price of ml.m7i.xlarge in PRICES of settings.py"
    )


def test_jobs_that_may_not_be_seen_are_said_to_be_so_and_a_run_without_any_says_nothing() -> None:
    class Closed(Jobs):
        def describe_training_job(self, **_: str) -> dict[str, Any]:
            raise refusal("AccessDeniedException", "not authorized", "DescribeTrainingJob")

    assert run_bill.lines(Closed(), steps(), PRICES) == ["what it cost cannot be seen: not authorized"]
    assert run_bill.lines(Jobs(), steps()[2:], PRICES) == []
