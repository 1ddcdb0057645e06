"""Checks a data file against a model's contract and uploads it to the data bucket, where that model's training reads it.

    python -m build_scripts.upload_data --model abalone --example             the example of that name (abalone | arrests)
    python -m build_scripts.upload_data --model abalone measurements.parquet  your own CSV or Parquet file

The check is the one the pipeline does (pipelines/tabular/steps/parts.py), the split into training, validation and test rows included,
of this file together with those that lie at its address already: what training would refuse is not uploaded. A file of the same name
is replaced; --replace takes the place of them all. What production learned of answers lies beside them in learned/, and no upload
checks it or takes its place.
The marker _SUCCESS goes last and starts a training where the model is deployed and learns from this data; --no-trigger leaves
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

from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.follow import newest_run
from build_scripts.missing import found
from build_scripts.objects import encryption, keys
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.run_pipeline import default_values, expected, is_deployed
from build_scripts.step_modules import load
from pipelines.tabular.specification import specification_json
from settings_schema import Model

MARKER = "_SUCCESS"
#: As many files at the address are named.
SHOWN_FILES = 5
#: Data sets of scikit-lego, each described by the file of models/ that has its name.
EXAMPLES = ("abalone", "arrests")


def example_file(name: str, folder: Path) -> Path:
    """The example data as CSV, from the package scikit-lego: no download."""
    from sklego import datasets

    frame = {"abalone": datasets.load_abalone, "arrests": datasets.load_arrests}[name](as_frame=True)
    path = folder / f"{name}.csv"
    frame.to_csv(path, index=False, lineterminator="\n")
    return path


def check(path: Path, model: Model) -> tuple[int, list[str]]:
    """Number of rows and the warnings of a file alone. Raises ProblemError with everything that is wrong; uploads nothing."""
    if not path.is_file():
        raise ProblemError(f"{path} is not a file; give one .csv or .parquet file")
    if path.name.startswith((".", "_")):
        raise ProblemError(f"{path.name} begins with {path.name[0]!r}, and training leaves out such files; rename it")
    return verdict(path, model)


def check_beside(s3: Any, bucket: str, path: Path, others: Sequence[str], model: Model, prefix: str) -> list[str]:
    """The warnings of a file together with those that lie at its address, as training reads them. Raises ProblemError."""
    with tempfile.TemporaryDirectory() as folder:
        for key in others:
            there = Path(folder) / key.removeprefix(prefix)
            there.parent.mkdir(parents=True, exist_ok=True)
            with there.open("wb") as file:
                shutil.copyfileobj(s3.get_object(Bucket=bucket, Key=key)["Body"], file)
        (Path(folder) / path.name).symlink_to(path.resolve())
        try:
            return verdict(Path(folder), model)[1]
        except ProblemError as error:
            given = f"{path.name} fits alone, but training reads it together with {_names(others)}: {error}"
            raise ProblemError(f"{given}; to put it in their place, add --replace") from error


def verdict(data: Path, model: Model) -> tuple[int, list[str]]:
    """What Prepare says of a file or a folder, before it prepares anything (pipelines/tabular/steps/parts.py)."""
    with tempfile.TemporaryDirectory() as folder:
        specification = Path(folder) / "specification.json"
        specification.write_text(specification_json(model), encoding="utf-8")
        bad_input: Any = load("failure").BadInput
        try:
            table = load("table").read(data, Path(folder))
            warnings: list[str] = load("parts").require(table, load("specification").load(specification)).warnings
        except bad_input as error:
            raise ProblemError(str(error)) from error
    return int(table.rows), warnings


def upload(s3: Any, bucket: str, prefix: str, path: Path, key_arn: str | None, *, replaced: Sequence[str] = (), trigger: bool) -> str:
    """The file's address. Its SHA-256 is kept as metadata; the marker is written only after the file is there and `replaced` is gone."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    encrypted = encryption(key_arn)
    s3.put_object(Bucket=bucket, Key=f"{prefix}{path.name}", Body=content, Metadata={"sha256": digest}, **encrypted)
    for key in replaced:
        s3.delete_object(Bucket=bucket, Key=key)
    if trigger:
        s3.put_object(Bucket=bucket, Key=f"{prefix}{MARKER}", Body=digest.encode(), **encrypted)
    return f"s3://{bucket}/{prefix}{path.name}"


def other_files(s3: Any, bucket: str, prefix: str, name: str) -> list[str]:
    """Keys of the uploaded files at the address besides the one of that name: training reads them all together.

    What production learned is beside them and stays what it is: no upload checks it, and none replaces it.
    """
    is_data, is_learned = load("data_versions").is_data, load("sources").is_learned
    others = (key for key in keys(s3, bucket, prefix) if key != f"{prefix}{name}" and is_data(key))
    return [key for key in others if not is_learned(key.removeprefix(prefix))]


def _names(keys: Sequence[str]) -> str:
    names = [key.rsplit("/", 1)[-1] for key in keys]
    return ", ".join(names[:SHOWN_FILES]) + (f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else "")


def outlook(place: ProjectEnvironment, model: Model, address: str) -> tuple[str, str]:
    """What the marker starts, with its definition; or why nothing starts and what would start it: as the start_retraining function
    decides.
    """
    names = model.names(place.project)
    sagemaker, name = place.client("sagemaker"), names.training_pipeline
    by_hand = f"`python -m build_scripts.run_pipeline --model {model.name} --force` starts it"
    if not model.retraining.on_new_data:
        return f"nothing starts: Retraining.on_new_data of {model.name} is False; {by_hand}", ""
    if not is_deployed(place.client("cloudformation"), names.stack):
        return f"nothing starts: stack {names.stack}, which watches for new data, is not deployed; `npx cdk deploy --all`", ""
    pipeline = found(sagemaker.describe_pipeline, PipelineName=name)
    if pipeline is None:
        return f"nothing starts: pipeline {name} does not exist yet; the first push makes it and starts it", ""
    learns_from = default_values(pipeline["PipelineDefinition"])["InputDataUrl"]
    if not address.startswith(learns_from):
        return f"nothing starts: the deployed {name} learns from {learns_from}; a push makes it anew, and starts it", ""
    newest = newest_run(sagemaker, name)
    if newest and newest["PipelineExecutionStatus"] in ("Executing", "Stopping"):
        return f"nothing starts: a run is active, which may have begun without this file; when it has ended, {by_hand}", ""
    follows = f"`python -m build_scripts.follow --model {model.name}` shows each step"
    return f"training starts: {name}; {follows}", str(pipeline["PipelineDefinition"])


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    model = settings.model(given.model or (given.example if given.example in EXAMPLES else None))
    names, example = model.names(settings.project), model.name if given.example is True else given.example
    if example and example not in EXAMPLES:
        raise ProblemError(f"--example is {example!r}; allowed: {', '.join(EXAMPLES)}, the data sets that come with the template")
    with tempfile.TemporaryDirectory() as folder:
        path = example_file(example, Path(folder)) if example else given.file
        rows, warnings = check(path, model)
        if given.check_only:
            _print_warnings(warnings)
            print(f"{path.name}: {rows} rows fit the contract of {model.name}")
            return 0
        place, prefix = ProjectEnvironment(settings.project), names.training_data
        s3, bucket = place.client("s3"), place.data_bucket
        others = other_files(s3, bucket, prefix, path.name)
        if others and not given.replace:
            warnings = check_beside(s3, bucket, path, others, model, prefix)
        _print_warnings(warnings)
        # Before the marker: afterwards the run that it starts is itself active.
        what, starts = ("nothing starts (--no-trigger)", "") if given.no_trigger else outlook(place, model, f"s3://{bucket}/{prefix}")
        replaced = others if given.replace else []
        address = upload(s3, bucket, prefix, path, place.key_arn, replaced=replaced, trigger=not given.no_trigger)
    print(f"uploaded {rows} rows to {address}")
    if others:
        print(f"it replaces {_names(others)}" if given.replace else f"training reads it together with {_names(others)}")
    will = expected(s3, model, starts, {}, settings.prices, looks=True) if starts else None
    print(f"{what}; {will.total}" if will else what)
    return 0


def _print_warnings(warnings: Sequence[str]) -> None:
    for warning in warnings:
        print(f"warning: {warning}")


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    source = options.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", type=Path, help="a .csv or .parquet file with the columns of the model's file")
    source.add_argument("--example", nargs="?", const=True, help=f"a data set that comes with the template: {', '.join(EXAMPLES)}")
    options.add_argument("--no-trigger", action="store_true", help="upload without starting a training")
    options.add_argument("--check-only", action="store_true", help="only check the file, alone; needs no account")
    options.add_argument("--replace", action="store_true", help="take the place of every file at the address, not of one of the same name")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
