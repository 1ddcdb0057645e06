"""Scores a file with a registered version: uploads it, runs the batch pipeline, brings the answers back.

    python -m build_scripts.score_file --model abalone shells.csv         the newest approved version; writes shells.scored.csv
    python -m build_scripts.score_file --model abalone shells.parquet --version 3 --output scored.csv
    python -m build_scripts.score_file --model abalone s3://bucket/rows/  rows that are in S3 already; says where the answers are

A file has a header and every feature that the version takes, in any order; further columns come back as they were. Its cells are
checked against the version's own contract before anything runs. Rows in S3 have no header, and the features in the version's order;
the version refuses what it does not allow, and the job fails. Next: pipelines/batch/pipeline.py.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build_scripts import batch_rows, version_contract
from build_scripts.command_line import ProblemError, VerdictError, add_model_option, parser, read_settings, run
from build_scripts.define_pipeline import quiet
from build_scripts.follow import follow
from build_scripts.objects import bucket_and_key, content, encryption
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, newest_approved, numbered
from build_scripts.run_pipeline import start, upsert
from build_scripts.version_contract import Contract
from settings_schema import ModelNames

_HASH_LENGTH = 12  # enough to keep inputs apart


@dataclass(frozen=True)
class Places:
    """Addresses of one run: the same rows and version have the same ones, so a repetition replaces its own answers."""

    source: str
    destination: str


def require_objects(s3: Any, address: str) -> None:
    """Raises ProblemError if nothing is there: an instance need not start to find that out."""
    bucket, prefix = bucket_and_key(address)
    if not s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents"):
        raise ProblemError(f"{address} has no objects; upload CSV rows without header, or give a file of this machine")


def places(place: ProjectEnvironment, names: ModelNames, version: Version, name: str, content: bytes) -> Places:
    digest = hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]
    return Places(
        source=f"s3://{place.data_bucket}/{names.batch_input}{digest}/{name}",
        destination=f"s3://{place.data_bucket}/{names.predictions}version-{version.number}/{digest}",
    )


def define(place: ProjectEnvironment, names: ModelNames) -> str:
    """The batch pipeline's JSON. Imports the SageMaker SDK, which takes seconds."""
    with quiet():
        from pipelines.batch.pipeline import get_pipeline

        return str(get_pipeline(names, place).definition())


def score(place: ProjectEnvironment, names: ModelNames, version: Version, where: Places) -> None:
    """Run the batch pipeline to its end. Raises VerdictError with the job's reason if it fails."""
    sagemaker, pipeline = place.client("sagemaker"), names.batch_pipeline
    state = upsert(sagemaker, pipeline, define(place, names), place.role_arn(names.pipeline_role), place.tags(names))
    print(f"pipeline {pipeline}: {state}")
    parameters = {"ModelPackageArn": version.arn, "InputDataUrl": where.source, "OutputDataUrl": where.destination}
    arn = start(sagemaker, pipeline, parameters, "unknown")
    print(f"started {arn}", flush=True)
    follow(sagemaker, arn)


def score_local(place: ProjectEnvironment, names: ModelNames, version: Version, contract: Contract, file: Path, output: Path) -> int:
    """Number of rows. `output` is written only if every row has its answer."""
    s3, table = place.client("s3"), batch_rows.read(file, contract)
    sent = batch_rows.request(table, contract)
    where = places(place, names, version, f"{file.stem}.csv", sent)
    bucket, key = bucket_and_key(where.source)
    s3.put_object(Bucket=bucket, Key=key, Body=sent, **encryption(place.key_arn))
    print(f"uploaded {table.rows} rows to {where.source}")
    score(place, names, version, where)
    received = content(s3, f"{where.destination}/{file.stem}.csv.out")
    if received is None:
        raise VerdictError(f"the job succeeded, but {where.destination}/{file.stem}.csv.out does not exist")
    batch_rows.write(output, table, batch_rows.answers(sent, received), contract)
    print(f"in S3: {where.destination}/{file.stem}.csv.out")
    return int(table.rows)


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    in_s3 = given.file.startswith("s3://")
    if in_s3 and given.output:
        raise ProblemError("--output is for a file of this machine; the answers for rows in S3 stay in S3")
    settings = read_settings()
    place, names = ProjectEnvironment(settings.project), settings.model(given.model).names(settings.project)
    sagemaker, group = place.client("sagemaker"), names.model_package_group
    version = newest_approved(sagemaker, group) if given.version is None else numbered(sagemaker, group, given.version)
    contract = version_contract.read(place.client("s3"), version)
    print(f"version {version.number} of {names.model_package_group} ({version.approval})")
    if in_s3:
        require_objects(place.client("s3"), given.file)
        where = Places(given.file, places(place, names, version, "", given.file.encode()).destination)
        score(place, names, version, where)
        print(f"answers: {where.destination}/, one .out for each file, each line with its prediction at the end")
        return 0
    file = Path(given.file)
    output = given.output or file.with_name(f"{file.stem}.scored.csv")
    if not output.parent.is_dir():
        raise ProblemError(f"--output is {str(output)!r}, whose folder does not exist; make it first")
    rows = score_local(place, names, version, contract, file, output)
    print(f"scored {rows} rows: {output}")
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    options.add_argument("file", help="a .csv or .parquet file of this machine, or s3://bucket/prefix with CSV rows")
    add_model_option(options)
    options.add_argument("--version", type=int, metavar="N", help="number of the version (default: the newest approved one)")
    options.add_argument("--output", type=Path, metavar="FILE", help="where the scored CSV goes (default: <file>.scored.csv beside it)")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
