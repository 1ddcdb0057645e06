"""The identifiers of a table, as a number of 64 bits for each row: ten million texts would not fit into memory.

Two of n identifiers share a number by chance with a probability of n² / 2^65: one in 370,000 for ten million. Input: a `Table` and the
specification. Output: `Identifiers`. Used by `column_checks.py`, `other_rows.py` and `parts.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import split
from column_values import labels_of_chunks
from odd_values import is_odd
from specification import Specification
from split import Words
from table import Table


@dataclass
class Identifiers:
    """`words`: of the rows, by which the split goes too. `missing`: rows without one. `odd`: rows of values that are no identifiers."""

    words: Words
    missing: list[int] = field(default_factory=list)
    odd: dict[str, list[int]] = field(default_factory=dict)


def of(table: Table, specification: Specification) -> Identifiers:
    """Those of a table, which is read once for them. Raises UnreadableError."""
    found = table.remembered.setdefault("identifiers", Identifiers(np.empty(0, dtype=np.uint64)))
    found.words = table.arrays.get("identifiers", lambda: _scan(table, specification, found))
    return found  # type: ignore[no-any-return]  # what is remembered may be anything


def _scan(table: Table, specification: Specification, found: Identifiers) -> Iterator[Words]:
    found.missing, found.odd = [], {}
    salt, begun = specification.preparation["split"]["salt"], 0
    for distinct, codes in labels_of_chunks(table.columns[str(specification.identifier)]):
        strange = [(code, value) for code, value in enumerate(distinct) if value is None or is_odd(value)]
        for code, value in strange:
            rows = (begun + np.flatnonzero(codes == code)).tolist()
            (found.missing if value is None else found.odd.setdefault(value, [])).extend(rows)
        begun += len(codes)
        yield split.words(map(str, distinct), salt)[codes]
