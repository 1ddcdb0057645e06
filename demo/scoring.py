"""Chapter 4 of a batch model: a file is uploaded with its `_SUCCESS`, production scores it, and its answers are read.

The rows are the version's golden rows, as a client would send them: cells in the order of the contract, without a header.
"""

from __future__ import annotations

import time
from typing import Any

from build_scripts import batch_rows
from build_scripts.golden import Golden
from build_scripts.invocation import csv_body
from demo import loop
from demo.errors import StageError
from demo.facts import ModelFacts, Scored
from demo.narrator import Narrator
from demo.subject import Subject
from demo.terminal import Terminal
from settings_schema import Batch

FOLDER, FILE, MARKER = "monday", "rows.csv", "_SUCCESS"


def score(terminal: Terminal, narrator: Narrator, model: ModelFacts) -> None:
    """By the event of the upload, or, where production does not score on upload, by the function that the schedule starts."""
    subject = model.subject
    if model.golden is None:
        raise StageError("no version was registered, so nobody knows what to score")
    with narrator.stage(subject.titled("A file is scored")) as stage:
        model.scored = _score(terminal, subject, model.golden)
        scored = model.scored
        (row, answer, _), *_ = scored.rows
        stage.note = f"{len(scored.rows)} rows, started by {scored.started_by}: {row} -> {answer}; {scored.predictions}"


def _score(terminal: Terminal, subject: Subject, golden: Golden) -> Scored:
    s3, bucket = terminal.client("s3"), loop.environment_bucket(terminal, subject.production)
    source = f"{subject.production.batch_input}{FOLDER}/"
    sent = csv_body(golden.rows)
    s3.put_object(Bucket=bucket, Key=f"{source}{FILE}", Body=sent)
    began = time.monotonic()
    s3.put_object(Bucket=bucket, Key=f"{source}{MARKER}", Body=b"")
    serving = subject.in_production
    started_by = "its upload"
    if isinstance(serving, Batch) and not serving.on_upload:
        started_by = subject.production.start_scoring_function
        terminal.client("lambda").invoke(FunctionName=started_by, InvocationType="Event", Payload=b"{}")
    key = loop.wait_for("the predictions", lambda: answers_key(s3, bucket, subject), log=terminal.account_logs)
    seconds = time.monotonic() - began
    received = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    answers = [" ".join(map(_short, answer)) for answer in batch_rows.answers(sent, received)]
    rows = [csv_body([row]).decode().strip() for row in golden.rows]
    told = list(zip(rows, answers, golden.truth, strict=True))
    return Scored(f"s3://{bucket}/{source}", f"s3://{bucket}/{key}", started_by, seconds, told)


def answers_key(s3: Any, bucket: str, subject: Subject) -> str | None:
    """Key of the answers to the file, once they are there."""
    prefix = f"{subject.production.predictions}{FOLDER}/"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return next((item["Key"] for item in listed if item["Key"].endswith(f"{FILE}.out")), None)


def _short(cell: str) -> str:
    """A probability in four digits; a class as it is."""
    try:
        return f"{float(cell):.4g}"
    except ValueError:
        return cell
