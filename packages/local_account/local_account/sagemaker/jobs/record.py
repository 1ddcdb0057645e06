"""What a job is to the API: its description, its state changes with their events, Describe, List and Stop."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_account import listing
from local_account.context import Context
from local_account.errors import InvalidError, ServiceError
from local_account.sagemaker.api import Operation
from local_account.sagemaker.tags import Tags

ENDED = ("Completed", "Failed", "Stopped")
#: Of a processing or training job that does not say: API reference, StoppingCondition.
DEFAULT_MAX_SECONDS = 86400
DEFAULT_STOPPING_CONDITION = {"StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_MAX_SECONDS}}
#: Characters of a FailureReason (botocore's model).
LONGEST_REASON = 1024


@dataclass(frozen=True)
class JobKind:
    """Names that differ between kinds. `resource` is the stem of every field name, such as TrainingJob.

    `sorted_by`, `order` and `results` are what the API reference of its List operation names as defaults.
    """

    resource: str
    arn_part: str
    event: str
    log_group: str = ""
    sorted_by: str = "CreationTime"
    order: str = "Ascending"
    results: int = listing.MOST_RESULTS

    @property
    def name_field(self) -> str:
        return f"{self.resource}Name"

    @property
    def arn_field(self) -> str:
        return f"{self.resource}Arn"

    @property
    def end_field(self) -> str:
        return f"{self.resource.removesuffix('Job')}EndTime"

    @property
    def status_field(self) -> str:
        return f"{self.resource}Status"


PROCESSING = JobKind("ProcessingJob", "processing-job", "SageMaker Processing Job State Change", "/aws/sagemaker/ProcessingJobs")
TRAINING = JobKind("TrainingJob", "training-job", "SageMaker Training Job State Change", "/aws/sagemaker/TrainingJobs")
TRANSFORM = JobKind(
    "TransformJob",
    "transform-job",
    "SageMaker Transform Job State Change",
    "/aws/sagemaker/TransformJobs",
    order="Descending",
    results=10,
)
TUNING = JobKind(
    "HyperParameterTuningJob",
    "hyper-parameter-tuning-job",
    "SageMaker HyperParameter Tuning Job State Change",
    sorted_by="Name",
    results=10,
)


class JobFailedError(Exception):
    """The job cannot go on; the message is its FailureReason."""


def failure_of(error: Exception) -> str:
    """The FailureReason of a job that an error has ended: AWS says "ClientError" where a request of its role was refused."""
    if isinstance(error, JobFailedError):
        return str(error)
    if isinstance(error, ServiceError):
        return f"ClientError: {error.code}: {error.message}"
    if isinstance(error, ClientError):
        return f"ClientError: {error.response['Error'].get('Code', '')}: {error.response['Error'].get('Message', '')}"
    return f"InternalServerError: {error!r}"


class JobStoppedError(Exception):
    """The job was stopped, by a person or by its time limit."""


@dataclass
class Job:
    """One job. `description` is what Describe answers; change it under `lock` only."""

    kind: JobKind
    description: dict[str, Any]
    log_path: Path
    working_directory: Path
    stop_requested: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)
    watch: Callable[[str], None] | None = None  # called with the log so far, a few times a second

    @property
    def name(self) -> str:
        return str(self.description[self.kind.name_field])

    @property
    def arn(self) -> str:
        return str(self.description[self.kind.arn_field])

    @property
    def status(self) -> str:
        return str(self.description[self.kind.status_field])

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def describe(self) -> dict[str, Any]:
        with self.lock:
            return dict(self.description)

    def summary(self) -> dict[str, Any]:
        """The description, with what List shows besides it."""
        described = self.describe()
        if self.kind is TUNING:
            described |= {"Strategy": described["HyperParameterTuningJobConfig"]["Strategy"]}
            described["ResourceLimits"] = described["HyperParameterTuningJobConfig"]["ResourceLimits"]
        return described


def now() -> datetime:
    """Jobs run in real time, whatever the account's clock does. Whole milliseconds, as the API answers them."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class Jobs:
    """All jobs of one kind, in the order in which they were created."""

    def __init__(self, context: Context, kind: JobKind) -> None:
        self.context, self.kind = context, kind
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def create(self, request: Mapping[str, Any], defaults: Mapping[str, Any], work: Callable[[Job], None]) -> Job:
        """Record a job and start `work` on a thread. The job's name must be new."""
        name = request[self.kind.name_field]
        moment = now()
        description = {
            **{key: value for key, value in request.items() if key != "Tags"},
            self.kind.arn_field: self.context.arn("sagemaker", f"{self.kind.arn_part}/{name.lower()}"),
            self.kind.status_field: "InProgress",
            "CreationTime": moment,
            "LastModifiedTime": moment,
            **defaults,
        }
        directory = self.context.directory("jobs", self.kind.arn_part, name)
        job = Job(self.kind, description, self.context.log_path(self.kind.arn_part, name), directory)
        with self._lock:
            if name.lower() in self._jobs:
                raise ServiceError("ResourceInUse", f"{self.kind.resource} {name} exists already: {self._jobs[name.lower()].arn}")
            self._jobs[name.lower()] = job
        Tags.at(self.context).add(job.arn, request.get("Tags"))
        self._tell(job)
        self.context.in_background(work, job, failed=lambda error: self._broken_off(job, error))
        return job

    def operations(self, create: Callable[[dict[str, Any]], Job]) -> dict[str, Operation]:
        """The operations of the kind, by name."""
        name = self.kind.resource
        return {
            f"Create{name}": lambda request: {self.kind.arn_field: create(request).arn},
            f"Describe{name}": lambda request: self.get(request[self.kind.name_field]).describe(),
            f"List{name}s": self.list,
            f"Stop{name}": lambda request: self.stop(request[self.kind.name_field]),
        }

    def _broken_off(self, job: Job, error: Exception) -> None:
        """The work itself failed, such as on a full disk. Whoever waits for the job must learn it."""
        if not job.ended.is_set():
            self.end(job, "Failed", **{self.kind.end_field: now()}, FailureReason=f"InternalServerError: {error!r}")

    def get(self, name: str) -> Job:
        """By name in any case: people cut names out of ARNs, which have them in lower case."""
        with self._lock:
            job = self._jobs.get(name.lower())
        if job is None:
            raise InvalidError(f"Could not find requested job with name: {name}")
        return job

    def change(self, job: Job, **changes: Any) -> None:
        """Update a description, and say so as an event if the status changed. None stands for no change."""
        with job.lock:
            before = job.status
            job.description.update({name: value for name, value in changes.items() if value is not None}, LastModifiedTime=now())
            changed = job.status != before
        if changed:
            self._tell(job)

    def end(self, job: Job, status: str, **changes: Any) -> None:
        if "FailureReason" in changes:
            changes["FailureReason"] = changes["FailureReason"][:LONGEST_REASON]
        self.change(job, **{self.kind.status_field: status}, **changes)
        job.ended.set()

    def stop(self, name: str) -> None:
        job = self.get(name)
        with job.lock:
            if job.status in ENDED:
                raise InvalidError(f"The request was rejected because {self.kind.resource} {name} is {job.status}.")
            job.stop_requested.set()
        self.change(job, **{self.kind.status_field: "Stopping"})

    def all(self) -> builtins.list[dict[str, Any]]:
        with self._lock:
            jobs = list(self._jobs.values())
        return [job.summary() for job in jobs]

    def list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return listing.page(
            f"{self.kind.resource}Summaries",
            self.all(),
            request,
            sort_fields={"Name": self.kind.name_field, "CreationTime": "CreationTime", "Status": self.kind.status_field},
            name_field=self.kind.name_field,
            # No job here has a warm pool or a training plan, so these two find nothing.
            equal={"StatusEquals": self.kind.status_field, "WarmPoolStatusEquals": "WarmPoolStatus", "TrainingPlanArnEquals": "PlanArn"},
            default_sort=self.kind.sorted_by,
            default_order=self.kind.order,
            default_results=self.kind.results,
        )

    def _tell(self, job: Job) -> None:
        if self.context.stopping.is_set():
            return  # nobody is left to act on it
        self.context.emit("aws.sagemaker", self.kind.event, job.describe(), [job.arn])
