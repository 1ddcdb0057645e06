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
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, add_model_option, explain, parser, read_settings, run
from build_scripts.missing import is_missing
from build_scripts.objects import bucket_and_key, keys
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, describe, listed, number_of
from deploy_scripts import build_logs, return_start
from deploy_scripts.agreement import person_agrees
from deploy_scripts.approve import LONGEST_COMMENT
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.follow_pipeline import follow
from deploy_scripts.pipeline_states import changing
from deploy_scripts.placements import at
from deploy_scripts.releases import History
from deploy_scripts.stack_states import describe_stack, refuse_obstructed
from deploy_scripts.way_back import DELETED, Plan, live_version, plan
from preflight.obstacle import in_progress
from settings_schema import Environment, Model, ModelNames, ServingNames
from settings_schema.reading import Settings


def decide(project: ProjectEnvironment, model: Model, environment: Environment, named: str | None) -> tuple[Plan, dict[str, str]]:
    """What will be rejected and what returns, and since when each has served. Raises ProblemError for what could not be done."""
    names, sagemaker, codepipeline = model.names(project.project), project.client("sagemaker"), project.client("codepipeline")
    serving, history = names.at(environment.name), History(codepipeline, names)
    place = EnvironmentPlace(project, environment, Role.LOOKUP)
    live = live_version(project, place, serving)
    if live is None:
        raise ProblemError(f"nothing of {names.model} is live in {environment.name}, so there is nothing to leave; approve a version")
    deploying = changing(codepipeline.get_pipeline_state(name=names.deploy_pipeline))
    arriving = history.package(names.deploy_pipeline, deploying)
    if named is None:
        refuse_ambiguous(environment, live, arriving)
        if not deploying:
            refuse_unknown_change(codepipeline, place, serving)
    known = listed(sagemaker, names.model_package_group)
    wanted = to_version(named, names.model_package_group, known) if named is not None else None
    approved = [version for version in known if version.approval == "Approved" or version.number == wanted]
    served = history.served(approved)
    decided = replace(plan(arriving or live, known, served, wanted), is_arriving=arriving not in ("", live))
    refuse_obstructed(model, [(environment, serving, place)])
    require_artifact(project.client("s3"), describe(sagemaker, decided.returns.arn))
    return decided, {arn: at(began) for arn, began in served.items()}


def refuse_ambiguous(environment: Environment, live: str, arriving: str) -> None:
    """Raises ProblemError while a deployment takes another version to production: its stack says which one was there before."""
    if arriving not in ("", live):
        old, new = number_of(live), number_of(arriving)
        way = f"--to-version {old} leaves version {new}, an earlier one leaves both; or wait for its end"
        raise ProblemError(f"version {new} is being deployed to {environment.name} over version {old}; say which one goes back: {way}")


def refuse_unknown_change(codepipeline: Any, place: EnvironmentPlace, names: ServingNames) -> None:
    """Raises ProblemError while CloudFormation changes production and no pipeline says to which version: it was stopped, or a person."""
    returns = return_start.executions(codepipeline, names.of_model.return_pipeline)
    changes = in_progress(describe_stack(place.client("cloudformation"), names.stack))
    if changes and all(item["status"] != "InProgress" for item in returns):
        raise ProblemError(f"which version it brings is not known yet: {changes}; or name the one that goes back with --to-version")


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
    where = "being deployed to" if decided.is_arriving else "live in"
    lines = [f"{where} {environment.name}: version {decided.live.number} of {names.model} ({decided.live.approval})"]
    is_what = "being deployed" if decided.is_arriving else "live"
    for version in decided.rejects:
        lines.append(f"rejects: version {version.number} ({is_what if version == decided.live else 'approved, newer'})")
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
    decided, since = decide(project, model, environment, given.to_version)
    print(described(model.names(settings.project), environment, decided, since), flush=True)
    if not person_agrees(f"Return to version {decided.returns.number}?", asked=given.yes):
        print("nothing changed")
        return 0
    if not given.yes and decide(project, model, environment, given.to_version)[0] != decided:
        raise ProblemError("production has changed since the question; nothing changed. Run it again")
    leave(project, model.names(settings.project), environment, decided, given.reason.strip(), to_its_end=not given.no_wait)
    return 0


def leave(
    project: ProjectEnvironment, names: ModelNames, environment: Environment, decided: Plan, reason: str, *, to_its_end: bool
) -> None:
    """Rejects, and shows what comes of it. Raises VerdictError if the return does not begin, or fails."""
    codepipeline, began = project.client("codepipeline"), time.monotonic()
    before = return_start.ended(codepipeline, names.return_pipeline)
    reject(project.client("sagemaker"), decided, reason)
    said = wake(project.client("lambda"), names, decided)
    place = EnvironmentPlace(project, environment, Role.LOOKUP)
    execution = return_start.started(
        codepipeline, names, before, decided, said, lambda: live_version(project, place, names.at(environment.name)) == decided.returns.arn
    )
    if not execution:
        is_there = f"version {decided.returns.number} serves {environment.name}"
        print(f"{is_there}: version {decided.live.number} never came to stay, and no return was needed")
        return
    print(f"started {names.return_pipeline} {execution}; `python -m deploy_scripts.status --model {names.model}` shows it, too", flush=True)
    if to_its_end:
        builds, logs = project.client("codebuild"), project.client("logs")
        follow(codepipeline, names.return_pipeline, execution, lambda build: build_logs.reason(builds, logs, build))
        seconds = time.monotonic() - began
        print(f"version {decided.returns.number} serves {environment.name} again, verified {seconds:.1f} s after the decision")


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
