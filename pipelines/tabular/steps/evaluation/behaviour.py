"""How the model behaves: what it relies on, whether more data would help, and what broken inputs and load do to it.

Input: the served version, raw test rows and prepared training rows. Output: plain values for the report.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import inference
import numpy as np
import refit
from dataset import Part, Rows
from decisions import Predictions, fit_threshold
from measures import measure
from numpy.typing import NDArray
from request_forms import CSV, JSON
from resampling import drawn
from served import Served

from evaluation import prepared_rows
from evaluation.held_out import raw

Floats = NDArray[np.float64]

ATTRIBUTED_ROWS = 100  # a deep forest takes 10 ms for each
CURVE_SHARES = (0.1, 0.25, 0.5, 1.0)
MOST_CURVE_ROWS = 50_000
TIMED_REQUESTS = 200
SEED = 20


def attributions(rows: Rows, served: Served) -> dict[str, float]:
    """Mean absolute SHAP value of each raw column, largest first. Prepared columns that come from one raw column are added."""
    shares = served.model.attributions(served.prepare(*raw(rows.take(drawn(rows.count, ATTRIBUTED_ROWS)), served)))
    sources = np.array(served.preparer.sources)
    totals = {name: float(np.abs(shares[:, sources == name].sum(axis=1)).mean()) for name in served.features}
    return dict(sorted(totals.items(), key=lambda item: -item[1]))


def learning_curve(train: Path, training_rows: int, validation: Part, rows: Rows, served: Served) -> list[dict[str, Any]]:
    """The metric on test and training rows when the same algorithm learns from a share of the training rows, and decides as it does.

    `train`: the folder of the prepared training rows, which are `training_rows`.
    """
    order = np.random.default_rng(SEED).permutation(training_rows)[:MOST_CURVE_ROWS]
    places = np.sort(order)
    known = prepared_rows.at(train, places)
    test = served.prepare(*raw(rows, served))
    about, metric, decision_metric = served.about, served.about["metric"], served.version.get("decision_metric")
    points = []
    for share in CURVE_SHARES:
        chosen = np.searchsorted(places, np.sort(order[: max(2, int(share * len(order)))]))
        part = Part(known.features[chosen], known.target[chosen], known.weight[chosen])
        if about["classes"] and len(np.unique(part.target)) < len(about["classes"]):
            continue  # a class is missing: nothing can be learned from so few rows
        model = refit.fitted(served.version, part, about)
        threshold = fit_threshold(decision_metric, validation.target, model.predict(validation.features)) if decision_metric else None
        points.append(
            {
                "rows": len(chosen),
                "test": measure(metric, rows.target, Predictions.of(model.predict(test), threshold)),
                "train": measure(metric, part.target, Predictions.of(model.predict(part.features), threshold)),
            }
        )
    return points


def robustness(rows: Rows, served: Served) -> list[dict[str, Any]]:
    """The metric when one column is missing in every row, or (numeric) shifted by one standard deviation of the test rows."""
    numeric, categorical = raw(rows, served)
    metric = served.about["metric"]

    def measured(changed: Floats, labels: list[Any]) -> float:
        return measure(metric, rows.target, served.answer(changed, labels))

    results = []
    for index, name in enumerate(served.preparer.numeric):
        missing, shifted = numeric.copy(), numeric.copy()
        missing[:, index] = np.nan
        shifted[:, index] += np.nanstd(numeric[:, index])
        results.append({"column": name, "missing": measured(missing, categorical), "shifted": measured(shifted, categorical)})
    for index, name in enumerate(served.preparer.categorical):
        gone = list(categorical)
        gone[index] = ([None], np.zeros(rows.count, dtype=np.int64))
        results.append({"column": name, "missing": measured(numeric, gone), "shifted": None})
    return results


def latency(body: str, served: Served) -> dict[str, float]:
    """Milliseconds for a request of one row, parsing and answering included, without the network."""
    times = []
    for _ in range(TIMED_REQUESTS):
        start = time.perf_counter()
        inference.output_fn(inference.predict_fn(inference.input_fn(body, CSV), served), JSON)
        times.append(1000 * (time.perf_counter() - start))
    median, slow = np.percentile(times, [50, 99])
    return {"p50_ms": float(median), "p99_ms": float(slow)}
