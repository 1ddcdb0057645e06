"""What a run took and cost, when it has ended: the seconds that are paid for, by step, and USD at the prices of settings.py.

Of a training job SageMaker says both seconds, those it ran and those that are billed, which differ on spare capacity: the savings are
"(1 - BillableTimeInSeconds / TrainingTimeInSeconds) * 100", and the bill is "BillableTimeInSeconds * InstanceCount" (DescribeTrainingJob
of its service model). A processing job is billed from its start to its end. What came from the cache costs nothing.
Input: the steps of an execution. Output: lines. Used by run_pipeline.py and follow.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from settings_schema import Prices


@dataclass(frozen=True)
class Job:
    """`ran_seconds`: that the work took; `billed_seconds`: that are paid for, on each of `count` instances."""

    ran_seconds: float
    billed_seconds: float
    instance_type: str
    count: int

    @property
    def instance_seconds(self) -> float:
        return self.billed_seconds * self.count


def lines(sagemaker: Any, steps: Sequence[Mapping[str, Any]], prices: Prices) -> list[str]:
    """A line for each step that had instances, and one for all; why there are none, where whoever asks may not see the jobs."""
    try:
        jobs = {step["StepName"]: list(_jobs(sagemaker, step)) for step in steps if not step.get("CacheHitResult")}
    except ClientError as error:
        return [f"what it cost cannot be seen: {error.response['Error'].get('Message', error)}"]
    known = {name: of_step for name, of_step in jobs.items() if of_step}
    if not known:
        return []
    everything = [job for of_step in known.values() for job in of_step]
    return [*(_step_line(name, of_step) for name, of_step in known.items()), _total(everything, prices)]


def _jobs(sagemaker: Any, step: Mapping[str, Any]) -> Iterator[Job]:
    metadata = step.get("Metadata") or {}
    if "ProcessingJob" in metadata:
        yield from _processing(sagemaker.describe_processing_job(ProcessingJobName=_name(metadata["ProcessingJob"])))
    elif "TrainingJob" in metadata:
        yield from _training(sagemaker.describe_training_job(TrainingJobName=_name(metadata["TrainingJob"])))
    elif "TuningJob" in metadata:
        request: dict[str, Any] = {"HyperParameterTuningJobName": _name(metadata["TuningJob"]), "MaxResults": 100}
        while True:
            page = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**request)
            for summary in page["TrainingJobSummaries"]:
                yield from _training(sagemaker.describe_training_job(TrainingJobName=summary["TrainingJobName"]))
            if "NextToken" not in page:
                return
            request["NextToken"] = page["NextToken"]


def _name(job: Mapping[str, Any]) -> str:
    return str(job["Arn"]).rsplit("/", 1)[-1]


def _processing(job: Mapping[str, Any]) -> Iterator[Job]:
    if "ProcessingStartTime" in job and "ProcessingEndTime" in job:
        seconds = (job["ProcessingEndTime"] - job["ProcessingStartTime"]).total_seconds()
        cluster = job["ProcessingResources"]["ClusterConfig"]
        yield Job(seconds, seconds, cluster["InstanceType"], cluster["InstanceCount"])


def _training(job: Mapping[str, Any]) -> Iterator[Job]:
    """Nothing of a job that never got an instance."""
    if "TrainingTimeInSeconds" in job:
        ran = job["TrainingTimeInSeconds"]
        resources = job["ResourceConfig"]
        yield Job(ran, job.get("BillableTimeInSeconds", ran), resources["InstanceType"], resources["InstanceCount"])


def _step_line(name: str, jobs: Sequence[Job]) -> str:
    of = "" if len(jobs) == 1 else f"{len(jobs)} jobs, "
    ran, billed = (sum(getattr(job, seconds) for job in jobs) for seconds in ("ran_seconds", "billed_seconds"))
    instances = sorted({f"{job.count} {job.instance_type}" for job in jobs})
    return f"{name:<24} {billed:7,.0f} s billed  {of}{', '.join(instances)}{_saved(ran, billed)}"


def _saved(ran: float, billed: float) -> str:
    return f"; they ran {ran:,.0f} s, so spare capacity saved {1 - billed / ran:.0%}" if billed < ran else ""


def _total(jobs: Sequence[Job], prices: Prices) -> str:
    hours: dict[str, float] = {}
    for job in jobs:
        hours[job.instance_type] = hours.get(job.instance_type, 0.0) + job.instance_seconds / 3600
    unknown = sorted(set(hours) - set(prices.usd_per_hour))
    said = f"together {sum(hours.values()):.2f} instance-hours"
    if unknown:
        return f"{said}; what they cost is not known: no price of {', '.join(unknown)} in PRICES of settings.py"
    usd = sum(prices.usd_per_hour[kind] * count for kind, count in hours.items())
    return f"{said}, {usd:,.2f} USD at the prices noted {prices.as_of} in settings.py"
