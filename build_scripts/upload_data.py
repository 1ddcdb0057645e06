"""Checks a data file against settings.DATASET and uploads it to the data bucket, where training reads it.

    python -m build_scripts.upload_data --example abalone     the example that settings.py is about (abalone | arrests)
    python -m build_scripts.upload_data measurements.parquet  your own CSV or Parquet file

The check is the one the pipeline does (pipelines/tabular/steps/contract.py): a file that breaks it is not uploaded.
The marker _SUCCESS goes last and starts a training; --no-trigger leaves it out. Next: run_pipeline.py.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError, parser, run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.step_modules import load
from pipelines.tabular.specification import specification_json
from settings import ABALONE, ARRESTS, DATASET, DataSet

MARKER = "_SUCCESS"
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
        address = upload(s3, project.data_bucket, dataset, path, project.key_arn, trigger=not given.no_trigger)
    print(f"uploaded {rows} rows to {address}")
    others = _other_files(s3, project.data_bucket, dataset, path.name)
    if others:
        print(f"training reads it together with {', '.join(others)}")
    print("training was not asked for (--no-trigger)" if given.no_trigger else "training starts, unless a run is active")
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
