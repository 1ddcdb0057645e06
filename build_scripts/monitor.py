"""Judges now what a model answered in an environment: starts the pipeline that its schedule starts, for what is due or for some windows.

    python -m build_scripts.monitor --model abalone --environment production --wait
    python -m build_scripts.monitor --model abalone --environment production --from 2026-11-27T10:00Z --to 2026-11-27T14:00Z --wait
    python -m build_scripts.monitor --model abalone --environment production --profile their-account --wait

Windows that were judged before are judged again, with what has come in since; what was told is not told again. Where the environment has
an account of its own, it takes credentials of that account (`--profile`), as asking an endpoint does (decision 116).
Output: an execution of `<project>--<model>--<environment>--monitoring`; with --wait its steps, and the line of each window that it judged.
Next: pipelines/monitoring/pipeline.py; what is found lies in the environment's bucket below monitoring/<model>/.
"""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.follow import follow, steps_of
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from pipelines.monitoring.pipeline import FROM, TO
from settings_schema import Environment, Model, Project, ServingNames
from settings_schema.serving import OnEndpoint

_LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
_LAST_LINES = 200
_TIMES = "an ISO 8601 time with its offset from UTC, such as 2026-11-27T10:00Z"


def place_of(project: Project, environment: Environment) -> ProjectEnvironment:
    """Where it serves, with whatever credentials there are. Raises ProblemError for those of another account."""
    place = ProjectEnvironment(project.but(region=environment.region or project.region))
    wanted = environment.account or project.account
    caller = str(place.client("sts").get_caller_identity()["Account"]) if wanted else None
    if caller != wanted:
        raise ProblemError(
            f"environment {environment.name} lives in account {wanted}, and these credentials are of {caller}; "
            f"add --profile NAME of some of {wanted}"
        )
    return place


def windows(since: str | None, until: str | None) -> list[dict[str, str]]:
    """Parameters of the run; none for what is due. Raises ProblemError."""
    if since is None and until is None:
        return []
    if since is None or until is None:
        raise ProblemError(f"--{'from' if since is None else 'to'} is missing; allowed: --from and --to together, or none for what is due")
    first, last = _time("--from", since), _time("--to", until)
    if first >= last:
        raise ProblemError(f"--to is {until!r}; allowed: a time after --from ({since})")
    return [{"Name": name, "Value": f"{time:%Y-%m-%dT%H:%M:%SZ}"} for name, time in ((FROM, first), (TO, last))]


def _time(option: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise ProblemError(f"{option} is {text!r}, which says no offset from UTC; allowed: {_TIMES}")
        return time.astimezone(UTC)
    except (ValueError, OverflowError):  # of the years 1 and 9999 some hours are in no other time zone
        raise ProblemError(f"{option} is {text!r}; allowed: {_TIMES}") from None


def start(place: ProjectEnvironment, names: ServingNames, asked: Sequence[dict[str, str]]) -> str:
    """ARN of the execution. Raises ProblemError where nothing is deployed that could watch, or be watched."""
    sagemaker, pipeline = place.client("sagemaker"), names.monitoring_pipeline
    if found(sagemaker.describe_pipeline, PipelineName=pipeline) is None:
        raise ProblemError(_not_there(place, names))
    token = uuid.uuid4().hex
    arn = sagemaker.start_pipeline_execution(PipelineName=pipeline, ClientRequestToken=token, PipelineParameters=list(asked))
    return str(arn["PipelineExecutionArn"])


def _not_there(place: ProjectEnvironment, names: ServingNames) -> str:
    if found(place.client("cloudformation").describe_stacks, StackName=names.stack) is None:
        never = f"{names.model} was never deployed in {names.environment} ({place.region}), so there is nothing to watch"
        return f"{never}; approve a version: `python -m deploy_scripts.approve --model {names.model}`"
    return f"{names.stack} was deployed before its monitoring was set; the next push deploys it"


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    asked = windows(given.since, given.until)
    settings = read_settings()
    model = settings.model(given.model)
    environment = settings.environment(given.environment) if given.environment else settings.production
    names = model.names(settings.project).at(environment.name)
    require_watched(model, environment)
    if given.profile:
        boto3.setup_default_session(profile_name=given.profile)
    place = place_of(settings.project, environment)
    arn = start(place, names, asked)
    print(f"started {arn}", flush=True)
    if given.wait:
        sagemaker = place.client("sagemaker")
        follow(sagemaker, arn, logs=place.client("logs"))
        for line in said(sagemaker, place.client("logs"), arn):
            print(line)
        print(f"findings: s3://{environment.names(place.project).bucket(arn.split(':')[4], place.region)}/{names.monitoring}windows/")
    return 0


def require_watched(model: Model, environment: Environment) -> None:
    """Raises ProblemError for a model whose file switches it off, and where nothing is captured that could be judged."""
    file = f"models/{model.name.replace('-', '_')}.py"
    serving = model.serving[environment.name]
    if isinstance(serving, OnEndpoint) and serving.uncaptured:
        said = f"{model.name} is not watched in {environment.name}: {file} says {type(serving).__name__}; {serving.uncaptured}"
        raise ProblemError(f"{said}; allowed: an environment with an Endpoint, Asynchronous or Batch")
    if model.watch is None:
        raise ProblemError(f"{model.name} is not watched: Model.monitoring of {file} is None; allowed: Monitoring()")


def said(sagemaker: Any, logs: Any, arn: str) -> list[str]:
    """What the run's job printed: a line of each window, and what was found. Nothing where there is no log yet, or none may be read."""
    jobs = [step["Metadata"]["ProcessingJob"]["Arn"].rsplit("/", 1)[-1] for step in steps_of(sagemaker, arn) if step.get("Metadata")]
    lines: list[str] = []
    try:
        for job in jobs:
            streams = logs.describe_log_streams(logGroupName=_LOG_GROUP, logStreamNamePrefix=f"{job}/")["logStreams"]
            for stream in streams:
                events = logs.get_log_events(logGroupName=_LOG_GROUP, logStreamName=stream["logStreamName"], limit=_LAST_LINES)["events"]
                lines += [str(event["message"]).rstrip() for event in events]
    except ClientError:
        return []
    return lines


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--environment", metavar="NAME", help="one of settings.py (default: the last, which serves)")
    options.add_argument("--from", dest="since", metavar="TIME", help=f"{_TIMES} (default: what is due)")
    options.add_argument("--to", dest="until", metavar="TIME", help="the end of the last window")
    options.add_argument("--profile", metavar="NAME", help="credentials of the environment's account, where it is another one")
    options.add_argument("--wait", action="store_true", help="follow the execution to its end")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
