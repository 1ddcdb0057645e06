"""Writes the settings that the steps need as JSON: `specification.json`, shipped beside the scripts.

Input: `settings.py`. Output: text, the same for the same settings. The steps cannot import `settings.py`,
because they run alone in a container; they read this with `steps/specification.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import settings
from settings import Algorithm, DataSet, Gate, Preparation, Problem, Tuning


def specification_json(
    dataset: DataSet = settings.DATASET,
    preparation: Preparation = settings.PREPARATION,
    algorithms: Sequence[Algorithm] = settings.ALGORITHMS,
    tuning: Tuning = settings.TUNING,
    gate: Gate = settings.GATE,
) -> str:
    """Settings as JSON with sorted keys, so that equal settings give equal bytes."""
    judged = dataset.judged_by
    derived = {
        "features": dataset.features,
        "more_is_better": judged.more_is_better,
        "threshold_range": {"lowest": judged.lowest, "highest": judged.highest, "allowed": judged.allowed},
        "decision_metric": dataset.decides_by,
    }
    document = {
        "dataset": {**asdict(dataset), **derived},
        "preparation": {**asdict(preparation), "reweigh_facet": _reweighs(preparation, dataset)},
        "algorithms": [
            {
                "name": algorithm.name,
                "fixed": dict(algorithm.fixed),
                "tuned": {name: asdict(values) for name, values in algorithm.tuned.items()},
            }
            for algorithm in algorithms
        ],
        "tuning": asdict(tuning),
        "gate": asdict(gate),
    }
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _reweighs(preparation: Preparation, dataset: DataSet) -> bool:
    if preparation.reweigh_facet is None:
        return dataset.facet is not None and dataset.problem is Problem.BINARY
    return preparation.reweigh_facet
