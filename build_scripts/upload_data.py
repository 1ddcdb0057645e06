"""Checks a data file against settings.DATASET and uploads it to the data bucket, where training reads it.

    python -m build_scripts.upload_data --example abalone     the example that settings.py is about (abalone | arrests)
    python -m build_scripts.upload_data measurements.parquet  your own CSV or Parquet file

The check is the one the pipeline does (pipelines/tabular/steps/contract.py): a file that breaks it is not uploaded.
The marker _SUCCESS goes last and starts a training where the project is deployed and learns from this data; --no-trigger leaves
it out. What starts, or why nothing does, is the last line. Next: run_pipeline.py.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, parser, run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.run_pipeline import default_values
from build_scripts.step_modules import load
from pipelines.tabular.specification import specification_json
from settings import ABALONE, ARRESTS, DATASET, PROJECT, DataSet

MARKER = "_SUCCESS"
#: The stack with the rule that the marker wakes (infra/model_build/retraining.py).
TRIGGER_STACK = f"{PROJECT.name}-model-build"
EXAMPLES = {"abalone": ABALONE, "arrests": ARRESTS}


def example_file(name: str, folder: Path) -> Path:
    """The example data as CSV, from the package scikit-lego: no download."""
    from sklego import datasets

    frame = {"abalone": datasets.load_abalone, "arrests": datasets.load_arrests}[name](as_frame=True)
    path = folder / f"{name}.csv"
    frame.to_csv(path, index=False, lineterminator="\n")
    return path


def check(path: Path, dataset: DataSet) -> tuple[int, list[str]]:
    """Number of rows and the warnings. Raises ProblemError with everything that is wrong; uploads nothing."""
    if not path.is_file():
        raise ProblemError(f"{path} is not a file; give one .csv or .parquet file")
    if path.name.startswith((".", "_")):
        raise ProblemError(f"{path.name} begins with {path.name[0]!r}, and training leaves out such files; rename it")
    with tempfile.TemporaryDirectory() as folder:
        specification = Path(folder) / "specification.json"
        specification.write_text(specification_json(dataset), encoding="utf-8")
        bad_input: Any = load("failure").BadInput
        try:
            table = load("table").read(path)
            warnings: list[str] = load("contract").require(table, load("specification").load(specification))
        except bad_input as error:
            raise ProblemError(str(error)) from error
    return int(table.rows), warnings


def upload(s3: Any, bucket: str, dataset: DataSet, path: Path, key_arn: str | None, *, trigger: bool) -> str:
    """The file's address. Its SHA-256 is kept as metadata; the marker is written only after the file is there."""
    prefix = f"training/{dataset.name}"
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn} if key_arn else {}
    s3.put_object(Bucket=bucket, Key=f"{prefix}/{path.name}", Body=content, Metadata={"sha256": digest}, **encryption)
    if trigger:
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{MARKER}", Body=digest.encode(), **encryption)
    return f"s3://{bucket}/{prefix}/{path.name}"


def _other_files(s3: Any, bucket: str, dataset: DataSet, name: str) -> list[str]:
    """Data files of the prefix besides the one uploaded: training reads them all together."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"training/{dataset.name}/")
    names = [item["Key"].rsplit("/", 1)[-1] for page in pages for item in page.get("Contents", [])]
    return [other for other in names if other != name and not other.startswith("_")]


def outlook(project: ProjectEnvironment, address: str) -> str:
    """What the marker starts, or why nothing starts and what would start it: as start_retraining/handler.py decides."""
    sagemaker, name = project.client("sagemaker"), project.pipeline_name
    try:
        pipeline = sagemaker.describe_pipeline(PipelineName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ResourceNotFound", "ValidationException"):
            raise
        return f"nothing starts: pipeline {name} does not exist yet; the first push makes it and starts it"
    learns_from = default_values(pipeline["PipelineDefinition"])["InputDataUrl"]
    if not address.startswith(learns_from):
        return f"nothing starts: the deployed {name} learns from {learns_from}; push the DATASET of settings.py, which starts it"
    by_hand = "`python -m build_scripts.run_pipeline --force` starts it"
    if not _exists(project.client("cloudformation"), TRIGGER_STACK):
        return f"nothing starts: stack {TRIGGER_STACK}, which watches for new data, is not deployed; {by_hand}"
    newest = sagemaker.list_pipeline_executions(PipelineName=name, SortBy="CreationTime", SortOrder="Descending", MaxResults=1)
    if any(execution["PipelineExecutionStatus"] in ("Executing", "Stopping") for execution in newest["PipelineExecutionSummaries"]):
        return f"nothing starts: a run is active, which may have begun without this file; when it has ended, {by_hand}"
    return f"training starts: {name}; `python -m build_scripts.follow` shows each step"


def _exists(cloudformation: Any, stack: str) -> bool:
    try:
        cloudformation.describe_stacks(StackName=stack)
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return False
    return True


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    dataset = EXAMPLES[given.example] if given.example else DATASET
    if given.example and dataset.name != DATASET.name:
        raise ProblemError(
            f"--example is {given.example!r}, but settings.py trains on {DATASET.name!r}; set DATASET = {given.example.upper()} first"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = example_file(given.example, Path(folder)) if given.example else given.file
        rows, warnings = check(path, dataset)
        for warning in warnings:
            print(f"warning: {warning}")
        if given.check_only:
            print(f"{path.name}: {rows} rows fit the contract of {dataset.name}")
            return 0
        project = ProjectEnvironment()
        s3 = project.client("s3")
        # Before the marker: afterwards the run that it starts is itself active.
        prefix = f"s3://{project.data_bucket}/training/{dataset.name}/"
        expected = "nothing starts (--no-trigger)" if given.no_trigger else outlook(project, prefix)
        address = upload(s3, project.data_bucket, dataset, path, project.key_arn, trigger=not given.no_trigger)
    print(f"uploaded {rows} rows to {address}")
    others = _other_files(s3, project.data_bucket, dataset, path.name)
    if others:
        print(f"training reads it together with {', '.join(others)}")
    print(expected)
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    source = options.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", type=Path, help="a .csv or .parquet file with the columns of settings.DATASET")
    source.add_argument("--example", choices=sorted(EXAMPLES), help="one of the two data sets that come with the template")
    options.add_argument("--no-trigger", action="store_true", help="upload without starting a training")
    options.add_argument("--check-only", action="store_true", help="only check the file; needs no account")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
