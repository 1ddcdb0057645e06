"""Chapter 2: `git push` starts the build, the build each model's SageMaker pipeline, and that registers a version or says why not."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build_scripts import golden, registry, trial_logs, version_contract
from demo import loop
from demo.errors import StageError
from demo.facts import Facts, ModelFacts
from demo.narrator import Narrator, Stage
from demo.side_by_side import side_by_side
from demo.terminal import Terminal
from settings_schema.reading import Settings

_STEP_ENDS = {"Succeeded", "Failed", "Stopped"}


def push_and_train(terminal: Terminal, narrator: Narrator, settings: Settings, facts: Facts, repository: Path) -> None:
    """From the push to a version of each model that waits for approval."""
    clone = loop.Repository(terminal, settings, terminal.checkout, repository)
    with narrator.stage("git commit") as stage:
        clone.commit("The working tree as it is")
        is_own = (terminal.checkout / ".git").exists()
        stage.note = (
            "this checkout, uncommitted changes included" if is_own else "a copy of this checkout, with the draft as its only model"
        )
    pipeline = settings.project.names.build_pipeline
    known = {execution["pipelineExecutionId"] for execution in loop.pipeline_executions(terminal, pipeline)}
    with narrator.stage("git push") as stage:
        facts.pushed_at = narrator.elapsed()
        facts.commit = clone.push()
        stage.note = f"commit {facts.commit[:7]} to {settings.project.branch}"
    build = _Build(terminal, narrator, pipeline, loop.new_execution(terminal, pipeline, known))
    trainings = [_Training(terminal, narrator, facts, model, build) for model in facts.models]
    side_by_side([build.follow, *(training.follow for training in trainings)])


class _Build:
    """Tells the build. Trainings overlap it: it goes on while their first steps run."""

    def __init__(self, terminal: Terminal, narrator: Narrator, pipeline: str, execution: str) -> None:
        self._terminal, self._narrator, self._pipeline, self._execution = terminal, narrator, pipeline, execution
        self.has_succeeded = False

    def follow(self) -> None:
        with self._narrator.stage(f"{self._pipeline}: test, publish, start") as stage:
            status = loop.end_of_pipeline(self._terminal, self._pipeline, self._execution)
            stage.note = status.lower()
            if status != "Succeeded":
                raise StageError(loop.failure_of(self._terminal, self._pipeline, self._execution), self._terminal.account_logs)
        self.has_succeeded = True


class _Training:
    """Tells the steps of one model's training, and what it registered."""

    def __init__(self, terminal: Terminal, narrator: Narrator, facts: Facts, model: ModelFacts, build: _Build) -> None:
        self._terminal, self._narrator, self._facts, self._model, self._build = terminal, narrator, facts, model, build
        self._running: dict[str, Stage] = {}
        self._steps: dict[str, Mapping[str, Any]] = {}

    def follow(self) -> None:
        execution = loop.wait_for(f"the training of {self._model.subject.name}", self._started)
        for name, status in loop.changes(lambda: self._look(execution), lambda: loop.training_ended(self._terminal, execution)):
            self._tell(name, status)
        self._model.pending_at = self._narrator.elapsed()
        failed = [step for step in self._steps.values() if step["StepStatus"] == "Failed"]
        if failed:
            reason = failed[-1].get("FailureReason", "no reason given")
            search = failed[-1].get("Metadata", {}).get("TuningJob")
            said = trial_logs.reason(self._terminal.client("sagemaker"), self._terminal.client("logs"), search["Arn"]) if search else ""
            raise StageError(f"step {failed[-1]['StepName']} failed: {reason} {said}".rstrip(), self._terminal.account_logs)
        _find_version(self._terminal, self._narrator, self._facts, self._model)

    def _started(self) -> str | None:
        names, ended = self._model.subject.names, self._build.has_succeeded
        executions = loop.training_executions(self._terminal, names)
        if executions:
            return str(executions[0]["PipelineExecutionArn"])
        if ended:
            raise StageError(f"the build succeeded without starting {names.training_pipeline}", self._terminal.account_logs)
        return None

    def _look(self, execution: str) -> dict[str, str]:
        self._steps = {step["StepName"]: step for step in loop.steps(self._terminal, execution)}
        return {name: str(step["StepStatus"]) for name, step in self._steps.items()}

    def _tell(self, name: str, status: str) -> None:
        if name not in self._running:
            self._running[name] = self._narrator.begin(self._model.subject.titled(name))
        if status in _STEP_ENDS:
            stage = self._running[name]
            stage.note = _numbers(self._terminal, self._steps[name])
            stage.failed = status != "Succeeded"
            self._narrator.end(stage)


def _numbers(terminal: Terminal, step: Mapping[str, Any]) -> str:
    """What came out of a step, in its own numbers."""
    metadata = step.get("Metadata", {})
    if step.get("FailureReason"):
        return str(step["FailureReason"])
    if "CacheHitResult" in step:
        return "unchanged, taken from the cache"
    if "TuningJob" in metadata:
        return _tuning_numbers(terminal, metadata["TuningJob"]["Arn"])
    if "ProcessingJob" in metadata:
        jobs = terminal.client("sagemaker").list_processing_jobs(SortBy="CreationTime", SortOrder="Descending")["ProcessingJobSummaries"]
        name = next(job["ProcessingJobName"] for job in jobs if job["ProcessingJobArn"] == metadata["ProcessingJob"]["Arn"])
        return _last_log_line(terminal, "/aws/sagemaker/ProcessingJobs", name)
    if "Lambda" in metadata:
        return ", ".join(output["Value"] for output in metadata["Lambda"].get("OutputParameters", []))
    if "Condition" in metadata:
        return "passed" if metadata["Condition"].get("Outcome") == "True" else "refused"
    if "RegisterModel" in metadata or "Model" in metadata:
        return f"version {next(iter(metadata.values()))['Arn'].rsplit('/', 1)[-1]}"
    return ""


def _tuning_numbers(terminal: Terminal, arn: str) -> str:
    sagemaker = terminal.client("sagemaker")
    jobs = sagemaker.list_hyper_parameter_tuning_jobs(SortBy="CreationTime", SortOrder="Descending")["HyperParameterTuningJobSummaries"]
    # A job's ARN has its name in lower case, and only the name itself describes it.
    name = next(job["HyperParameterTuningJobName"] for job in jobs if job["HyperParameterTuningJobArn"] == arn)
    job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    trials = sum(job["TrainingJobStatusCounters"].get(status, 0) for status in ("Completed", "Stopped"))
    best = job.get("BestTrainingJob", {}).get("FinalHyperParameterTuningJobObjectiveMetric")
    return f"{trials} trials" + (f", best {best['MetricName']} {best['Value']:.4g}" if best else "")


def _last_log_line(terminal: Terminal, group: str, job: str) -> str:
    """Each script ends by saying what it did; CloudWatch Logs has it a moment later."""
    logs = terminal.client("logs")

    def look() -> str | None:
        try:
            streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
        except logs.exceptions.ResourceNotFoundException:  # the very first job of this kind: its group comes with its log
            return None
        if not streams:
            return None
        events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"], limit=5)["events"]
        lines: list[str] = [event["message"].strip() for event in events if event["message"].strip()]
        return lines[-1] if lines else None

    with contextlib.suppress(StageError):  # a script may say nothing
        return loop.wait_for("the log", look, seconds=1)
    return ""


def _find_version(terminal: Terminal, narrator: Narrator, facts: Facts, model: ModelFacts) -> None:
    names = model.subject.names
    with narrator.stage(model.subject.titled("Waits for approval")) as stage:
        waiting = [version for version in loop.versions(terminal, names) if version["ModelApprovalStatus"] == "PendingManualApproval"]
        if not waiting:
            raise StageError(f"no version of {names.model_package_group} waits for approval", terminal.account_logs)
        model.version_arn, model.version = waiting[0]["ModelPackageArn"], int(waiting[0]["ModelPackageVersion"])
        _read_evidence(terminal, model, registry.describe(terminal.client("sagemaker"), model.version_arn))
        seconds = model.pending_at - facts.pushed_at
        metric = f"{model.metadata['metric']} {float(model.metadata['metric-value']):.4g}"
        stage.note = f"version {model.version} of {names.model_package_group}, {metric}; {seconds:.1f} s after the push"


def _read_evidence(terminal: Terminal, model: ModelFacts, version: registry.Version) -> None:
    model.metadata = version.facts
    folder = model.metadata["report-url"].rpartition("/")[0]
    model.report_html = loop.read_s3(terminal, f"{folder}/report.html").decode("utf-8")
    model.evaluation = json.loads(loop.read_s3(terminal, f"{folder}/evaluation.json"))
    model.contract = version_contract.read(terminal.client("s3"), version)
    model.golden = golden.read(terminal.client("s3"), version, model.contract)
