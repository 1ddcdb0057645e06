"""What an endpoint is sent, and what it answers: the one place that builds request bodies and reads answers.

Input: rows of cells as text, in the order of the version's contract; an empty cell is a gap. Used by everything that asks a
version: verify.py, load_test.py, example_request.py, recommender_job.py and the demo. The other side: pipelines/tabular/steps/inference.py.
"""

from __future__ import annotations

import csv
import io
import json
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from build_scripts.command_line import ProblemError, VerdictError
from build_scripts.registry import Version
from build_scripts.version_contract import Contract
from settings_schema import Problem

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
KINDS = (CSV, JSON, JSON_LINES)
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
    return json.dumps({"instances": _objects(rows, contract)}, ensure_ascii=False).encode()


def json_lines_body(rows: Rows, contract: Contract) -> bytes:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in _objects(rows, contract)).encode()


def _objects(rows: Rows, contract: Contract) -> list[dict[str, float | str | None]]:
    """Each row by the names of its columns: numbers as numbers, categories as text, gaps as null."""
    numeric = set(contract.numeric)
    return [
        {name: None if cell == "" else float(cell) if name in numeric else cell for name, cell in zip(contract.features, row, strict=True)}
        for row in rows
    ]


def body(rows: Rows, content_type: str, contract: Contract) -> bytes:
    """Raises KeyError for a content type that no version takes."""
    bodies = {CSV: lambda: csv_body(rows), JSON: lambda: json_body(rows, contract), JSON_LINES: lambda: json_lines_body(rows, contract)}
    return bodies[content_type]()


def kinds_of(version: Version) -> tuple[str, ...]:
    """The content types that a version takes. Those from before JSON Lines are registered without it."""
    return (CSV, JSON, *((JSON_LINES,) if JSON_LINES in version.content_types else ()))


def require_taken(version: Version, content_type: str) -> None:
    """Raises ProblemError for a content type that the version does not take."""
    kinds = kinds_of(version)
    if content_type not in kinds:
        raise ProblemError(f"--content-type is {content_type!r}; allowed: {', '.join(kinds)}, which version {version.number} takes")


def accepted_for(content_type: str) -> str:
    """JSON Lines are answered in lines, so that what is sent can be paired with what comes; anything else as JSON."""
    return JSON_LINES if content_type == JSON_LINES else JSON


def read_answer(content: bytes, rows: int, contract: Contract, kind: str = JSON) -> Answer:
    """`kind`: JSON or JSON Lines. Raises VerdictError for another schema, another number of rows, or a score that is no number."""
    try:
        lines = content.decode().split("\n") if kind == JSON_LINES else []
        predictions = [json.loads(line) for line in lines if line] if kind == JSON_LINES else json.loads(content)["predictions"]
        scores = [float(prediction["score"]) for prediction in predictions]
        labels = [] if contract.problem is Problem.REGRESSION else [str(prediction["predicted_label"]) for prediction in predictions]
    except (ValueError, KeyError, TypeError) as error:
        wanted = '{"score": ...} on each line' if kind == JSON_LINES else '{"predictions": [{"score": ...}]}'
        raise VerdictError(f"the answer is not {wanted}: {content[:200]!r}") from error
    if len(scores) != rows or not all(math.isfinite(value) for value in scores):
        raise VerdictError(
            f"asked for {rows} rows, got {len(scores)} scores, {sum(math.isfinite(value) for value in scores)} of them finite"
        )
    return Answer(scores, labels)
