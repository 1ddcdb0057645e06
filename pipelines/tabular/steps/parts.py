"""Which rows train, validate and test, and what is fitted on the training rows; or why a table cannot be learned from.

Input: a `Table` and the specification. Output: `Parts`, or BadInput. Everything that Prepare refuses is refused here, before anything
is prepared or written: so the check at upload (build_scripts/upload_data.py) calls this too, and its verdict is the pipeline's. What
production learned (learned_rows.py) is added to the training and validation rows, and refuses nothing. Next: `prepare.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contract
import dataset
import fitting
import identifiers
import learned_rows
import learned_split
import numpy as np
import row_words
import split
import weights
from allowed import declared_of
from contract import Copies
from dataset import Rows
from failure import BadInput
from features import Floats
from fitting import Fitted
from numpy.typing import NDArray
from on_demand import OnDemand
from specification import Specification
from table import Table

PARTS = ("train", "validation", "test")
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Parts:
    """All rows and the mask of each part; which rows are learned from with their weights, and what is fitted on the training rows.

    `classes` in the order of their index (the positive class of a binary problem last), None for a regression.
    `split_by`: what tells two rows apart to the split: identifier, features, or copy (`split.spread`). `sources`: how many rows were
    uploaded; with learned ones, how many of those train or validate, and how many their place keeps out.
    `learned_from`: mask of the training rows without outliers, where those are dropped. `weights`: of these rows, and of the validation
    rows for when they are learned from (refit.py): 0 for an outlier that would be dropped.
    """

    rows: Rows
    classes: list[str] | None
    split_by: str
    masks: Mapping[str, Mask]
    learned_from: Mask
    fitted: Fitted
    weights: Mapping[str, Floats]
    warnings: list[str]
    sources: Mapping[str, int]
    learned_sha256: str = ""


def require(table: Table, specification: Specification, data: str | Path | None = None) -> Parts:
    """The parts of a table that keeps the contract. Raises BadInput with everything that is wrong.

    `data`: the folder that may hold rows which production learned; None for none.
    """
    warnings = contract.require(table, specification)
    rows, classes = _rows(table, specification)
    buckets, split_by = _buckets(table, rows, specification)
    shares = specification.preparation["split"]
    masks = dict(zip(PARTS, split.sides(buckets, shares["validation"], shares["test"]), strict=True))
    _require_usable(rows, buckets, masks, classes)
    sources, digest = {"uploaded": rows.count}, ""
    learned = None if data is None else learned_rows.read(data, specification, classes)
    if learned is not None:
        by = learned_split.By(specification.target, classes, shares, split_by)
        placed = learned_split.place(rows, masks, learned.rows, by)
        rows, masks, digest = placed.rows, placed.masks, learned.sha256
        sources |= {"learned": placed.used, "held_out": learned.rows.count - placed.used}
        warnings = [*warnings, *learned.warnings, *placed.warnings]
    learned_from, fitted = _fit(rows, masks["train"], specification)
    validated = rows.take(masks["validation"])
    weight = {"train": _weight(rows.take(learned_from), specification), "validation": _weight(validated, specification)}
    if specification.preparation["outlier_action"] == "drop":
        weight["validation"][fitting.outliers(fitted.state, validated.numeric, validated.count)] = 0
    return Parts(rows, classes, split_by, masks, learned_from, fitted, weight, warnings, sources, digest)


def _rows(table: Table, specification: Specification) -> tuple[Rows, list[str] | None]:
    """Typed columns, and the classes in the order of their index (the positive class of a binary problem last)."""
    numeric, categorical = OnDemand(specification.numeric, table.numbers), OnDemand(specification.categorical, table.categories)
    if specification.problem == "regression":
        return Rows(numeric, categorical, table.numbers(specification.target), table.rows), None
    answers = table.categories(specification.target)
    positive = specification.dataset["positive_class"]
    classes = sorted((str(value) for value in answers[0] if value is not None), key=lambda name: (name == positive, name))
    return Rows(numeric, categorical, dataset.class_index(answers, classes), table.rows), classes


def _buckets(table: Table, rows: Rows, specification: Specification) -> tuple[split.Buckets, str]:
    salt = specification.preparation["split"]["salt"]
    if specification.identifier:
        return split.buckets(identifiers.of(table, specification).words), "identifier"
    words = row_words.of_features(table, specification)
    by_features = split.different(words)
    if not split.is_coarse(rows.count, by_features, rows.count, specification.problem):  # nor with fewer by everything
        return split.buckets(words), "features"
    numeric, categorical, name = dict(rows.numeric), dict(rows.categorical), specification.target
    if specification.problem == "regression":
        numeric[name] = rows.target
    else:
        categorical[name] = table.categories(name)
    answered = split.content_words(numeric, categorical, salt)
    is_coarse = split.is_coarse(rows.count, by_features, split.different(answered), specification.problem)
    return (split.spread(split.buckets(answered)), "copy") if is_coarse else (split.buckets(words), "features")


def _require_usable(rows: Rows, buckets: split.Buckets, masks: Mapping[str, Mask], classes: list[str] | None) -> None:
    counts = {name: int(np.count_nonzero(mask)) for name, mask in masks.items()}
    present = None
    if classes is not None:
        present = {name: [classes[int(index)] for index in np.unique(rows.target[mask])] for name, mask in masks.items()}

    def copies(class_name: str) -> Copies:
        """Of a class, or (an empty name) of the whole table."""
        of_class = buckets[rows.target == (classes or []).index(class_name)] if class_name else buckets
        return Copies(len(of_class), len(np.unique(of_class)))

    contract.require_usable_split(counts, present, copies)


def _fit(rows: Rows, is_training: Mask, specification: Specification) -> tuple[Mask, Fitted]:
    """Which training rows are learned from, without outliers where those are dropped; and what is fitted on all of them."""
    train = rows.take(is_training)
    for name, values in train.numeric.items():
        if np.all(np.isnan(values)):
            raise BadInput(f"column {name!r} has no value in the training rows; remove it from the model's file or give more data")
    declared = {column["name"]: declared_of(column) for column in specification.dataset["categorical"]}
    fitted = fitting.fit(train.numeric, train.categorical, specification.preparation, declared)
    if specification.preparation["outlier_action"] != "drop":
        return is_training, fitted
    learned_from = is_training.copy()
    learned_from[is_training] = ~fitting.outliers(fitted.state, train.numeric, train.count)
    if np.count_nonzero(learned_from) < 2:
        raise BadInput("outlier_action='drop' leaves fewer than two training rows; raise Preparation.outlier_factor in the model's file")
    return learned_from, fitted


def _weight(rows: Rows, specification: Specification) -> Any:
    preparation = specification.preparation
    weight = np.ones(rows.count)
    if not (preparation["balance_classes"] or preparation["reweigh_facet"]):
        return weight
    if specification.problem == "regression":
        raise BadInput("Preparation.balance_classes and reweigh_facet need classes; set both to False in the model's file for a regression")
    classes = rows.target.astype(np.int64)
    if preparation["balance_classes"]:
        weight = weight * weights.balanced(classes)
    if preparation["reweigh_facet"]:
        if specification.facet is None:
            raise BadInput("Preparation.reweigh_facet needs a facet; name it in the DataSet in the model's file")
        weight = weight * weights.reweighed(classes, rows.categorical[specification.facet["column"]][1])
    return weight / weight.mean()
