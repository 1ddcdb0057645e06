"""Rows that a version was evaluated on, with their truth: what a client would send, and what became of it.

Input: the version's evidence (reference.npz, pipelines/tabular/steps/evaluation/reference.py). Used where the story needs more rows than
the few golden ones, as traffic does that is to look like what the version was made of.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from build_scripts.version_contract import Contract

_FILE = "reference.npz"


@dataclass(frozen=True)
class KnownRow:
    """`cells` in the order of a request, empty where missing; `truth` as a label file has it."""

    cells: Sequence[str]
    truth: str


def address(contract_url: str) -> str:
    """Beside the contract."""
    return f"{contract_url.rpartition('/')[0]}/{_FILE}"


def read(content: bytes, contract: Contract) -> list[KnownRow]:
    archive = np.load(io.BytesIO(content), allow_pickle=False)
    columns = [[_number(value) for value in column] for column in archive["numeric"].T.tolist()]
    for index in range(len(contract.categorical)):
        names = ["" if gap else str(name) for name, gap in zip(archive[f"labels_{index}"], archive[f"missing_{index}"], strict=True)]
        columns.append([names[code] for code in archive[f"codes_{index}"].tolist()])
    truths = [contract.classes[int(value)] if contract.classes else repr(value) for value in archive["target"].tolist()]
    return [KnownRow(cells, truth) for *cells, truth in zip(*columns, truths, strict=True)]


def _number(value: float) -> str:
    return "" if np.isnan(value) else repr(value)
