"""A number of 64 bits for each row of a table, which rows with equal features share: what tells rows apart without an identifier.

Two of n different rows share one by chance with a probability of n² / 2^65: one in 370,000 for ten million. Input: a `Table` whose cells
can be read, and the specification. Used by `table_checks.py` and `parts.py`.
"""

from __future__ import annotations

import split
from on_demand import OnDemand
from specification import Specification
from split import Words
from table import Table


def of_features(table: Table, specification: Specification) -> Words:
    numeric, categorical = OnDemand(specification.numeric, table.numbers), OnDemand(specification.categorical, table.categories)
    return table.arrays.get("row words", lambda: [split.content_words(numeric, categorical, specification.preparation["split"]["salt"])])
