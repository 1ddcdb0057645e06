"""Hyperparameter tuning jobs: trials are ordinary training jobs, as many at a time as the job allows."""

from __future__ import annotations

import contextlib
import math
import queue
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_account import listing
from local_account.api.reading import input_shape
from local_account.errors import InvalidError
from local_account.moto_operations import as_shape
from local_account.sagemaker.jobs import first_party, metrics
from local_account.sagemaker.jobs.record import TUNING, Job, JobFailedError
from local_account.sagemaker.jobs.running import JobService
from local_account.sagemaker.jobs.training import TrainingJobs, check_training
from local_account.sagemaker.tuning import early_stopping, hyperband, ranges, strategies

_POLL_SECONDS = 0.25


@dataclass
class Trial:
    """One training job of a search. `objectives` has a value per epoch, up to where it was stopped."""

    index: int
    tuned: Mapping[str, str]
    job: Job
    objectives: list[float] = field(default_factory=list)
    stopped_at: int | None = None
    read: bool = False  # objectives and stopped_at are final

    @property
    def status(self) -> str:
        return "Stopped" if self.stopped_at else self.job.status


class TuningJobs(JobService):
    """CreateHyperParameterTuningJob and what follows from it."""

    kind = TUNING

    def __init__(self, training: TrainingJobs) -> None:
        super().__init__(training.runner)
        self.training = training
        self._searches: dict[str, Search] = {}

    def create(self, request: Mapping[str, Any]) -> Job:
        search = Search(self, request)
        trial = search.training_request("trial", {})
        check_training(trial)  # what no trial could be created with
        self.training.check_data(trial)
        return self.jobs.create(request, search.counters(), lambda job: self._begin(job, search))

    def _begin(self, job: Job, search: Search) -> None:
        self._searches[job.name] = search
        self.run(job)

    def turn(self, job: Job) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()  # its trials wait for theirs

    def work(self, job: Job) -> None:
        self._searches[job.name].run(job)

    def trials(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """ListTrainingJobsForHyperParameterTuningJob."""
        search = self._searches.get(self.jobs.get(request["HyperParameterTuningJobName"]).name)  # None until the job's thread runs
        summaries = [
            {**summary, "_objective": (summary.get("FinalHyperParameterTuningJobObjectiveMetric") or {}).get("Value")}
            for summary in (map(search.summary, list(search.trials)) if search else ())
        ]
        fields = {
            "Name": "TrainingJobName",
            "CreationTime": "CreationTime",
            "Status": "TrainingJobStatus",
            "FinalObjectiveMetricValue": "_objective",
        }
        if request.get("SortBy") == "FinalObjectiveMetricValue":  # "training jobs that did not return an objective metric are not listed"
            summaries = [summary for summary in summaries if summary["_objective"] is not None]
        equal = {"StatusEquals": "TrainingJobStatus"}
        return listing.page(
            "TrainingJobSummaries", summaries, request, sort_fields=fields, default_sort="Name", equal=equal, default_results=10
        )

    def properties(self, job: Job) -> dict[str, Any]:
        """What a pipeline's later steps may read: the description, and the summaries of the trials, the best first (its top 50)."""
        search = self._searches[job.name]
        return {**job.describe(), "TrainingJobSummaries": [search.summary(trial) for trial in search.ranked()][:50]}


class Search:
    """One tuning job's work."""

    def __init__(self, service: TuningJobs, request: Mapping[str, Any]) -> None:
        _check(request)
        self.service = service
        self.config = request["HyperParameterTuningJobConfig"]
        self.definition = request["TrainingJobDefinition"]
        self.name = request["HyperParameterTuningJobName"]
        self.objective = self.config.get("HyperParameterTuningJobObjective") or self.definition["TuningObjective"]
        seed = int(self.config["RandomSeed"]) if "RandomSeed" in self.config else secrets.randbelow(2**31)
        try:
            parameter_ranges = self.config.get("ParameterRanges") or self.definition.get("HyperParameterRanges") or {}
            first_party.check_tuning(self.definition, parameter_ranges, self.objective)
            self.ranges = ranges.read(parameter_ranges)
            limits = self.config.get("ResourceLimits") or {}
            self.points = strategies.points(self.config["Strategy"], self.ranges, seed, limits.get("MaxNumberOfTrainingJobs"))
            self.resources = self._resources()
        except ValueError as error:
            raise InvalidError(f"HyperParameterTuningJobConfig: {error}.") from error
        self.parallel = max(1, int(limits.get("MaxParallelTrainingJobs") or 1))
        self.most_seconds = float(limits.get("MaxRuntimeInSeconds") or math.inf)
        self.stops_early = self.resources is not None or self.config.get("TrainingJobEarlyStoppingType") == "Auto"
        self.pattern = self._objective_pattern()
        self.trials: list[Trial] = []
        self._ended: queue.Queue[Trial] = queue.Queue()

    def _resources(self) -> hyperband.Resources | None:
        """Of Hyperband; None for another strategy. Raises ValueError."""
        config, is_hyperband = self.config.get("StrategyConfig"), self.config["Strategy"] == "Hyperband"
        if not is_hyperband:
            if config:
                raise ValueError(f"StrategyConfig is for the strategy Hyperband only, not {self.config['Strategy']}")
            return None
        if self.config.get("TrainingJobEarlyStoppingType") == "Auto":
            raise ValueError("TrainingJobEarlyStoppingType must be Off with the strategy Hyperband, which stops training jobs itself")
        return hyperband.Resources.of(config or {}, self.definition.get("StaticHyperParameters") or {})

    @property
    def maximize(self) -> bool:
        return bool(self.objective["Type"] == "Maximize")

    def run(self, job: Job) -> None:
        """Raises JobStoppedError, or JobFailedError if nothing comes of the search."""
        try:
            self._run_trials(job)
        except Exception:
            self._stop_trials()
            raise
        finally:
            self._read_objectives()
            self._publish(job)
        self.service.runner.check(job)
        if not any(trial.status != "Failed" for trial in self.trials):
            raise JobFailedError(
                f"No training job succeeded after {len(self.trials)} attempts. For additional details, please take a look at "
                "the training job failures by listing training jobs for the hyperparameter tuning job."
            )
        if not self.ranked():
            raise JobFailedError(
                f"No objective metrics found after running {len(self.trials)} training jobs. Please ensure that the custom "
                f"algorithm is emitting the objective metric as defined by the regular expression {self.pattern.pattern!r}; "
                f"log: {self.trials[0].job.log_path}"
            )

    def _run_trials(self, job: Job) -> None:
        """Until all have ended, or it is stopped, or its time is over, which AWS counts as an end like any other ("Track and set
        completion criteria for your tuning job", SageMaker guide; that its status then is Completed, is assumed).
        """
        running: set[int] = set()
        begun = time.monotonic()
        while len(self.trials) < len(self.points) or running:
            is_over = time.monotonic() - begun >= self.most_seconds
            stopping = is_over or job.stop_requested.is_set() or self.service.runner.context.stopping.is_set()
            while not stopping and len(self.trials) < len(self.points) and len(running) < self.parallel:
                running.add(self._start(job).index)
                self._publish(job)
            if stopping:
                self._stop_trials()
                if not running:
                    return
            try:
                running.discard(self._ended.get(timeout=_POLL_SECONDS).index)
                self._read_objectives()
                self._publish(job)
            except queue.Empty:
                continue

    def _start(self, job: Job) -> Trial:
        index = len(self.trials)
        tuned = strategies.hyperparameters(self.ranges, self.points[index])
        name = f"{self.name}-{index + 1:03d}-{secrets.token_hex(4)}"
        more = {"TunedHyperParameters": tuned, "TuningJobArn": job.arn}
        trial = Trial(index, tuned, self.service.training.create(self.training_request(name, tuned), more))
        self.trials.append(trial)
        if self.stops_early:
            trial.job.watch = lambda log: self._watch(index, log)
        self.service.runner.context.in_background(self._wait_for, trial)
        return trial

    def _wait_for(self, trial: Trial) -> None:
        trial.job.ended.wait()
        self._ended.put(trial)

    def training_request(self, name: str, tuned: Mapping[str, str]) -> dict[str, Any]:
        """CreateTrainingJob of one trial."""
        static = self.definition.get("StaticHyperParameters") or {}
        environment = dict(self.definition.get("Environment") or {})
        if self.parallel > 1:  # trials that run together share the CPUs
            environment.setdefault("OMP_NUM_THREADS", "1")
        return {
            **as_shape(input_shape("sagemaker", "CreateTrainingJob"), self.definition),
            "TrainingJobName": name,
            "HyperParameters": {**static, **tuned, "_tuning_objective_metric": self.objective["MetricName"]},
            "Environment": environment,
        }

    def _watch(self, index: int, log: str) -> None:
        """Stop a running trial as soon as the median rule is sure to stop it."""
        earlier = self.trials[:index]
        if all(trial.read for trial in earlier) and self._stop_epoch(index, metrics.series(log, self.pattern)):
            self.trials[index].job.stop_requested.set()

    def _stop_epoch(self, index: int, objectives: list[float]) -> int | None:
        previous = [trial.objectives for trial in self.trials[:index] if trial.objectives]
        if self.resources:
            return hyperband.stop_epoch(objectives, previous, self.resources, maximize=self.maximize)
        return early_stopping.stop_epoch(objectives, previous, maximize=self.maximize)

    def _read_objectives(self) -> None:
        """Objectives of ended trials, in order, up to the epoch at which the rule stops each: the same on every machine."""
        for trial in self.trials:
            if trial.read:
                continue
            if not trial.job.ended.is_set():
                return
            values = metrics.series(trial.job.log, self.pattern)
            trial.stopped_at = self._stop_epoch(trial.index, values) if self.stops_early and trial.job.status != "Failed" else None
            trial.objectives = values[: trial.stopped_at]
            trial.read = True

    def _objective_pattern(self) -> Any:
        definitions = metrics.compile_definitions(first_party.metric_definitions(self.definition["AlgorithmSpecification"]))
        name = self.objective["MetricName"]
        if name not in definitions:
            raise InvalidError(f"objective metric {name!r} has no MetricDefinition; there is {', '.join(definitions) or 'none'}")
        return definitions[name]

    def _stop_trials(self) -> None:
        for trial in self.trials:
            trial.job.stop_requested.set()

    def ranked(self) -> list[Trial]:
        """Trials with an objective, the best first. What was stopped early comes after what ran to its end."""
        scored = [trial for trial in self.trials if trial.objectives and trial.status in ("Completed", "Stopped")]
        sign = -1 if self.maximize else 1
        return sorted(scored, key=lambda trial: (trial.status == "Stopped", sign * trial.objectives[-1], trial.index))

    def counters(self) -> dict[str, dict[str, int]]:
        """The two members of the description that count trials."""
        statuses = [trial.status for trial in self.trials]
        ended = [trial for trial in self.trials if trial.job.ended.is_set()]
        succeeded = sum(bool(trial.objectives) and trial.status != "Failed" for trial in ended)
        return {
            "TrainingJobStatusCounters": {
                "Completed": statuses.count("Completed"),
                "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
                "RetryableError": 0,
                "NonRetryableError": statuses.count("Failed"),
                "Stopped": statuses.count("Stopped"),
            },
            "ObjectiveStatusCounters": {
                "Succeeded": succeeded,
                "Pending": len(self.trials) - len(ended),
                "Failed": len(ended) - succeeded,
            },
        }

    def summary(self, trial: Trial) -> dict[str, Any]:
        described = trial.job.describe()
        members = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingStartTime", "TrainingEndTime", "FailureReason")
        found: dict[str, Any] = {member: described[member] for member in members if member in described}
        found |= {"TrainingJobStatus": trial.status, "TunedHyperParameters": dict(trial.tuned), "TuningJobName": self.name}
        if trial.objectives:
            metric = {"Type": self.objective["Type"], "MetricName": self.objective["MetricName"], "Value": trial.objectives[-1]}
            found |= {"FinalHyperParameterTuningJobObjectiveMetric": metric, "ObjectiveStatus": "Succeeded"}
        else:
            found["ObjectiveStatus"] = "Failed" if trial.job.ended.is_set() else "Pending"
        return found

    def _publish(self, job: Job) -> None:
        ranked = self.ranked()
        self.service.jobs.change(job, **self.counters(), BestTrainingJob=self.summary(ranked[0]) if ranked else None)


def _check(request: Mapping[str, Any]) -> None:
    """Raises a ValidationException for a request that says too little to be run."""
    config, definition = request["HyperParameterTuningJobConfig"], request.get("TrainingJobDefinition")
    if not definition or not (config.get("HyperParameterTuningJobObjective") or definition.get("TuningObjective")):
        raise InvalidError("A tuning job needs TrainingJobDefinition and an objective.")
