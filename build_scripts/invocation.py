"""What an endpoint is sent, and what it answers: the one place that builds request bodies and reads answers.

Input: rows of cells as text, in the order of the version's contract; an empty cell is a gap. Used by everything that asks a
version: verify.py, load_test.py, example_request.py, score_file.py and the demo. The other side: pipelines/tabular/steps/inference.py.
"""

from __future__ import annotations

import csv
import io
import json
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from build_scripts.command_line import VerdictError
from build_scripts.version_contract import Contract
from settings_schema import Problem

CSV, JSON = "text/csv", "application/json"
#: Inference ids of requests that nobody needed an answer to begin so, and the watch over production leaves them out
#: (pipelines/monitoring/steps/captured.py): golden rows are no traffic.
CHECK_PREFIX = "check--"
Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Answer:
    """`labels` is empty for regression. For several classes, `scores` holds the probability of the decided one."""

    scores: list[float]
    labels: list[str]


def check_id() -> str:
    """A new inference id, of at most 64 characters: InvokeEndpoint's InferenceId."""
    return f"{CHECK_PREFIX}{uuid.uuid4()}"


def csv_body(rows: Rows) -> bytes:
    """Lines without a header; what holds a comma, a quote or a line break is quoted."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def json_body(rows: Rows, contract: Contract) -> bytes:
    """Each row by the names of its columns: numbers as numbers, categories as text, gaps as null."""
    numeric = set(contract.numeric)
    instances = [
        {name: None if cell == "" else float(cell) if name in numeric else cell for name, cell in zip(contract.features, row, strict=True)}
        for row in rows
    ]
    return json.dumps({"instances": instances}, ensure_ascii=False).encode()


def body(rows: Rows, content_type: str, contract: Contract) -> bytes:
    """Raises KeyError for a content type that no version takes."""
    return {CSV: lambda: csv_body(rows), JSON: lambda: json_body(rows, contract)}[content_type]()


def read_answer(content: bytes, rows: int, contract: Contract) -> Answer:
    """Raises VerdictError for another schema, another number of rows, or a score that is no number."""
    try:
        predictions = json.loads(content)["predictions"]
        scores = [float(prediction["score"]) for prediction in predictions]
        labels = [] if contract.problem is Problem.REGRESSION else [str(prediction["predicted_label"]) for prediction in predictions]
    except (ValueError, KeyError, TypeError) as error:
        raise VerdictError(f'the answer is not {{"predictions": [{{"score": ...}}]}}: {content[:200]!r}') from error
    if len(scores) != rows or not all(math.isfinite(value) for value in scores):
        raise VerdictError(
            f"asked for {rows} rows, got {len(scores)} scores, {sum(math.isfinite(value) for value in scores)} of them finite"
        )
    return Answer(scores, labels)
