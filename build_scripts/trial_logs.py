"""Finds what a training script said when every trial of a search failed: SageMaker itself does not tell.

The image's toolkit writes `ExecuteUserScriptError` and the command over the reason that the script left, and the tuning job only counts
its trials. The script's line, `error: ...` (pipelines/tabular/steps/failure.py), is in the trial's log. Input: the tuning job's ARN.
Output: the line. Used by follow.py and by the demo.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_MARK = "error: "
_LAST_LINES = 200


def reason(sagemaker: Any, logs: Any, tuning_job_arn: str) -> str:
    """`trial <name>: <what its script said>`, of the first trial that failed; empty where nobody said or may read anything."""
    try:
        search = _name(sagemaker, tuning_job_arn)
        request = {"HyperParameterTuningJobName": search, "StatusEquals": "Failed", "SortBy": "CreationTime", "SortOrder": "Ascending"}
        failed = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(**request)["TrainingJobSummaries"] if search else []
        said = _last_error(logs, failed[0]["TrainingJobName"]) if failed else ""
    except ClientError:  # no log yet, or no permission: the step's own reason is shown anyway
        return ""
    return f"trial {failed[0]['TrainingJobName']}: {said}" if said else ""


def _name(sagemaker: Any, arn: str) -> str | None:
    """An ARN has the name in lower case, and only the name itself describes the job."""
    newest = sagemaker.list_hyper_parameter_tuning_jobs(SortBy="CreationTime", SortOrder="Descending")["HyperParameterTuningJobSummaries"]
    return next((job["HyperParameterTuningJobName"] for job in newest if job["HyperParameterTuningJobArn"] == arn), None)


def _last_error(logs: Any, job: str) -> str:
    """The last line of a job's log that begins as the scripts' own errors do."""
    streams = logs.describe_log_streams(logGroupName=LOG_GROUP, logStreamNamePrefix=f"{job}/")["logStreams"]
    lines = [
        event["message"].strip()
        for stream in streams
        for event in logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream["logStreamName"], limit=_LAST_LINES)["events"]
    ]
    return next((line.removeprefix(_MARK) for line in reversed(lines) if line.startswith(_MARK)), "")
