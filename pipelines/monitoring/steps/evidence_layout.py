"""Whether the documents that evaluation left of a version are laid out as the judges read them.

Each is read once when a version's evidence is found, so that one of older or strange code is told by name, and the versions that answered
beside it are judged. Input: parsed documents and the version's columns. Raises one of `OTHER_LAYOUT`. Used by `evidence.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import attribution_drift
import bias_checks
import estimates
import numpy as np
from dataset import Rows
from decisions import Predictions
from evaluation import estimator as estimators
from measures import METRICS
from takes import Takes

CONTRACT, STATISTICS, ESTIMATOR, EXPLAINABILITY = "contract.json", "statistics.json", "estimator.json", "explainability.json"
#: What reading a document raises that has another layout than is asked for.
OTHER_LAYOUT = (KeyError, TypeError, AttributeError, ValueError, IndexError)


def look_through(documents: Mapping[str, Any], takes: Takes) -> None:
    """Reads all of contract and baseline that a judge will."""
    takes.width_of_answer()
    facet = bias_checks.facet_of(documents[CONTRACT])
    if facet:
        takes.categorical.index(facet["column"])
        str(facet["disadvantaged"])
    statistics = documents[STATISTICS]
    int(statistics["dataset"]["item_count"])
    for feature in statistics["features"]:
        if feature["name"] in takes.categorical:
            _category(feature["string_statistics"])
        else:
            _number(feature["numerical_statistics"])


def _number(facts: Mapping[str, Any]) -> None:
    buckets = facts["distribution"]["kll"]["buckets"]
    _finite(facts["min"], facts["max"], *(bucket[name] for bucket in buckets for name in ("lower_bound", "upper_bound", "count")))
    _finite(*(facts["common"][name] for name in ("num_present", "num_missing")))
    if not buckets:
        raise ValueError("a number without buckets")


def _category(facts: Mapping[str, Any]) -> None:
    buckets = facts["distribution"]["categorical"]["buckets"]
    _finite(*(facts["common"][name] for name in ("num_present", "num_missing")), *(bucket["count"] for bucket in buckets))
    for bucket in buckets:
        str(bucket["value"])


def _finite(*values: float) -> None:
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"{value} in the baseline")


def _estimator(document: Mapping[str, Any], takes: Takes) -> None:
    """Makes answers for a row without values."""
    METRICS[document["metric"]]
    estimates.limit_of(document["at_evaluation"], more_is_better=bool(document["more_is_better"]), max_loss=0.0)
    if document["method"] is None:
        str(document["why"])
        return
    nothing = ([None], np.zeros(1, dtype=np.int64))
    rows = Rows(dict.fromkeys(takes.numeric, np.full(1, np.nan)), dict.fromkeys(takes.categorical, nothing), np.full(1, np.nan), 1)
    scores = np.full((1, len(takes.classes or ())), 0.5) if takes.is_several_classes else np.full(1, 0.5)
    for _ in estimators.draws(document, rows, Predictions(scores, np.zeros(1)), 1):
        pass


def _explainability(document: Mapping[str, Any], takes: Takes) -> None:
    """Other features than the version's are told apart where they are compared (attribution_drift.py)."""
    attribution_drift.of_evaluation(document)


#: What reads each document that a version can be judged without.
OPTIONAL: Mapping[str, Callable[[Mapping[str, Any], Takes], None]] = {ESTIMATOR: _estimator, EXPLAINABILITY: _explainability}
