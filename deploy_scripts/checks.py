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

#: Column of golden.csv with what the version answered when it was evaluated: a number, or the name of the decided class.
PREDICTION = "prediction"
#: An endpoint is Updating also while autoscaling changes its instances, and SystemUpdating while AWS patches them: it serves meanwhile.
SERVING = ("InService", "Updating", "SystemUpdating")
#: Equal up to the rounding of a float32 model's answer in text.
RELATIVE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Golden:
    """Untouched test rows with their true answers, and the answers that the version gave when it was evaluated."""

    rows: list[list[str]]  # cells in the order of a request
    truth: list[str]
    expected: list[str]


@dataclass(frozen=True)
class Answer:
    """`labels` is empty for regression. For several classes, `scores` holds the probability of the decided one."""

    scores: list[float]
    labels: list[str]


def read_golden(text: str, dataset: DataSet) -> Golden:
    """Raises ProblemError if a column or all rows are missing."""
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in (*dataset.features, dataset.target, PREDICTION) if name not in (reader.fieldnames or ())]
    records = list(reader)
    if missing or not records:
        raise ProblemError(f"golden.csv has {'no rows' if not missing else 'no column ' + ', '.join(missing)}; train the version again")
    return Golden(
        rows=[[record[name] for name in dataset.features] for record in records],
        truth=[record[dataset.target] for record in records],
        expected=[record[PREDICTION] for record in records],
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


def read_answer(body: bytes, rows: int, dataset: DataSet) -> Answer:
    """Raises VerdictError for another schema, another number of rows, or a score that is no number."""
    try:
        predictions = json.loads(body)["predictions"]
        scores = [float(prediction["score"]) for prediction in predictions]
        labels = [] if dataset.problem is Problem.REGRESSION else [str(prediction["predicted_label"]) for prediction in predictions]
    except (ValueError, KeyError, TypeError) as error:
        raise VerdictError(f'the answer is not {{"predictions": [{{"score": ...}}]}}: {body[:200]!r}') from error
    if len(scores) != rows or not all(math.isfinite(value) for value in scores):
        raise VerdictError(
            f"asked for {rows} rows, got {len(scores)} scores, {sum(math.isfinite(value) for value in scores)} of them finite"
        )
    return Answer(scores, labels)


def as_evaluated(name: str, answer: Answer, golden: Golden) -> str:
    """The endpoint must answer what the version answered when it was evaluated."""
    if answer.labels:
        different = sum(label != expected for label, expected in zip(answer.labels, golden.expected, strict=True))
        found = f"{different} of {len(answer.labels)} classes differ"
    else:
        pairs = [(score, float(expected)) for score, expected in zip(answer.scores, golden.expected, strict=True)]
        different = sum(
            not math.isclose(score, expected, rel_tol=RELATIVE_TOLERANCE, abs_tol=RELATIVE_TOLERANCE) for score, expected in pairs
        )
        found = f"{different} of {len(pairs)} scores differ, by up to {max(abs(score - expected) for score, expected in pairs):.2g}"
    if different:
        raise VerdictError(f"{name}: {found} from the evaluation's; this is not the evaluated model")
    return f"{name}: {len(golden.rows)} answers equal the evaluation's"


def metric(golden: Golden, answer: Answer, dataset: DataSet) -> str:
    """The data set's metric on the golden rows, by the formula of the evaluation (steps/measures.py); accuracy for several classes."""
    import numpy as np

    name = dataset.metric
    if dataset.problem is Problem.MULTICLASS:
        name, right = "accuracy", [label == truth for label, truth in zip(answer.labels, golden.truth, strict=True)]
        value = sum(right) / len(right)
    else:
        binary = dataset.problem is Problem.BINARY
        truth = [float(cell == dataset.positive_class) if binary else float(cell) for cell in golden.truth]
        scores = np.array(answer.scores)
        decided = np.array([float(label == dataset.positive_class) for label in answer.labels]) if binary else scores
        value = load("measures").measure(name, np.array(truth), load("decisions").Predictions(scores, decided))
    if not math.isfinite(value):
        raise VerdictError(f"{name} on {len(golden.rows)} golden rows is {value}")
    return f"metric: {name} {value:.4g} on {len(golden.rows)} golden rows"


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
    if endpoint["EndpointStatus"] not in SERVING:
        raise VerdictError(f"endpoint {name} is {endpoint['EndpointStatus']}: {endpoint.get('FailureReason', 'no reason given')}")
    if live_package != wanted_package:
        raise VerdictError(f"endpoint {name} serves {live_package}, not {wanted_package}; SageMaker may have rolled the update back")
    if wanted_config is not None and endpoint["EndpointConfigName"] != wanted_config:
        raise VerdictError(
            f"endpoint {name} has config {endpoint['EndpointConfigName']}, not {wanted_config}; SageMaker may have rolled the update back"
        )
    return f"deployed: {name} serves {wanted_package.rsplit('/', 1)[-1]} with config {endpoint['EndpointConfigName']}"
