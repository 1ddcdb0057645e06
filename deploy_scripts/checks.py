"""The checks of verify.py as pure functions on what the endpoint answered: each returns a line, or raises VerdictError."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build_scripts.command_line import ProblemError, VerdictError
from build_scripts.step_modules import load
from settings import DataSet, Problem

#: Column of golden.csv with what the version predicted when it was evaluated.
PREDICTION = "prediction"
#: Equal up to the rounding of a float32 model's answer in text.
RELATIVE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Golden:
    """Untouched test rows with their labels, and the scores that the version gave them when it was evaluated."""

    rows: list[list[str]]  # cells in the order of a request
    labels: list[str]
    expected: list[float]


def read_golden(text: str, dataset: DataSet) -> Golden:
    """Raises ProblemError if a column is missing."""
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in (*dataset.features, dataset.target, PREDICTION) if name not in (reader.fieldnames or ())]
    records = list(reader)
    if missing or not records:
        raise ProblemError(f"golden.csv has {'no rows' if not missing else 'no column ' + ', '.join(missing)}; train the version again")
    return Golden(
        rows=[[record[name] for name in dataset.features] for record in records],
        labels=[record[dataset.target] for record in records],
        expected=[float(record[PREDICTION]) for record in records],
    )


def csv_body(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def json_body(rows: Sequence[Sequence[str]], dataset: DataSet) -> bytes:
    """Numbers as numbers, categories as text, gaps as null."""
    numeric = len(dataset.numeric)
    instances = [[None if cell == "" else float(cell) if index < numeric else cell for index, cell in enumerate(row)] for row in rows]
    return json.dumps({"instances": instances}).encode()


def scores(body: bytes, rows: int, dataset: DataSet) -> list[float]:
    """The answer's scores; multiclass: the probability of the predicted class. Raises VerdictError for another schema."""
    try:
        predictions = json.loads(body)["predictions"]
        if dataset.problem is Problem.MULTICLASS:
            found = [max(float(value) for value in prediction["probabilities"]) for prediction in predictions]
        else:
            found = [float(prediction["score"]) for prediction in predictions]
    except (ValueError, KeyError, TypeError) as error:
        raise VerdictError(f'the answer is not {{"predictions": [{{"score": ...}}]}}: {body[:200]!r}') from error
    if len(found) != rows or not all(math.isfinite(value) for value in found):
        raise VerdictError(f"asked for {rows} rows, got {len(found)} scores, {sum(math.isfinite(value) for value in found)} of them finite")
    return found


def same_scores(name: str, found: Sequence[float], expected: Sequence[float]) -> str:
    worst = max(abs(a - b) / max(abs(b), 1e-9) for a, b in zip(found, expected, strict=True))
    if worst > RELATIVE_TOLERANCE:
        raise VerdictError(
            f"{name}: scores differ from the evaluated ones by up to {worst:.2g} of their value; this is not the evaluated model"
        )
    return f"{name}: {len(found)} scores equal the evaluated ones"


def metric(golden: Golden, found: Sequence[float], dataset: DataSet) -> str:
    """The data set's metric on the golden rows, by the same formula as in the evaluation (steps/measures.py)."""
    import numpy as np

    if dataset.problem is Problem.MULTICLASS:
        return "metric: covered by the equal scores (multiclass)"
    labels = [float(label == dataset.positive_class) if dataset.problem is Problem.BINARY else float(label) for label in golden.labels]
    value = load("measures").measure(dataset.metric, np.array(labels), np.array(found))
    if not math.isfinite(value):
        raise VerdictError(f"{dataset.metric} on {len(found)} golden rows is {value}")
    return f"metric: {dataset.metric} {value:.4g} on {len(found)} golden rows"


def refused(status: int | None) -> str:
    if status is None or not 400 <= status < 500:
        raise VerdictError(f"a request with the wrong content type answers {status or 200}; it must answer 4xx")
    return f"wrong content type: answers {status}"


def latency(milliseconds: Sequence[float], limit_ms: int) -> str:
    """Client-side latency of single rows; `limit_ms` is settings' p99 for the stage."""
    ordered = sorted(milliseconds)
    p50, p99 = (ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] for share in (0.50, 0.99))
    if p99 > limit_ms:
        raise VerdictError(f"latency: p99 is {p99:.0f} ms; settings.py allows {limit_ms} ms (p99_latency_ms)")
    return f"latency: p50 {p50:.1f} ms, p99 {p99:.1f} ms of {limit_ms} ms allowed ({len(ordered)} requests)"


def deployed(endpoint: Mapping[str, Any], live_package: str | None, wanted_package: str, wanted_config: str | None) -> str:
    """SageMaker can roll an update back and say InService: the live config and package must be the ones deployed."""
    name = endpoint["EndpointName"]
    if endpoint["EndpointStatus"] != "InService":
        raise VerdictError(f"endpoint {name} is {endpoint['EndpointStatus']}: {endpoint.get('FailureReason', 'no reason given')}")
    if live_package != wanted_package:
        raise VerdictError(f"endpoint {name} serves {live_package}, not {wanted_package}; SageMaker may have rolled the update back")
    if wanted_config is not None and endpoint["EndpointConfigName"] != wanted_config:
        raise VerdictError(
            f"endpoint {name} has config {endpoint['EndpointConfigName']}, not {wanted_config}; SageMaker may have rolled the update back"
        )
    return f"deployed: {name} serves {wanted_package.rsplit('/', 1)[-1]} with config {endpoint['EndpointConfigName']}"
