"""What the jobs of an execution had of instances, and for how long SageMaker bills them.

Of a training job SageMaker says both seconds, those it ran and those that are billed, which differ on spare capacity: the savings are
"(1 - BillableTimeInSeconds / TrainingTimeInSeconds) * 100", and the bill is "BillableTimeInSeconds * InstanceCount" (DescribeTrainingJob
of its service model). A processing job is billed from its start to its end. What came from the cache costs nothing.
In: the steps of an execution, as ListPipelineExecutionSteps has them. Used by `evaluation/making.py`, and by build_scripts/run_bill.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

#: In the addresses of SageMaker's Spark images ("Data processing with Apache Spark" of the SageMaker guide).
_SPARK_IMAGE = "/sagemaker-spark-processing:"


class Job(NamedTuple):
    """`ran_seconds`: that the work took; `billed_seconds`: that are paid for, on each of the `instances`. `engine`: if it is another than
    the training image's.
    """

    ran_seconds: float
    billed_seconds: float
    instance_type: str
    instances: int
    engine: str = ""


class Step(NamedTuple):
    """`jobs`: none of a step that came from the cache."""

    name: str
    jobs: Sequence[Job]
    cached: bool

    @property
    def instances(self) -> str:
        """With the engine: `3 ml.m5.xlarge with Spark`."""
        return ", ".join(sorted({f"{job.instances} {job.instance_type}{job.engine and f' with {job.engine}'}" for job in self.jobs}))

    @property
    def ran_seconds(self) -> float:
        return sum(job.ran_seconds for job in self.jobs)

    @property
    def billed_seconds(self) -> float:
        return sum(job.billed_seconds for job in self.jobs)

    @property
    def saved(self) -> float | None:
        """Share of the seconds that spare capacity saved; None where it saved none."""
        return 1 - self.billed_seconds / self.ran_seconds if self.billed_seconds < self.ran_seconds else None


def of_steps(sagemaker: Any, steps: Iterable[Mapping[str, Any]]) -> list[Step]:
    """Those that had instances, or would have without the cache. Raises ClientError where whoever asks may not see the jobs."""
    found = []
    for step in steps:
        cached = bool(step.get("CacheHitResult"))
        jobs = [] if cached else list(_jobs(sagemaker, step.get("Metadata") or {}))
        if jobs or cached:
            found.append(Step(step["StepName"], jobs, cached))
    return found


def instance_hours(steps: Iterable[Step]) -> dict[str, float]:
    """By instance type."""
    hours: dict[str, float] = {}
    for job in (job for step in steps for job in step.jobs):
        hours[job.instance_type] = hours.get(job.instance_type, 0.0) + job.billed_seconds * job.instances / 3600
    return hours


def _jobs(sagemaker: Any, metadata: Mapping[str, Any]) -> Iterator[Job]:
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
    """Until now, of one that still runs: evaluation asks about its own job, too."""
    if "ProcessingStartTime" in job:
        end = job.get("ProcessingEndTime") or datetime.now(UTC)
        seconds = max(0.0, (end - job["ProcessingStartTime"]).total_seconds())
        cluster = job["ProcessingResources"]["ClusterConfig"]
        engine = "Spark" if _SPARK_IMAGE in job["AppSpecification"]["ImageUri"] else ""
        yield Job(seconds, seconds, cluster["InstanceType"], cluster["InstanceCount"], engine)


def _training(job: Mapping[str, Any]) -> Iterator[Job]:
    """Nothing of a job that never got an instance."""
    if "TrainingTimeInSeconds" in job:
        ran = job["TrainingTimeInSeconds"]
        resources = job["ResourceConfig"]
        yield Job(ran, job.get("BillableTimeInSeconds", ran), resources["InstanceType"], resources["InstanceCount"])
