"""Writes what the steps need of a model as JSON: `specification.json`, shipped beside the scripts.

Input: a model. Output: text, the same for the same model. The steps run alone in a container and cannot import a team's values;
they read this with `steps/specification.py`.
"""

from __future__ import annotations

import json

from settings_schema import METRICS, DataSet, Model, Preparation, Problem


def specification_json(model: Model) -> str:
    """JSON with sorted keys, so that equal models give equal bytes. How it is served is not in there, nor when it is trained again."""
    dataset, judged = model.data, model.data.judged_by
    derived = {
        "features": dataset.features,
        "more_is_better": {name: metric.more_is_better for name, metric in METRICS[dataset.problem].items()},
        "threshold_range": {"lowest": judged.lowest, "highest": judged.highest, "allowed": judged.allowed},
        "decision_metric": dataset.decides_by,
    }
    document = {
        "model": model.name,
        "dataset": {**dataset.model_dump(), **derived},
        "preparation": {**model.preparation.model_dump(), "reweigh_facet": _reweighs(model.preparation, dataset)},
        "algorithms": [algorithm.model_dump() for algorithm in model.algorithms],
        "tuning": model.tuning.model_dump(),
        "choice": model.choice.model_dump(),
        "gate": model.gate.model_dump(),
        "learn_from_answers": model.retraining.learn_from_answers,
    }
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _reweighs(preparation: Preparation, dataset: DataSet) -> bool:
    if preparation.reweigh_facet is None:
        return dataset.facet is not None and dataset.problem is Problem.BINARY
    return preparation.reweigh_facet
