"""Leaves the version that production has: rejects it, so that one that served before goes back at once, and follows that to its end.

    python -m deploy_scripts.roll_back --model abalone --reason "answers 5xx since 14:05"
    python -m deploy_scripts.roll_back --model abalone --to-version 2 --reason "..."    and every newer approved version

What SageMaker Studio's registry page does with a rejection, in one command: no alarm of the version that is left undoes the return, no open
review holds it, and nobody is asked a second time. Nothing changes where it could not end with the earlier version in production.
Exit code 0 when that serves, 1 if the return failed. Next: status.py. Permissions: docs/operations.md.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, VerdictError, add_model_option, explain, parser, read_settings, run
from build_scripts.missing import is_missing
from build_scripts.objects import bucket_and_key, keys
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, describe, listed
from deploy_scripts import build_logs
from deploy_scripts.agreement import person_agrees
from deploy_scripts.approve import LONGEST_COMMENT
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.follow_pipeline import follow
from deploy_scripts.pipeline_states import is_changing
from deploy_scripts.placements import at
from deploy_scripts.releases import History
from deploy_scripts.stack_states import refuse_obstructed
from deploy_scripts.way_back import DELETED, Plan, live_version, plan
from settings_schema import Environment, Model, ModelNames
from settings_schema.reading import Settings

_POLL_SECONDS = 0.5
#: For the return to begin once the version is rejected. Its function is asked, too: an event may be lost.
_START_SECONDS = 60.0


def decide(project: ProjectEnvironment, model: Model, environment: Environment, named: str | None) -> tuple[Plan, dict[str, str]]:
    """What will be rejected and what returns, and since when each has served. Raises ProblemError for what could not be done."""
    names, sagemaker = model.names(project.project), project.client("sagemaker")
    serving = names.at(environment.name)
    place = EnvironmentPlace(project, environment, Role.LOOKUP)
    live = live_version(project, place, serving)
    if live is None:
        raise ProblemError(f"nothing of {names.model} is live in {environment.name}, so there is nothing to leave; approve a version")
    known = listed(sagemaker, names.model_package_group)
    wanted = to_version(named, names.model_package_group, known) if named is not None else None
    approved = [version for version in known if version.approval == "Approved" or version.number == wanted]
    served = History(project.client("codepipeline"), names).served(approved)
    decided = plan(live, known, served, wanted)
    refuse_obstructed(model, [(environment, serving, place)])
    require_artifact(project.client("s3"), describe(sagemaker, decided.returns.arn))
    return decided, {arn: at(began) for arn, began in served.items()}


def require_artifact(s3: Any, version: Version) -> None:
    """Raises ProblemError for a version whose archive is gone. That it is the evaluated one the return's Render says, of the whole file.

    Asked by a listing, which takes neither the object's key nor the permission to read a model.
    """
    if not version.model_url:
        raise ProblemError(f"version {version.number} cannot go back: it names no archive; name another with --to-version")
    bucket, key = bucket_and_key(version.model_url)
    try:
        is_there = next(keys(s3, bucket, key), None) == key
    except ClientError as error:
        if not is_missing(error):
            print(f"its archive may not be looked for with these credentials, so the return itself finds out: {explain(error)}")
            return
        is_there = False
    if not is_there:
        gone = f"its archive {version.model_url} is gone; restore that object, or name another with --to-version"
        raise ProblemError(f"version {version.number} cannot go back: {gone}")


def to_version(text: str, group: str, known: Sequence[Version]) -> int:
    """A version's number, or its ARN. Raises ProblemError for anything else, such as a version of another group, region or account."""
    numbers = {version.arn: version.number for version in known}
    if text in numbers:
        return numbers[text]
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise ProblemError(f"--to-version is {text!r}; allowed: the number of a version of {group}, or its ARN")
    return int(text)


def described(names: ModelNames, environment: Environment, decided: Plan, since: dict[str, str]) -> str:
    lines = [f"live in {environment.name}: version {decided.live.number} of {names.model} ({decided.live.approval})"]
    for version in decided.rejects:
        lines.append(f"rejects: version {version.number} ({'live' if version == decided.live else 'approved, newer'})")
    lines.append(f"returns: version {decided.returns.number}, whose last release began on {since[decided.returns.arn]}")
    return "\n".join(lines)


def reject(sagemaker: Any, decided: Plan, reason: str) -> None:
    """The live one last, and again where it was rejected before: that asks anew for a return that failed."""
    for version in decided.rejects:
        sagemaker.update_model_package(ModelPackageArn=version.arn, ModelApprovalStatus="Rejected", ApprovalDescription=reason)
        print(f"version {version.number} is rejected", flush=True)


def wake(functions: Any, names: ModelNames, decided: Plan) -> str:
    """What start_deployment says to the rejection, told as its event tells it, which may be late or lost.

    Of a live version that was deleted there is no rejection: then the one that returns is asked for.
    """
    detail = {"ModelPackageArn": decided.live.arn, "ModelPackageGroupName": names.model_package_group, "ModelApprovalStatus": "Rejected"}
    event = {"source": "aws.sagemaker", "detail-type": "SageMaker Model Package State Change", "detail": detail}
    if decided.live.approval == DELETED:
        event = {"package": decided.returns.arn}
    try:
        answer = functions.invoke(FunctionName=names.start_deployment_function, Payload=json.dumps(event).encode())
    except ClientError as error:
        return f"{names.start_deployment_function} could not be asked ({explain(error)}); the event of the rejection wakes it"
    said = json.loads(answer["Payload"].read() or "{}")
    return str(said.get("reason") or said.get("errorMessage") or "no reason given")


def ended(codepipeline: Any, pipeline: str) -> set[str]:
    """Ids of the executions that there are and do not run."""
    return {item["pipelineExecutionId"] for item in _executions(codepipeline, pipeline) if item["status"] != "InProgress"}


def started(codepipeline: Any, names: ModelNames, before: set[str], returns: Version, said: str) -> str:
    """Id of the return to that version, which began meanwhile, or was under way. A deployment that is changing production goes first.

    Raises VerdictError if none begins, with what start_deployment said.
    """
    deadline, is_told, history = time.monotonic() + _START_SECONDS, False, History(codepipeline, names)
    while True:
        listed_now = [item["pipelineExecutionId"] for item in _executions(codepipeline, names.return_pipeline)]
        fresh = (item for item in listed_now if item not in before and history.package(names.return_pipeline, item) == returns.arn)
        if (found := next(fresh, None)) is not None:
            return str(found)
        if time.monotonic() > deadline:
            if not is_changing(codepipeline.get_pipeline_state(name=names.deploy_pipeline)):
                raise VerdictError(f"no execution of {names.return_pipeline} began within {_START_SECONDS:.0f} s: {said}")
            if not is_told:
                print("a deployment is changing production; the return begins when it ends", flush=True)
            is_told = True
        time.sleep(_POLL_SECONDS)


def _executions(codepipeline: Any, pipeline: str) -> list[dict[str, Any]]:
    """The newest hundred."""
    answer: list[dict[str, Any]] = codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
    return answer


def environment_of(settings: Settings, name: str | None) -> Environment:
    """Production, which alone a version returns to. Raises ProblemError for another one."""
    production = settings.production
    if name not in (None, production.name):
        why = "the others have what is under review, and a version that is approved there deploys"
        raise ProblemError(f"--environment is {name!r}; allowed: {production.name}: {why}")
    return production


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    if not 0 < len(given.reason.strip()) <= LONGEST_COMMENT:
        raise ProblemError(f"--reason has {len(given.reason.strip())} characters; allowed: 1 to {LONGEST_COMMENT}")
    settings = read_settings()
    environment = environment_of(settings, given.environment)
    model, project = settings.model(given.model), ProjectEnvironment(settings.project)
    names = model.names(settings.project)
    decided, since = decide(project, model, environment, given.to_version)
    print(described(names, environment, decided, since), flush=True)
    if not person_agrees(f"Return to version {decided.returns.number}?", asked=given.yes):
        print("nothing changed")
        return 0
    codepipeline, began = project.client("codepipeline"), time.monotonic()
    before = ended(codepipeline, names.return_pipeline)
    reject(project.client("sagemaker"), decided, given.reason.strip())
    execution = started(codepipeline, names, before, decided.returns, wake(project.client("lambda"), names, decided))
    print(f"started {names.return_pipeline} {execution}; `python -m deploy_scripts.status --model {names.model}` shows it, too", flush=True)
    if given.no_wait:
        return 0
    builds, logs = project.client("codebuild"), project.client("logs")
    follow(codepipeline, names.return_pipeline, execution, lambda build: build_logs.reason(builds, logs, build))
    seconds = time.monotonic() - began
    print(f"version {decided.returns.number} serves {environment.name} again, verified {seconds:.1f} s after the decision")
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--to-version", metavar="N", help="which one goes back (default: the newest other one that served)")
    options.add_argument("--environment", help="production, which is the default and the only one")
    options.add_argument("--reason", required=True, help="why; kept with each version that is rejected")
    options.add_argument("--yes", action="store_true", help="do not ask")
    options.add_argument("--no-wait", action="store_true", help="leave once the return has started")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
