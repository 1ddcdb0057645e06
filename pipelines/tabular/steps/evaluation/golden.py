"""Rows with the true answer and what this version must answer: what a deployment is checked with (`golden.csv`).

Input: raw test rows and the served version. Output: CSV text. Next: deploy_scripts/verify.py asks the endpoint for them.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import inference
import numpy as np
from dataset import Rows
from failure import BadInput
from flask import Response
from request_forms import CSV
from served import Served

from evaluation import champion

GOLDEN_ROWS = 50


def body(rows: Rows, served: Served, scratch: Path, count: int) -> tuple[Rows, str]:
    """The first `count` test rows, and the request that carries them."""
    chosen = rows.take(np.arange(rows.count) < count)
    champion.write_rows(chosen, served.features, scratch / "golden-rows.csv")
    return chosen, (scratch / "golden-rows.csv").read_text(encoding="utf-8")


def text(rows: Rows, served: Served, scratch: Path) -> str:
    """The features, the target, `prediction`. A class is written as its name, as is the decided one; numbers keep every bit.

    Raises BadInput if the version does not answer them.
    """
    chosen, request = body(rows, served, scratch, GOLDEN_ROWS)
    answer = inference.predict_fn(inference.input_fn(request, CSV), served)
    if isinstance(answer, Response):
        raise BadInput(f"the version refuses test rows that passed the contract: {answer.get_data(as_text=True).strip()}")
    classes = served.about["classes"]
    truth = [repr(value) if classes is None else classes[int(value)] for value in chosen.target.tolist()]
    given = [repr(value) for value in answer["score"]] if classes is None else answer["predicted_label"]
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*served.features, served.dataset["target"], "prediction"])
    writer.writerows([*cells, true, said] for cells, true, said in zip(csv.reader(io.StringIO(request)), truth, given, strict=True))
    return written.getvalue()
