"""Step 1: raw data -> checked, split, prepared parts.

Inputs: `--data` (CSV or Parquet, one file or a folder). Outputs, each a folder under `--output`:
`train` and `validation` (prepared rows), `test` (raw rows: evaluation goes the way a request goes) and
`preparation` (the fitted state, the lineage of the data and the warnings). Next: `train.py`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import baseline
import contract
import data_versions
import dataset
import failure
import features
import numpy as np
import pyarrow as pa
import split
import table as tables
import weights
from contract import Copies
from dataset import Part, Rows
from failure import BadInput
from pyarrow import parquet
from specification import Specification, load

PARTS = ("train", "validation", "test")


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
    table = tables.read(options.data)
    if options.data_version != data_versions.UNVERSIONED:
        # The step cache will remember what is read here under this version: files that were replaced meanwhile must not get in there.
        data_versions.require_unchanged(options.data_url, options.data_version)
    warnings = contract.require(table, specification)
    rows, classes = _rows(table, specification)
    buckets = _buckets(table, rows, specification)
    shares = specification.preparation["split"]
    masks = dict(zip(PARTS, split.sides(buckets, shares["validation"], shares["test"]), strict=True))
    _require_usable(rows, buckets, masks, classes)
    state, parts = _prepare(rows, masks, specification, classes)
    lineage = {
        "data_sha256": table.sha256,
        "data_url": options.data_url,
        "data_versions": options.data_version,
        "rows": {name: int(np.count_nonzero(mask)) for name, mask in masks.items()},
        "warnings": warnings,
    }
    described = baseline.statistics(rows.take(masks["train"]))
    _write(Path(options.output), table, masks["test"], state, parts, {"lineage": lineage, "statistics": described})
    for warning in warnings:
        print(f"warning: {warning}")
    counts = ", ".join(f"{name} {count}" for name, count in lineage["rows"].items())
    print(f"prepared {table.rows} rows ({counts}) as {len(state['outputs'])} columns")


def _rows(table: tables.Table, specification: Specification) -> tuple[Rows, list[str] | None]:
    """Typed columns, and the classes in the order of their index (the positive class of a binary problem last)."""
    numeric = {name: table.numbers(name) for name in specification.numeric}
    categorical = {name: table.categories(name) for name in specification.categorical}
    if specification.problem == "regression":
        return Rows(numeric, categorical, table.numbers(specification.target), table.rows), None
    answers = table.categories(specification.target)
    positive = specification.dataset["positive_class"]
    classes = sorted((str(value) for value in answers[0] if value is not None), key=lambda name: (name == positive, name))
    return Rows(numeric, categorical, dataset.class_index(answers, classes), table.rows), classes


def _buckets(table: tables.Table, rows: Rows, specification: Specification) -> split.Buckets:
    salt = specification.preparation["split"]["salt"]
    if specification.identifier:
        distinct, codes = table.categories(specification.identifier)
        return split.identifier_buckets([distinct[code] for code in codes.tolist()], salt)
    return split.content_buckets(rows.numeric, rows.categorical, salt)


def _require_usable(rows: Rows, buckets: split.Buckets, masks: dict[str, Any], classes: list[str] | None) -> None:
    counts = {name: int(np.count_nonzero(mask)) for name, mask in masks.items()}
    copies = {"": Copies(rows.count, len(np.unique(buckets)))}
    present = None
    if classes is not None:
        present = {name: [classes[int(index)] for index in np.unique(rows.target[mask])] for name, mask in masks.items()}
        of_classes = {name: buckets[rows.target == index] for index, name in enumerate(classes)}
        copies |= {name: Copies(len(of_class), len(np.unique(of_class))) for name, of_class in of_classes.items()}
    contract.require_usable_split(counts, present, copies)


def _prepare(
    rows: Rows, masks: dict[str, Any], specification: Specification, classes: list[str] | None
) -> tuple[dict[str, Any], dict[str, Part]]:
    """The fitted state, and the prepared training and validation rows."""
    preparation = specification.preparation
    train = rows.take(masks["train"])
    _require_learnable(train)
    fitted = features.fit(train.numeric, train.categorical, preparation)
    if preparation["outlier_action"] == "drop":
        train = train.take(~features.outliers(fitted, train.numeric))
        if train.count < 2:
            raise BadInput("outlier_action='drop' leaves fewer than two training rows; raise Preparation.outlier_factor in settings.py")
    weight = _weight(train, specification)
    if preparation["select_features"]:
        everything = _part(train, weight, fitted, specification)
        names = features.Preparer(fitted).outputs
        fitted["selected"] = _select(everything, names, preparation["select_features"], specification.problem)
    validation = rows.take(masks["validation"])
    # Weights make training fairer; the choice between models is made on rows as they are.
    parts = {
        "train": _part(train, weight, fitted, specification),
        "validation": _part(validation, np.ones(validation.count), fitted, specification),
    }
    state = {**fitted, "dataset": specification.dataset, "preparation": preparation, "classes": classes}
    state["outputs"] = features.Preparer(fitted).outputs
    return state, parts


def _require_learnable(train: Rows) -> None:
    for name, values in train.numeric.items():
        if np.all(np.isnan(values)):
            raise BadInput(f"column {name!r} has no value in the training rows; remove it from settings.py or give more data")


def _part(rows: Rows, weight: Any, fitted: dict[str, Any], specification: Specification) -> Part:
    numeric = features.stack(rows.numeric, specification.numeric, rows.count)
    matrix = features.Preparer(fitted).transform(numeric, [rows.categorical[name] for name in specification.categorical])
    return Part(matrix, rows.target, weight)


def _weight(rows: Rows, specification: Specification) -> Any:
    preparation = specification.preparation
    weight = np.ones(rows.count)
    if not (preparation["balance_classes"] or preparation["reweigh_facet"]):
        return weight
    if specification.problem == "regression":
        raise BadInput("Preparation.balance_classes and reweigh_facet need classes; set both to False in settings.py for a regression")
    classes = rows.target.astype(np.int64)
    if preparation["balance_classes"]:
        weight = weight * weights.balanced(classes)
    if preparation["reweigh_facet"]:
        if specification.facet is None:
            raise BadInput("Preparation.reweigh_facet needs a facet; name it in the DataSet in settings.py")
        weight = weight * weights.reweighed(classes, rows.categorical[specification.facet["column"]][1])
    return weight / weight.mean()


def _select(part: Part, names: list[str], count: int, problem: str) -> list[str]:
    """The `count` prepared columns with the most mutual information with the target, in their old order."""
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    measure = mutual_info_regression if problem == "regression" else mutual_info_classif
    information = measure(part.features, part.target, random_state=0)
    best = np.argsort(-information, kind="stable")[:count]
    return [names[index] for index in sorted(best)]


def _write(
    output: Path, table: tables.Table, is_test: Any, state: dict[str, Any], parts: dict[str, Part], evidence: dict[str, Any]
) -> None:
    about = {
        "problem": state["dataset"]["problem"],
        "metric": state["dataset"]["metric"],
        "decision_metric": state["dataset"]["decision_metric"],
        "classes": state["classes"],
        "columns": state["outputs"],
    }
    for name, part in parts.items():
        dataset.save(part, output / name, about)
    for folder in ("test", "preparation"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    parquet.write_table(table.columns.filter(pa.array(is_test)), output / "test" / "test.parquet")
    for name, document in {"preparation": state, **evidence}.items():
        (output / "preparation" / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    failure.run(main)
