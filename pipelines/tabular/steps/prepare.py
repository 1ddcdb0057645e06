"""Step 1: raw data -> checked, split, prepared parts.

Inputs: `--data` (CSV or Parquet, one file or a folder, in which there may be what production learned: sources.py); what is refused:
`parts.py`. Outputs, each a folder under `--output`:
`train` and `validation` (prepared rows), `test` (raw rows: evaluation goes the way a request goes) and
`preparation` (the fitted state, the lineage of the data and the warnings). Next: `train.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import as_recorded
import baseline
import data_versions
import failure
import features
import numpy as np
import objectives
import parts
import prepared_rows
import processing_hosts
import sides
import sources
import table as tables
from dataset import Rows
from failure import BadInput
from fitting import Fitted
from parts import Parts
from sides import Mask
from specification import Specification, load
from table import Table
from target_statistics import Answers


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", default="/opt/ml/processing/input/data", help="a .csv or .parquet file, or a folder of them")
    arguments.add_argument("--data-url", default="", help="where the data came from (s3://...), for the lineage")
    arguments.add_argument("--data-version", default=data_versions.UNVERSIONED, help="what the data was when the run started")
    arguments.add_argument("--cache-key", default="shared", help="only keeps runs apart that must not share what they have in common")
    arguments.add_argument("--output", default="/opt/ml/processing/output", help="folder for the outputs")
    arguments.add_argument("--specification", help="specification.json; default: the one beside this script")
    return arguments


def main(argv: list[str]) -> None:
    """Prepares the data. Raises BadInput; then nothing is written."""
    processing_hosts.require_one()
    run(argv, OneMachine())


class Engine(Protocol):
    """What reads a table, fits on its training rows and writes them: this process, or a cluster (spark_engine.py), to the same bytes."""

    def read(self, path: Path, scratch: Path, specification: Specification) -> Table: ...
    def fit(self, rows: Rows, is_training: Mask, specification: Specification, by_target: Mapping[str, Answers]) -> Fitted: ...
    def write(
        self, cut: Parts, state: dict[str, Any], specification: Specification, output: Path, about: dict[str, Any], table: Table
    ) -> None: ...


class OneMachine:
    def read(self, path: Path, scratch: Path, specification: Specification) -> Table:
        return tables.read(path, scratch)

    def fit(self, rows: Rows, is_training: Mask, specification: Specification, by_target: Mapping[str, Answers]) -> Fitted:
        return parts.fit_here(rows, is_training, specification, by_target)

    def write(
        self, cut: Parts, state: dict[str, Any], specification: Specification, output: Path, about: dict[str, Any], table: Table
    ) -> None:
        prepared_rows.write(cut, state, specification, output, about, table)


def run(argv: list[str], engine: Engine) -> None:
    options = parser().parse_args(argv)
    specification = load(options.specification)
    if options.data_version != data_versions.UNVERSIONED:
        as_recorded.require(options.data_url, options.data_version, Path(options.data))
    output = Path(options.output)
    with _room(output), tempfile.TemporaryDirectory(prefix=".columns-", dir=_existing(output)) as scratch:
        table = engine.read(Path(options.data), Path(scratch), specification)
        cut = parts.require(table, specification, options.data, engine.fit)
        state = _state(cut, specification)
        lineage = {
            "data_sha256": sources.together(table.sha256, cut.learned_sha256),
            "data_url": options.data_url,
            "data_versions": options.data_version,
            "rows": {name: int(np.count_nonzero(mask)) for name, mask in cut.masks.items()},
            "sources": cut.sources,
            "split": cut.placing.facts,
            "quantiles": "exact",  # at any size (docs/decisions/0170-what-is-fitted-is-exact.md)
            "warnings": cut.warnings,
            "looked_at": cut.looked_at,
        }
        described = baseline.statistics(cut.fitted.statistics, lineage["rows"]["train"])
        with _all_or_nothing(output):
            engine.write(cut, state, specification, output, _about(state), table)
            _write(output / "preparation", {"preparation": state, "lineage": lineage, "statistics": described})
    for warning in cut.warnings:
        print(f"warning: {warning}")
    counts = ", ".join(f"{name} {count}" for name, count in lineage["rows"].items())
    where_from = f", {cut.sources['learned']} of them from answers" if "learned" in cut.sources else ""
    print(f"prepared {sum(lineage['rows'].values())} rows{where_from} ({counts}) as {len(state['outputs'])} columns")


def _existing(folder: Path) -> Path:
    """The folder, or the one above it that is there: on the volume that the outputs are written to."""
    return folder if folder.is_dir() else _existing(folder.absolute().parent)


@contextlib.contextmanager
def _room(output: Path) -> Iterator[None]:
    """Whatever finds the disk full says what to do. Some kinds of table take more than is foreseen (large_files.py)."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        given = f"the disk is full, which has {shutil.disk_usage(_existing(output)).total / 2**30:.1f} GiB"
        remedy = "give the job a larger volume (VOLUME_GIB in pipelines/tabular/jobs.py), or give fewer rows or columns"
        raise BadInput(f"{given}; {remedy}") from None


@contextlib.contextmanager
def _all_or_nothing(output: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for name in (*sides.PARTS, "preparation"):
            shutil.rmtree(output / name, ignore_errors=True)
        raise


def _state(cut: Parts, specification: Specification) -> dict[str, Any]:
    """What serving applies, and the contract that it was fitted under."""
    fitted, preparation = dict(cut.fitted.state), specification.preparation
    if preparation["select_features"]:
        fitted["selected"] = prepared_rows.select(cut, specification, preparation["select_features"])
    contract = {"model": specification.model, "dataset": specification.dataset, "preparation": preparation, "classes": cut.classes}
    placing = cut.placing
    told = {"split_by": placing.split_by} | ({} if placing.ends is None else {"split_ends": asdict(placing.ends)})
    return {**fitted, **contract, **told, "outputs": features.Preparer(fitted).outputs}


def _about(state: dict[str, Any]) -> dict[str, Any]:
    return {
        "problem": state["dataset"]["problem"],
        "metric": state["dataset"]["metric"],
        "decision_metric": state["dataset"]["decision_metric"],
        "classes": state["classes"],
        "columns": state["outputs"],
        **objectives.aims(state["dataset"], state["outputs"]),
    }


def _write(folder: Path, documents: dict[str, dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    failure.run(main)
