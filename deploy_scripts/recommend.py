"""Lets SageMaker's Inference Recommender try instance types for a version, and keeps what it found for `make capacity`.

    python -m deploy_scripts.recommend --model abalone --dry-run          what it would do, and cost
    python -m deploy_scripts.recommend --model abalone --version 3 --instance-type ml.m5.large --instance-type ml.c5.large
    python -m deploy_scripts.recommend --model abalone --job NAME         one that was started before

The job asks the version for its golden rows on each instance type, in up to 45 minutes. Whoever starts it needs
sagemaker:CreateInferenceRecommendationsJob and iam:PassRole for the model's sizing role. Where Inference Recommender is not offered, as
in the local account, it says so and ends with 0. Exit code 1: the job failed, and why.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from build_scripts import golden, registry, version_contract
from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version
from deploy_scripts import recommender_job
from deploy_scripts.recommender_job import Job
from settings_schema import Model, Prices

#: Where `make capacity` looks for the newest answer of a model.
FOLDER = Path("out/recommender")


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    model = settings.endpoint_model(given.model)
    place, names = ProjectEnvironment(settings.project), model.names(settings.project)
    sagemaker = place.client("sagemaker")
    reason = recommender_job.not_offered(sagemaker)
    if reason:
        instead = "`python -m deploy_scripts.load_test` measures what is deployed"
        print(f"skipped: Inference Recommender is not offered here ({reason}); {instead}")
        return 0
    name = given.job
    if name is None:
        job = _job(place, model, given)
        print(_plan(job, settings.prices), flush=True)
        if given.dry_run:
            return 0
        recommender_job.start(place, names, job)
        name = job.name
        print(f"started; if this ends before it: `python -m deploy_scripts.recommend --model {model.name} --job {name}`", flush=True)
    keep(model, recommender_job.follow(sagemaker, name))
    return 0


def keep(model: Model, answer: dict[str, object]) -> None:
    """Prints what was found, and writes the answer where `make capacity` reads it."""
    for instance_type, count, per_second, milliseconds, usd in recommender_job.recommendations(answer):
        print(f"  {count} x {instance_type:<16} {per_second:8.1f} requests/s {milliseconds:8.1f} ms  USD {usd:.3f} an hour")
    file = file_of(model.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(answer, indent=1, default=str), encoding="utf-8")
    print(f'{file}: `make capacity ARGS="--model {model.name}"` considers these types, too')


def file_of(model: str) -> Path:
    return FOLDER / f"{model}.json"


def _job(place: ProjectEnvironment, model: Model, given: argparse.Namespace) -> Job:
    sagemaker, s3, names = place.client("sagemaker"), place.client("s3"), model.names(place.project)
    group = names.model_package_group
    version = registry.newest_approved(sagemaker, group) if given.version is None else registry.numbered(sagemaker, group, given.version)
    contract = version_contract.read(s3, version)
    rows = golden.read(s3, version, contract).rows
    return Job(recommender_job.name_of(names, version, time.time()), version, contract, rows, _instance_types(version, given.instance_type))


def _instance_types(version: Version, wanted: Sequence[str]) -> Sequence[str]:
    """Those that the version is registered for, since it can be deployed on no other. Raises ProblemError."""
    if not version.instance_types:
        raise ProblemError(f"version {version.number} names no instance types that serve it; train again")
    unknown = [instance_type for instance_type in wanted if instance_type not in version.instance_types]
    if unknown:
        allowed = f"{', '.join(version.instance_types)} (INSTANCE_TYPES of pipelines/tabular/registration.py)"
        raise ProblemError(f"--instance-type is {unknown[0]!r}; version {version.number} is registered for {allowed}")
    return list(dict.fromkeys(wanted)) or version.instance_types


def _plan(job: Job, prices: Prices) -> str:
    usd, unknown = recommender_job.most_usd(job.instance_types, prices)
    cost = f"at most USD {usd:.2f} for {recommender_job.LONGEST_HOURS * 60:.0f} minutes of each ({prices.source}, noted {prices.as_of})"
    more = f", and what {', '.join(unknown)} cost, of which Prices in settings.py has none" if unknown else ""
    tried = f"version {job.version.number} with {len(job.rows)} golden rows on {', '.join(job.instance_types)}"
    return f"job {job.name} tries {tried}\n{cost}{more}"


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--version", type=int, metavar="N", help="number of the version (default: the newest approved one)")
    types = "one to try, as often as needed (default: all that the version is registered for)"
    options.add_argument("--instance-type", action="append", default=[], metavar="TYPE", help=types)
    options.add_argument("--job", metavar="NAME", help="follow and read a job that was started before, and start none")
    options.add_argument("--dry-run", action="store_true", help="say what would be done and what it would cost, and start nothing")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
