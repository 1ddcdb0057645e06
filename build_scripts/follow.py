"""Shows a SageMaker pipeline execution as it happens: one line per step with its seconds and its numbers.

    python -m build_scripts.follow --model abalone            its newest execution
    python -m build_scripts.follow --execution-arn arn:aws:sagemaker:...

What it took and cost comes last (run_bill.py). Used by run_pipeline.py --wait. Exit code 1 if the execution failed, with the step's reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from build_scripts import run_bill
from build_scripts.command_line import ProblemError, VerdictError, add_model_option, parser, read_settings, run
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.trial_logs import reason as reason_of_trials
from settings_schema import ModelNames, Prices

_POLL_SECONDS = 1.0
_ENDED = ("Succeeded", "Failed", "Stopped")


def follow(sagemaker: Any, arn: str, poll_seconds: float = _POLL_SECONDS, *, logs: Any = None, prices: Prices | None = None) -> int:
    """Print each step as it ends, and with `prices` what all of them cost. Raises VerdictError with the reason if the execution fails.

    `logs`: the client for CloudWatch Logs, where the reason of a failed trial is.
    """
    from rich.console import Console  # a build that does not wait does not need it

    console = Console(soft_wrap=True, highlight=False)
    shown: set[str] = set()
    started = time.monotonic()
    with console.status("starting") as status:
        while True:
            # Asked before the steps: when it says that the execution has ended, the steps are complete.
            execution = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
            steps = steps_of(sagemaker, arn)
            for step in steps:
                if step["StepName"] not in shown and step["StepStatus"] in _ENDED:
                    shown.add(step["StepName"])
                    console.print(line(step, numbers(sagemaker, step)), markup=False)
            if execution["PipelineExecutionStatus"] in _ENDED:
                break
            running = ", ".join(step["StepName"] for step in steps if step["StepStatus"] == "Executing") or "waiting"
            status.update(f"{running} ({time.monotonic() - started:.0f} s)")
            time.sleep(poll_seconds)
    for billed in run_bill.lines(sagemaker, steps, prices) if prices else ():
        console.print(billed, markup=False)
    if execution["PipelineExecutionStatus"] != "Succeeded":
        raise VerdictError(failure(execution, steps, lambda search: reason_of_trials(sagemaker, logs, search) if logs else ""))
    return 0


def steps_of(sagemaker: Any, arn: str) -> list[dict[str, Any]]:
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn, SortOrder="Ascending")
    return [step for page in pages for step in page["PipelineExecutionSteps"]]


def line(step: Mapping[str, Any], facts: str) -> str:
    """`Prepare   4.2 s  Succeeded  ...`"""
    seconds = ""
    if step.get("StartTime") and step.get("EndTime"):
        seconds = f"{(step['EndTime'] - step['StartTime']).total_seconds():.1f} s"
    cached = " (cached)" if step.get("CacheHitResult") else ""
    return f"{step['StepName']:<24} {seconds:>8}  {step['StepStatus']}{cached}  {facts}".rstrip()


def numbers(sagemaker: Any, step: Mapping[str, Any]) -> str:
    """What the step found out: a tuner's best trial, a condition's outcome, the registered version. Reasons of failures come last."""
    metadata = step.get("Metadata") or {}
    if step["StepStatus"] == "Failed":
        return ""
    if "TuningJob" in metadata:
        name = metadata["TuningJob"]["Arn"].rsplit("/", 1)[-1]
        best = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name).get("BestTrainingJob") or {}
        metric = best.get("FinalHyperParameterTuningJobObjectiveMetric")
        return f"best {metric['MetricName']} {metric['Value']:.4g}" if metric else ""
    if "Lambda" in metadata:
        return ", ".join(output["Value"] for output in metadata["Lambda"].get("OutputParameters", []))
    if "Condition" in metadata:
        return f"condition is {metadata['Condition'].get('Outcome')}"
    if "RegisterModel" in metadata:
        return str(metadata["RegisterModel"]["Arn"])
    return ""


def failure(execution: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], of_trials: Callable[[str], str] = lambda _: "") -> str:
    """`of_trials`: what the trials of a tuning job said, by its ARN."""
    failed = [step for step in steps if step["StepStatus"] == "Failed"]
    reasons = [f"{step['StepName']}: {reason}" for step in failed if (reason := _reason(step, of_trials))]
    text = "; ".join(reasons) or execution.get("FailureReason") or "no reason given"
    return f"pipeline execution {execution['PipelineExecutionStatus'].lower()}: {text}"


def _reason(step: Mapping[str, Any], of_trials: Callable[[str], str]) -> str:
    metadata = step.get("Metadata") or {}
    said = str(step.get("FailureReason") or (metadata.get("Fail") or {}).get("ErrorMessage") or "")
    trials = of_trials(metadata["TuningJob"]["Arn"]) if "TuningJob" in metadata else ""
    return " ".join(part for part in (said, trials) if part)


def newest_run(sagemaker: Any, pipeline_name: str) -> dict[str, Any] | None:
    """Summary of the execution that started last; None without one, and without such a pipeline."""
    newest_first = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 1}
    page = found(sagemaker.list_pipeline_executions, PipelineName=pipeline_name, **newest_first) or {"PipelineExecutionSummaries": []}
    return next(iter(page["PipelineExecutionSummaries"]), None)


def await_newest(sagemaker: Any, codepipeline: Any, names: ModelNames, poll_seconds: float = _POLL_SECONDS) -> str:
    """The model's newest execution; while a build runs, the one that it starts. Raises ProblemError if there is none and none comes."""
    pipeline, build = names.training_pipeline, names.of_project.build_pipeline
    before = newest_now = newest_run(sagemaker, pipeline)
    if _is_building(codepipeline, build):
        print("waiting for the build to start the training")
        while _arn(newest_now) == _arn(before) and _is_building(codepipeline, build):
            time.sleep(poll_seconds)
            newest_now = newest_run(sagemaker, pipeline)
    if newest_now is None:
        raise ProblemError(f"pipeline {pipeline} has not run yet; push a change, or run build_scripts.run_pipeline")
    return str(newest_now["PipelineExecutionArn"])


def _arn(run: Mapping[str, Any] | None) -> str | None:
    return run["PipelineExecutionArn"] if run else None


def _is_building(codepipeline: Any, build: str) -> bool:
    state = found(codepipeline.get_pipeline_state, name=build) or {"stageStates": []}
    return any(stage.get("latestExecution", {}).get("status") == "InProgress" for stage in state["stageStates"])


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--execution-arn", help="the execution to follow (default: the model's newest)")
    given = options.parse_args(arguments)
    settings = read_settings()
    place = ProjectEnvironment(settings.project)
    sagemaker, arn = place.client("sagemaker"), given.execution_arn
    if arn is None:
        arn = await_newest(sagemaker, place.client("codepipeline"), settings.model(given.model).names(settings.project))
    return follow(sagemaker, arn, logs=place.client("logs"), prices=settings.prices)


if __name__ == "__main__":
    raise SystemExit(run(main))
