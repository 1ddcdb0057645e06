"""Chapter 2: `git push` starts the build, the build the SageMaker pipeline, and the pipeline registers a version or says why not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_account.demo import loop
from local_account.demo.errors import StageError
from local_account.demo.facts import Facts
from local_account.demo.narrator import Narrator, Stage
from local_account.demo.terminal import Terminal
from settings import PROJECT

_STEP_ENDS = {"Succeeded", "Failed", "Stopped"}
_UNDER_WAY = {"Starting", "Executing", "Stopping"}


def push_and_train(terminal: Terminal, narrator: Narrator, facts: Facts, repository: Path) -> None:
    """From the push to a version that waits for approval."""
    clone = loop.Repository(terminal, terminal.checkout, repository)
    with narrator.stage("git commit") as stage:
        clone.commit("The working tree as it is")
        stage.note = "this checkout, uncommitted changes included"
    with narrator.stage("git push") as stage:
        facts.pushed_at = narrator.elapsed()
        facts.commit = clone.push()
        stage.note = f"commit {facts.commit[:7]} to {PROJECT.branch}"
    build = loop.new_execution(terminal, PROJECT.build_pipeline, known=set())
    training = _watch_build(terminal, narrator, build)
    _watch_training(terminal, narrator, training)
    _find_version(terminal, narrator, facts)


def _watch_build(terminal: Terminal, narrator: Narrator, execution: str) -> str:
    """Tell each action; returns the SageMaker execution as soon as the build has started it."""
    with narrator.stage(f"{PROJECT.build_pipeline}: test, publish, start") as stage:
        status = loop.end_of_pipeline(terminal, PROJECT.build_pipeline, execution)
        if status != "Succeeded":
            raise StageError(loop.failure_of(terminal, PROJECT.build_pipeline, execution), terminal.account_logs)
        executions = loop.training_executions(terminal)
        if not executions:
            raise StageError(f"{PROJECT.build_pipeline} succeeded without starting {PROJECT.sagemaker_pipeline}", terminal.account_logs)
        arn = str(executions[0]["PipelineExecutionArn"])
        stage.note = f"started {PROJECT.sagemaker_pipeline}"
    return arn


def _watch_training(terminal: Terminal, narrator: Narrator, execution: str) -> None:
    running: dict[str, Stage] = {}
    latest: dict[str, Mapping[str, Any]] = {}

    def look() -> dict[str, str]:
        latest.update({step["StepName"]: step for step in loop.steps(terminal, execution)})
        return {name: str(step["StepStatus"]) for name, step in latest.items()}

    for name, status in loop.changes(look, lambda: loop.training_ended(terminal, execution)):
        if name not in running:
            running[name] = narrator.begin(name)
        if status in _STEP_ENDS:
            running[name].note = _numbers(terminal, latest[name])
            running[name].failed = status != "Succeeded"
            narrator.end(running[name])
    failed = [step for step in latest.values() if step["StepStatus"] == "Failed"]
    if failed:
        reason = failed[-1].get("FailureReason", "no reason given")
        raise StageError(f"step {failed[-1]['StepName']} failed: {reason}", terminal.account_logs)


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
        return _last_log_line(terminal, "/aws/sagemaker/ProcessingJobs", metadata["ProcessingJob"]["Arn"].rsplit("/", 1)[-1])
    if "Condition" in metadata:
        return "passed" if metadata["Condition"].get("Outcome") == "True" else "refused"
    if "RegisterModel" in metadata or "Model" in metadata:
        return f"version {next(iter(metadata.values()))['Arn'].rsplit('/', 1)[-1]}"
    return ""


def _tuning_numbers(terminal: Terminal, arn: str) -> str:
    job = terminal.client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=arn.rsplit("/", 1)[-1])
    trials = sum(job["TrainingJobStatusCounters"].get(status, 0) for status in ("Completed", "Stopped"))
    best = job.get("BestTrainingJob", {}).get("FinalHyperParameterTuningJobObjectiveMetric")
    return f"{trials} trials" + (f", best {best['MetricName']} {best['Value']:.4g}" if best else "")


def _last_log_line(terminal: Terminal, group: str, job: str) -> str:
    """Each script ends by saying what it did; CloudWatch Logs has it."""
    logs = terminal.client("logs")
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
    if not streams:
        return ""
    events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"], limit=5)["events"]
    lines: list[str] = [event["message"].strip() for event in events if event["message"].strip()]
    return lines[-1] if lines else ""


def _find_version(terminal: Terminal, narrator: Narrator, facts: Facts) -> None:
    with narrator.stage("Registered, waiting for approval") as stage:
        waiting = [version for version in loop.versions(terminal) if version["ModelApprovalStatus"] == "PendingManualApproval"]
        if not waiting:
            raise StageError("no version waits for approval in the model registry", terminal.account_logs)
        facts.pending_at = narrator.elapsed()
        facts.version_arn, facts.version = waiting[0]["ModelPackageArn"], int(waiting[0]["ModelPackageVersion"])
        package = terminal.client("sagemaker").describe_model_package(ModelPackageName=facts.version_arn)
        facts.metadata = package.get("CustomerMetadataProperties", {})
        _read_evidence(terminal, facts)
        seconds = facts.pending_at - facts.pushed_at
        metric = f"{facts.metadata.get('metric', '')} {facts.metadata.get('metric-value', '')}"
        stage.note = f"version {facts.version} of {PROJECT.model_package_group}, {metric}; {seconds:.1f} s after the push"


def _read_evidence(terminal: Terminal, facts: Facts) -> None:
    folder = facts.metadata["report-url"].rpartition("/")[0]
    facts.report_html = loop.read_s3(terminal, f"{folder}/report.html").decode("utf-8")
    facts.evaluation = json.loads(loop.read_s3(terminal, f"{folder}/evaluation.json"))
    facts.golden_rows = loop.read_s3(terminal, facts.metadata["golden-url"]).splitlines()
