"""Whether an exported file answers as the version does: asked for the golden rows, and for the same rows with what is rare in them.

Input: the file's bytes, the unpacked version, its golden rows. Output: a `Comparison`, or VerdictError with the first answer that differs.
What is right is what the evaluation has kept (golden.csv), and what the version's own code says, which has the probabilities, too.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from build_scripts import invocation
from build_scripts.command_line import ProblemError, VerdictError
from build_scripts.edge import answers
from build_scripts.golden import Golden
from build_scripts.step_modules import STEPS
from build_scripts.version_contract import Contract

#: Of an answer: the rounding of a float32 model. Below the smallest normal float32, numbers have fewer digits.
RELATIVE_TOLERANCE, SMALLEST = 1e-6, float(np.finfo(np.float32).tiny)
#: A category that no training has seen, and no person writes.
UNSEEN = "<unseen>"
_SCORING_TIMEOUT_SECONDS = 600
Row = list[str]


@dataclass(frozen=True)
class Comparison:
    """`golden` rows and `others` were asked; `largest` is the largest relative difference of a number."""

    golden: int
    others: int
    largest: float

    def __str__(self) -> str:
        of = f"{self.golden} golden rows and {self.others} with gaps, unseen categories and numbers far outside"
        return f"answers as the version does on {of}; largest relative difference {self.largest:.1g}"


def compare(model: bytes, folder: Path, golden: Golden, contract: Contract) -> Comparison:
    """`folder`: the unpacked version. Raises VerdictError, and ProblemError where the version's own code cannot be asked."""
    others = list(rare(golden.rows, contract))
    rows = [*golden.rows, *others]
    given, own = ask(model, rows, contract), own_answers(folder, rows)
    for number, (row, expected) in enumerate(zip(rows, golden.expected, strict=False)):
        _require_equal(number, row, given[number]["score" if not contract.classes else "predicted_label"], expected)
    differences = [_difference(number, rows[number], *pair) for number, pair in enumerate(zip(given, own, strict=True))]
    return Comparison(len(golden.rows), len(others), max(differences))


def rare(rows: Sequence[Row], contract: Contract) -> Iterator[Row]:
    """For each column a row with a gap in it; for a category also one unseen, for a number one far outside on each side; and only gaps."""
    for index, name in enumerate(contract.features):
        strange = ["", UNSEEN] if name in contract.categorical else ["", "-1e9", "1e9"]
        for place, cell in enumerate(strange):
            row = rows[(index + place) % len(rows)]
            yield [*row[:index], cell, *row[index + 1 :]]
    yield [""] * len(contract.features)


def ask(model: bytes, rows: Sequence[Row], contract: Contract) -> list[dict[str, Any]]:
    """What ONNX Runtime answers, in the form of an endpoint's answer."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    columns = dict(zip(contract.features, zip(*rows, strict=True), strict=True))
    feeds = {name: np.array([float(cell or "nan") for cell in columns[name]]) for name in contract.numeric}
    feeds |= {name: np.array(columns[name], dtype=object) for name in contract.categorical}
    answered = [output.tolist() for output in session.run(None, feeds)]
    names = answers.names((), has_classes=bool(contract.classes))
    return [dict(zip(names, values, strict=True)) for values in zip(*answered, strict=True)]


def own_answers(folder: Path, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What the version's own code answers, in a process of its own and without credentials, since it needs none."""
    source, answer = folder / "asked.csv", folder / "answer.json"
    source.write_bytes(invocation.csv_body(rows))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON", "SM_", "MODEL_"))}
    command = [sys.executable, str(STEPS / "score.py"), "--model-dir", str(folder), "--rows", str(source), "--output", str(answer)]
    finished = subprocess.run(
        command,
        env={**inherited, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SCORING_TIMEOUT_SECONDS,
        check=False,
    )
    if finished.returncode:
        said = (finished.stderr.strip().splitlines() or ["no message"])[-1]
        raise ProblemError(f"the version's own code cannot answer here, so nothing can be compared with it: {said}")
    return list(json.loads(answer.read_text(encoding="utf-8"))["predictions"])


def _difference(number: int, row: Row, given: Mapping[str, Any], own: Mapping[str, Any]) -> float:
    """The largest relative difference of the row's numbers. Raises VerdictError."""
    if "predicted_label" in own:
        _require_equal(number, row, given["predicted_label"], own["predicted_label"])
    pairs = [(given["score"], own["score"]), *zip(given.get("probabilities", ()), own.get("probabilities", ()), strict=False)]
    for pair in pairs:
        _require_equal(number, row, *pair)
    return max(0.0 if one == other else abs(one - other) / max(abs(one), abs(other)) for one, other in pairs)


def _require_equal(number: int, row: Row, given: Any, expected: Any) -> None:
    is_text = isinstance(given, str)
    if given == expected or (not is_text and math.isclose(given, float(expected), rel_tol=RELATIVE_TOLERANCE, abs_tol=SMALLEST)):
        return
    raise VerdictError(f"not exported: the file answers {given!r} to row {number + 1} ({','.join(row)}), the version {expected!r}")
