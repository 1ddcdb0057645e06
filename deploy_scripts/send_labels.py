"""Sends what turned out to be true about answers, and what people said of them, to where the watch of a model looks for it.

    python -m deploy_scripts.send_labels labels.csv --model abalone
    python -m deploy_scripts.send_labels labels.csv --model abalone --environment staging --profile their-account

A CSV file with the columns inference_id and truth; where needed row (of a request with several, from 1), reason (feedback) and observed_at
(ISO 8601). The whole file is checked first, by what the newest approved version answers; nothing is uploaded unless every row is right.
An environment in another account takes files with credentials of that account (`--profile`). docs/monitoring.md, "Labels and feedback".
Out: one object below labels/<model>/ of the environment's bucket. Next: pipelines/monitoring/steps/labels.py.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from build_scripts import version_contract
from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.objects import content, keys
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import newest_approved
from build_scripts.step_modules import load
from deploy_scripts.environment_place import EnvironmentPlace, Role
from settings_schema import ServingNames

#: As many problems of a file, or ids, are named.
SHOWN = 10
#: Files of answered rows that ids are looked for in, the newest first.
MOST_ANSWERED_FILES = 200
_HASH_LENGTH = 12


def check(path: Path, classes: Sequence[str] | None, now: datetime) -> Any:
    """The `labels.Labels` of one file. Raises ProblemError with everything that is wrong, by line."""
    if not path.is_file() or path.suffix.lower() != ".csv":
        raise ProblemError(f"{path} is not a .csv file; give one with the columns inference_id and truth")
    found = load("labels", "monitoring").Labels()
    found.add(path, classes, now)
    if found.problems:
        more = f"; and {found.left_out - SHOWN} more" if found.left_out > SHOWN else ""
        raise ProblemError(f"{path.name}: {'; '.join(found.problems[:SHOWN])}{more}; nothing was sent")
    return found


def sent_before(s3: Any, bucket: str, prefix: str, digest: str) -> str | None:
    """The key of the file that was sent last, if it has the same bytes: an older one may have been corrected since."""
    last = max(keys(s3, bucket, prefix), default="")
    return last if last.endswith(f"-{digest}.csv") else None


def not_answered(s3: Any, bucket: str, prefix: str, known: Any) -> tuple[int, list[str]] | None:
    """How many ids no answered row of a judged window has, and the first of them; None where nothing has been judged yet.

    A window is judged after its end, so answers since then are not known here.
    """
    answered = load("answered", "monitoring")
    files = sorted((key for key in keys(s3, bucket, prefix) if "/answered/" in key and key.endswith(".parquet")), reverse=True)
    for key in files[:MOST_ANSWERED_FILES]:
        packed = content(s3, f"s3://{bucket}/{key}")
        if packed is not None:
            table = answered.read(packed, ["inference_id", "row"])
            known.meet(zip(table["inference_id"].to_pylist(), table["row"].to_pylist(), strict=True))
        if not known.unmet(0)[0]:
            break
    return known.unmet(SHOWN) if files else None


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    model = settings.model(given.model)
    environment = settings.environment(given.environment) if given.environment else settings.production
    project = ProjectEnvironment(settings.project)
    names = model.names(settings.project).at(environment.name)
    now = datetime.now(UTC)
    version = newest_approved(project.client("sagemaker"), names.of_model.model_package_group)
    contract = version_contract.read(project.client("s3"), version)
    found = check(given.file, contract.classes or None, now)
    place = EnvironmentPlace(project, environment, Role.LOOKUP)
    s3 = _client(place, given.profile)
    sent = given.file.read_bytes()
    digest = hashlib.sha256(sent).hexdigest()[:_HASH_LENGTH]
    before = sent_before(s3, place.bucket, names.labels, digest)
    if before:
        print(f"sent already: s3://{place.bucket}/{before}")
        return 0
    key = f"{names.labels}{now:%Y-%m-%dT%H%M%SZ}-{digest}.csv"
    s3.put_object(Bucket=place.bucket, Key=key, Body=sent, ContentType="text/csv")
    print(f"sent {_described(found)} to s3://{place.bucket}/{key}")
    _say_unknown(s3, place.bucket, names, found)
    return 0


def _client(place: EnvironmentPlace, profile: str | None) -> Any:
    if profile:
        return boto3.Session(profile_name=profile, region_name=place.region).client("s3")
    account, _ = place.where
    if account is not None:
        where = f"environment {place.environment.name} lives in {account}"
        raise ProblemError(f"{where}; labels go there with credentials of that account: add --profile NAME")
    return place.client("s3")


def _described(found: Any) -> str:
    doubled = f", {found.repeated} rows that say it twice" if found.repeated else ""
    return f"{found.known.truths} truths and {found.known.reasons} reasons{doubled}"


def _say_unknown(s3: Any, bucket: str, names: ServingNames, found: Any) -> None:
    unknown = not_answered(s3, bucket, f"{names.monitoring}windows/", found.known)
    if unknown is None:
        print("whether these ids were answered is not known yet: no window of this model has been judged")
        return
    count, named = unknown
    if count:
        more = f" and {count - SHOWN} more" if count > SHOWN else ""
        print(f"warning: no judged window has {', '.join(named)}{more}: answered since the last run of the watch, or never")
    else:
        print("every id was answered")


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    options.add_argument("file", type=Path, help="a .csv file of labels")
    add_model_option(options)
    options.add_argument("--environment", help="where the answers were given (default: the last environment, which serves)")
    options.add_argument("--profile", metavar="NAME", help="credentials of the environment's account, where it is another one")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
