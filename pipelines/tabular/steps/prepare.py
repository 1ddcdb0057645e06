"""Step 1: raw data -> checked, split, prepared parts.

Inputs: `--data` (CSV or Parquet, one file or a folder, in which there may be what production learned: sources.py); what is refused:
`parts.py`. Outputs, each a folder under `--output`:
`train` and `validation` (prepared rows), `test` (raw rows: evaluation goes the way a request goes) and
`preparation` (the fitted state, the lineage of the data and the warnings). Next: `train.py`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import as_recorded
import baseline
import data_versions
import dataset
import failure
import features
import numpy as np
import parts
import pyarrow as pa
import sources
import table as tables
from dataset import Part, Rows
from parts import Parts
from pyarrow import parquet
from specification import Specification, load


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
    options = parser().parse_args(argv)
    specification = load(options.specification)
    if options.data_version != data_versions.UNVERSIONED:
        as_recorded.require(options.data_url, options.data_version, Path(options.data))
    table = tables.read(options.data)
    cut = parts.require(table, specification, options.data)
    state, prepared = _prepare(cut, specification)
    lineage = {
        "data_sha256": sources.together(table.sha256, cut.learned_sha256),
        "data_url": options.data_url,
        "data_versions": options.data_version,
        "rows": {name: int(np.count_nonzero(mask)) for name, mask in cut.masks.items()},
        "sources": cut.sources,
        "warnings": cut.warnings,
    }
    described = baseline.statistics(cut.rows.take(cut.masks["train"]))
    _write(Path(options.output), table, cut.masks["test"][: table.rows], state, prepared, {"lineage": lineage, "statistics": described})
    for warning in cut.warnings:
        print(f"warning: {warning}")
    counts = ", ".join(f"{name} {count}" for name, count in lineage["rows"].items())
    where_from = f", {cut.sources['learned']} of them from answers" if "learned" in cut.sources else ""
    print(f"prepared {sum(lineage['rows'].values())} rows{where_from} ({counts}) as {len(state['outputs'])} columns")


def _prepare(cut: Parts, specification: Specification) -> tuple[dict[str, Any], dict[str, Part]]:
    """The fitted state, and the prepared training and validation rows."""
    fitted, preparation = dict(cut.fitted), specification.preparation
    if preparation["select_features"]:
        everything = _part(cut.train, cut.weight, fitted, specification)
        names = features.Preparer(fitted).outputs
        fitted["selected"] = _select(everything, names, preparation["select_features"], specification.problem)
    validation = cut.rows.take(cut.masks["validation"])
    # Weights make training fairer; the choice between models is made on rows as they are.
    prepared = {
        "train": _part(cut.train, cut.weight, fitted, specification),
        "validation": _part(validation, np.ones(validation.count), fitted, specification),
    }
    contract = {"model": specification.model, "dataset": specification.dataset, "preparation": preparation, "classes": cut.classes}
    state = {**fitted, **contract, "split_by": cut.split_by}
    state["outputs"] = features.Preparer(fitted).outputs
    return state, prepared


def _part(rows: Rows, weight: Any, fitted: dict[str, Any], specification: Specification) -> Part:
    numeric = features.stack(rows.numeric, specification.numeric, rows.count)
    matrix = features.Preparer(fitted).transform(numeric, [rows.categorical[name] for name in specification.categorical])
    return Part(matrix, rows.target, weight)


def _select(part: Part, names: list[str], count: int, problem: str) -> list[str]:
    """The `count` prepared columns with the most mutual information with the target, in their old order."""
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    measure = mutual_info_regression if problem == "regression" else mutual_info_classif
    information = measure(part.features, part.target, random_state=0)
    best = np.argsort(-information, kind="stable")[:count]
    return [names[index] for index in sorted(best)]


def _write(
    output: Path, table: tables.Table, is_test: Any, state: dict[str, Any], prepared: dict[str, Part], evidence: dict[str, Any]
) -> None:
    about = {
        "problem": state["dataset"]["problem"],
        "metric": state["dataset"]["metric"],
        "decision_metric": state["dataset"]["decision_metric"],
        "classes": state["classes"],
        "columns": state["outputs"],
    }
    for name, part in prepared.items():
        dataset.save(part, output / name, about)
    for folder in ("test", "preparation"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    parquet.write_table(table.columns.filter(pa.array(is_test)), output / "test" / "test.parquet")
    for name, document in {"preparation": state, **evidence}.items():
        (output / "preparation" / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    failure.run(main)
