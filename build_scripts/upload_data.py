"""Checks a data file against settings.DATASET and uploads it to the data bucket, where training reads it.

    python -m build_scripts.upload_data --example abalone     the example that settings.py is about (abalone | arrests)
    python -m build_scripts.upload_data measurements.parquet  your own CSV or Parquet file

The check is the one the pipeline does (pipelines/tabular/steps/parts.py), the split into training, validation and test rows included,
of this file together with those that lie at its address already: what training would refuse is not uploaded. A file of the same name
is replaced; --replace takes the place of them all.
The marker _SUCCESS goes last and starts a training where the project is deployed and learns from this data; --no-trigger leaves
it out. What starts, or why nothing does, is the last line. Next: run_pipeline.py.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
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
from settings import ABALONE, ARRESTS, DATASET, PREPARATION, PROJECT, DataSet

MARKER = "_SUCCESS"
#: The stack with the rule that the marker wakes (infra/model_build/retraining.py).
TRIGGER_STACK = f"{PROJECT.name}-model-build"
#: As many files at the address are named.
SHOWN_FILES = 5
EXAMPLES = {"abalone": ABALONE, "arrests": ARRESTS}


def example_file(name: str, folder: Path) -> Path:
    """The example data as CSV, from the package scikit-lego: no download."""
    from sklego import datasets

    frame = {"abalone": datasets.load_abalone, "arrests": datasets.load_arrests}[name](as_frame=True)
    path = folder / f"{name}.csv"
    frame.to_csv(path, index=False, lineterminator="\n")
    return path


def check(path: Path, dataset: DataSet) -> tuple[int, list[str]]:
    """Number of rows and the warnings of a file alone. Raises ProblemError with everything that is wrong; uploads nothing."""
    if not path.is_file():
        raise ProblemError(f"{path} is not a file; give one .csv or .parquet file")
    if path.name.startswith((".", "_")):
        raise ProblemError(f"{path.name} begins with {path.name[0]!r}, and training leaves out such files; rename it")
    return _verdict(path, dataset)


def check_beside(s3: Any, bucket: str, path: Path, others: Sequence[str], dataset: DataSet) -> list[str]:
    """The warnings of a file together with those that lie at its address, as training reads them. Raises ProblemError."""
    with tempfile.TemporaryDirectory() as folder:
        for key in others:
            there = Path(folder) / key.removeprefix(_prefix(dataset))
            there.parent.mkdir(parents=True, exist_ok=True)
            with there.open("wb") as file:
                shutil.copyfileobj(s3.get_object(Bucket=bucket, Key=key)["Body"], file)
        (Path(folder) / path.name).symlink_to(path.resolve())
        try:
            return _verdict(Path(folder), dataset)[1]
        except ProblemError as error:
            given = f"{path.name} fits alone, but training reads it together with {_names(others)}: {error}"
            raise ProblemError(f"{given}; to put it in their place, add --replace") from error


def _verdict(data: Path, dataset: DataSet) -> tuple[int, list[str]]:
    """What Prepare says of a file or a folder, before it prepares anything (pipelines/tabular/steps/parts.py)."""
    with tempfile.TemporaryDirectory() as folder:
        specification = Path(folder) / "specification.json"
        specification.write_text(specification_json(dataset, PREPARATION), encoding="utf-8")
        bad_input: Any = load("failure").BadInput
        try:
            table = load("table").read(data)
            warnings: list[str] = load("parts").require(table, load("specification").load(specification)).warnings
        except bad_input as error:
            raise ProblemError(str(error)) from error
    return int(table.rows), warnings


def upload(s3: Any, bucket: str, dataset: DataSet, path: Path, key_arn: str | None, *, replaced: Sequence[str] = (), trigger: bool) -> str:
    """The file's address. Its SHA-256 is kept as metadata; the marker is written only after the file is there and `replaced` is gone."""
    prefix = _prefix(dataset)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn} if key_arn else {}
    s3.put_object(Bucket=bucket, Key=f"{prefix}{path.name}", Body=content, Metadata={"sha256": digest}, **encryption)
    for key in replaced:
        s3.delete_object(Bucket=bucket, Key=key)
    if trigger:
        s3.put_object(Bucket=bucket, Key=f"{prefix}{MARKER}", Body=digest.encode(), **encryption)
    return f"s3://{bucket}/{prefix}{path.name}"


def other_files(s3: Any, bucket: str, dataset: DataSet, name: str) -> list[str]:
    """Keys of the files at the address besides the one of that name: training reads them all together."""
    prefix = _prefix(dataset)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return [key for key in keys if key != f"{prefix}{name}" and not key.endswith("/") and key.rsplit("/", 1)[-1][0] not in "._"]


def _prefix(dataset: DataSet) -> str:
    return f"training/{dataset.name}/"


def _names(keys: Sequence[str]) -> str:
    names = [key.rsplit("/", 1)[-1] for key in keys]
    return ", ".join(names[:SHOWN_FILES]) + (f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else "")


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
        if given.check_only:
            _print_warnings(warnings)
            print(f"{path.name}: {rows} rows fit the contract of {dataset.name}")
            return 0
        project = ProjectEnvironment()
        s3 = project.client("s3")
        others = other_files(s3, project.data_bucket, dataset, path.name)
        if others and not given.replace:
            warnings = check_beside(s3, project.data_bucket, path, others, dataset)
        _print_warnings(warnings)
        # Before the marker: afterwards the run that it starts is itself active.
        expected = (
            "nothing starts (--no-trigger)" if given.no_trigger else outlook(project, f"s3://{project.data_bucket}/{_prefix(dataset)}")
        )
        replaced = others if given.replace else []
        address = upload(s3, project.data_bucket, dataset, path, project.key_arn, replaced=replaced, trigger=not given.no_trigger)
    print(f"uploaded {rows} rows to {address}")
    if others:
        print(f"it replaces {_names(others)}" if given.replace else f"training reads it together with {_names(others)}")
    print(expected)
    return 0


def _print_warnings(warnings: Sequence[str]) -> None:
    for warning in warnings:
        print(f"warning: {warning}")


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    source = options.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", type=Path, help="a .csv or .parquet file with the columns of settings.DATASET")
    source.add_argument("--example", choices=sorted(EXAMPLES), help="one of the two data sets that come with the template")
    options.add_argument("--no-trigger", action="store_true", help="upload without starting a training")
    options.add_argument("--check-only", action="store_true", help="only check the file, alone; needs no account")
    options.add_argument("--replace", action="store_true", help="take the place of every file at the address, not of one of the same name")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
