"""Which rows train, validate and test, and what is fitted on the training rows; or why a table cannot be learned from.

Input: a `Table` and the specification. Output: `Parts`, or BadInput. Everything that Prepare refuses is refused here, before anything
is prepared or written: so the check at upload (build_scripts/upload_data.py) calls this too, and its verdict is the pipeline's. What
production learned (learned_rows.py) is added to the training and validation rows, and refuses nothing. Next: `prepare.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import advice
import contract
import dataset
import fitting
import learned_rows
import learned_split
import numpy as np
import sides
import split
import target_statistics
import weights
from contract import Copies
from dataset import Rows
from failure import BadInput
from features import Floats
from fitting import Fitted
from on_demand import OnDemand
from sides import Mask, Sides
from specification import Specification
from table import Table
from target_statistics import Answers
from target_values import Folds

#: Fits on the rows of a mask, some columns by the answers of these rows.
Fit = Callable[[Rows, Mask, Specification, Mapping[str, Answers]], Fitted]


@dataclass(frozen=True)
class Parts:
    """All rows and the mask of each part; which rows are learned from with their weights, and what is fitted on the training rows.

    `classes` in the order of their index (the positive class of a binary problem last), None for a regression.
    `placing`: what decided about the sides of the uploaded ones. `sources`: how many rows were uploaded; with learned ones, how many of
    those train or validate, and how many their place keeps out.
    `looked_at`: what was looked at in the data and found (advice/); the findings are among the warnings, too.
    `learned_from`: mask of the training rows without outliers, where those are dropped. `weights`: of these rows, and of the validation
    rows for when they are learned from (refit.py): 0 for an outlier that would be dropped.
    `folds`: of all rows, where a column is encoded by the target (target_statistics.py).
    """

    rows: Rows
    classes: list[str] | None
    placing: Sides
    masks: Mapping[str, Mask]
    learned_from: Mask
    fitted: Fitted
    weights: Mapping[str, Floats]
    warnings: list[str]
    looked_at: list[dict[str, Any]]
    sources: Mapping[str, int]
    learned_sha256: str = ""
    folds: Folds | None = None


def fit_here(rows: Rows, is_training: Mask, specification: Specification, by_target: Mapping[str, Answers]) -> Fitted:
    """What is fitted on the training rows, by this process."""
    train = rows.take(is_training)
    return fitting.fit(train.numeric, train.categorical, specification.preparation, specification.declared, train.count, by_target)


def require(table: Table, specification: Specification, data: str | Path | None = None, fit: Fit = fit_here) -> Parts:
    """The parts of a table that keeps the contract. Raises BadInput with everything that is wrong.

    `data`: the folder that may hold rows which production learned; None for none.
    """
    warnings = contract.require(table, specification)
    rows, classes = _rows(table, specification)
    placing = sides.of(table, rows, specification)
    _require_usable(rows, placing, classes, specification.by_time)
    looks = advice.looks(table, rows, classes, placing, specification)
    warnings = [*warnings, *(text for look in looks for text in look.texts(table))]
    masks, sources, digest = placing.masks, {"uploaded": rows.count}, ""
    learned = None if data is None else learned_rows.read(data, specification, classes)
    if learned is not None:
        by = learned_split.By.of(specification, classes, placing)
        placed = learned_split.place(rows, masks, learned.rows, by)
        rows, masks, digest = placed.rows, placed.masks, learned.sha256
        sources |= {"learned": placed.used, "held_out": learned.rows.count - placed.used}
        warnings = [*warnings, *learned.warnings, *placed.warnings]
    placing = replace(placing, buckets=None)  # eight bytes a row, which nobody asks for any more
    encoded = _encoded_by_target(rows, specification, classes)
    folds = _folds(rows, specification.preparation["split"]["salt"]) if encoded else None
    by_target = {} if folds is None else dict.fromkeys(encoded, Answers(rows.target[masks["train"]], classes, folds[masks["train"]]))
    learned_from, fitted = _fit(rows, masks["train"], specification, by_target, fit)
    validated = rows.take(masks["validation"])
    weight = {"train": _weight(rows.take(learned_from), specification), "validation": _weight(validated, specification)}
    if specification.preparation["outlier_action"] == "drop":
        is_outlier = fitting.outliers(fitted.state, validated.numeric, validated.count)
        weight["validation"] = np.where(is_outlier, 0.0, weight["validation"])
    looked_at = [look.facts(table) for look in looks]
    return Parts(rows, classes, placing, masks, learned_from, fitted, weight, warnings, looked_at, sources, digest, folds)


def _rows(table: Table, specification: Specification) -> tuple[Rows, list[str] | None]:
    """Typed columns, and the classes in the order of their index (the positive class of a binary problem last)."""
    numeric, categorical = OnDemand(specification.numeric, table.numbers), OnDemand(specification.categorical, table.categories)
    if specification.problem == "regression":
        return Rows(numeric, categorical, table.numbers(specification.target), table.rows), None
    answers = table.categories(specification.target)
    positive = specification.dataset["positive_class"]
    classes = sorted((str(value) for value in answers[0] if value is not None), key=lambda name: (name == positive, name))
    return Rows(numeric, categorical, dataset.class_index(answers, classes), table.rows), classes


def _require_usable(rows: Rows, placing: Sides, classes: list[str] | None, by_time: str | None) -> None:
    masks, buckets = placing.masks, placing.buckets
    counts = {name: int(np.count_nonzero(mask)) for name, mask in masks.items()}
    present = None
    if classes is not None:
        present = {name: [classes[int(index)] for index in np.unique(rows.target[mask])] for name, mask in masks.items()}

    def copies(class_name: str) -> Copies:
        """Of a class, or (an empty name) of the whole table."""
        if buckets is None:
            return Copies(rows.count, rows.count)
        of_class = buckets[rows.target == (classes or []).index(class_name)] if class_name else buckets
        return Copies(len(of_class), len(np.unique(of_class)))

    contract.require_usable_split(counts, present, copies, by_time)


def _encoded_by_target(rows: Rows, specification: Specification, classes: list[str] | None) -> list[str]:
    """Names of the categorical columns that are. Raises BadInput where one cannot be."""
    columns = specification.dataset["categorical"]
    if wrong := target_statistics.refused(columns, classes):
        raise BadInput(f"{wrong} (Categorical.encoding in {specification.file})")
    most = specification.preparation["max_categories"]
    return [
        column["name"]
        for column in columns
        if target_statistics.applies(column, sum(value is not None for value in rows.categorical[column["name"]][0]), classes, most)
    ]


def _folds(rows: Rows, salt: str) -> Folds:
    """Of uploaded and learned rows by their content, so that copies of a row are in one fold."""
    return target_statistics.folds(split.content_words(rows.numeric, rows.categorical, salt))


def _fit(rows: Rows, is_training: Mask, specification: Specification, by_target: Mapping[str, Answers], fit: Fit) -> tuple[Mask, Fitted]:
    """Which training rows are learned from, without outliers where those are dropped; and what is fitted on all of them."""
    train = rows.take(is_training)
    fitted = fit(rows, is_training, specification, by_target)
    if specification.preparation["outlier_action"] != "drop":
        return is_training, fitted
    learned_from = is_training.copy()
    learned_from[is_training] = ~fitting.outliers(fitted.state, train.numeric, train.count)
    if np.count_nonzero(learned_from) < 2:
        raise BadInput("outlier_action='drop' leaves fewer than two training rows; raise Preparation.outlier_factor in the model's file")
    return learned_from, fitted


def _weight(rows: Rows, specification: Specification) -> Any:
    preparation = specification.preparation
    weight = weights.equal(rows.count)
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
