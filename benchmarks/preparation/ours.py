"""The template's preparation, from a Parquet file to the matrix that a model learns from. Prints what it took as JSON.

    python ours.py <steps folder> <specification.json> <data.parquet> [<matrix.npy>]

A process of its own, started with nothing imported, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from measured import report

STEPS, SPECIFICATION, DATA = sys.argv[1:4]
sys.path.insert(0, STEPS)
import features  # noqa: E402 - found through the line above
import fitting  # noqa: E402 - found through the line above
import specification  # noqa: E402 - found through the line above
import table as tables  # noqa: E402 - found through the line above

started = time.perf_counter()
wanted = specification.load(SPECIFICATION)
table = tables.read(DATA)
numeric = {name: tables.floats(table.columns[name]) for name in wanted.numeric}
categorical = {name: tables.labels(table.columns[name]) for name in wanted.categorical}
state = fitting.fit(numeric, categorical, wanted.preparation).state
preparer = features.Preparer(state)
matrix = preparer.transform(features.stack(numeric, wanted.numeric, table.rows), [categorical[name] for name in wanted.categorical])
seconds = time.perf_counter() - started
print(json.dumps(report(seconds, matrix, preparer.outputs)))
if len(sys.argv) > 4:
    np.save(sys.argv[4], matrix)
