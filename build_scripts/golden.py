"""The golden rows of a version: untouched test rows with their true answers, and what the version said when it was evaluated.

Input: golden.csv, which pipelines/tabular/steps/evaluate.py writes beside the evaluation. Used by verify.py, which wants the same
answers, and by whoever needs rows that a version surely takes: load_test.py, example_request.py and the demo.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.objects import content
from build_scripts.registry import Version
from build_scripts.version_contract import Contract

#: Column with what the version answered: a number, or the name of the decided class.
PREDICTION = "prediction"


@dataclass(frozen=True)
class Golden:
    """Each list has one entry a row. `rows` holds cells in the order of a request."""

    rows: list[list[str]]
    truth: list[str]
    expected: list[str]


def read(s3: Any, version: Version, contract: Contract) -> Golden:
    """Raises ProblemError if the version names none, or they are gone or not to be read."""
    url = version.facts.get("golden-url")
    if not url:
        raise ProblemError(f"version {version.number} has no golden-url in its metadata; train it again")
    rows = content(s3, url)
    if rows is None:
        where = f"{url} does not exist, or may not be read with these credentials"
        raise ProblemError(f"the golden rows of version {version.number} are gone: {where}; train it again, or allow s3:GetObject")
    return parse(rows.decode(), contract)


def parse(text: str, contract: Contract) -> Golden:
    """Raises ProblemError for other columns than the version's, and without a row."""
    wanted = [*contract.features, contract.target, PREDICTION]
    header, *records = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    if header != wanted:
        raise ProblemError(f"golden.csv has the columns {', '.join(header)} instead of {', '.join(wanted)}; train the version again")
    if not records:
        raise ProblemError("golden.csv has no rows; train the version again")
    # By position: a column may have the name of another one.
    return Golden([record[:-2] for record in records], [record[-2] for record in records], [record[-1] for record in records])
