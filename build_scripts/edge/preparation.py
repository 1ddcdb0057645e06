"""The fitted preparation as operators: what pipelines/tabular/steps/features.py does to a row, in the same order and precision.

Input: the columns of a request, each a tensor of its own: float64 with NaN for missing, or text with "" for missing. Output: the matrix
that the model takes, float32. Numbers are calculated in float64 and rounded once, as there, so that both give the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from build_scripts.edge.graph import FLOAT, Graph
from build_scripts.step_modules import load


def prepared(graph: Graph, state: Mapping[str, Any]) -> str:
    """`state`: preparation.json. The inputs have the names of its columns. Returns rows x prepared columns."""
    valued = [column for column in state["categorical"] if column.get("encoding") == "target"]
    one_hot = [column for column in state["categorical"] if column.get("encoding") != "target"]
    blocks = [
        *_numeric(graph, state["numeric"]),
        *(block for column in valued for block in _of_target(graph, column)),
        *(_categorical(graph, column) for column in one_hot),
    ]
    matrix = graph.joined(blocks)
    if state["selected"] is None:
        return matrix
    everything = load("features").Preparer({**state, "selected": None}).outputs
    return graph.add("Gather", matrix, graph.indices(*(everything.index(name) for name in state["selected"])), axis=1)


def _numeric(graph: Graph, columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Filled, clipped, centred, scaled; then an indicator for each column that had gaps in training."""
    if not columns:
        return []
    given = graph.joined([graph.as_column(column["name"]) for column in columns])
    gaps = graph.add("IsNaN", given)
    values = graph.add("Where", gaps, _row(graph, [column["fill"] for column in columns]), given)
    lower = [-np.inf if column["lower"] is None else column["lower"] for column in columns]
    upper = [np.inf if column["upper"] is None else column["upper"] for column in columns]
    values = graph.add("Min", graph.add("Max", values, _row(graph, lower)), _row(graph, upper))
    values = graph.add("Sub", values, _row(graph, [column["centre"] for column in columns]))
    values = graph.add("Div", values, _row(graph, [column["scale"] for column in columns]))
    blocks = [graph.cast(values, FLOAT)]
    indicated = [index for index, column in enumerate(columns) if column["indicator"]]
    if indicated:
        # Through numbers: not every version of ONNX Runtime gathers truth values.
        blocks.append(graph.add("Gather", graph.cast(gaps, FLOAT), graph.indices(*indicated), axis=1))
    return blocks


def _row(graph: Graph, values: Sequence[float]) -> str:
    return graph.constant(np.array([values], dtype=np.float64))


def _of_target(graph: Graph, column: Mapping[str, Any]) -> Iterator[str]:
    """A column of float32 for what each category was answered, by the very numbers that training and serving look up."""
    missing = sorted(load("cells").MISSING)
    categories = [*column["categories"], "", "\0"]  # the last one is unknown
    distinct = [*column["categories"], None, "\0"]
    values = load("target_values").TargetValues(column).of((distinct, np.arange(len(distinct))))
    for index in range(values.shape[1]):
        known = dict(zip(categories, values[:, index].tolist(), strict=True))
        looked_up = dict.fromkeys(missing, known[""]) | known
        unknown = looked_up.pop("\0")
        yield graph.add(
            "LabelEncoder",
            graph.as_column(column["name"]),
            keys_strings=list(looked_up),
            values_floats=list(looked_up.values()),
            default_float=unknown,
        )


def _categorical(graph: Graph, column: Mapping[str, Any]) -> str:
    """A column for each category, one for all others, and one for gaps where training had some.

    What training reads as missing (steps/cells.py) is missing here, too.
    """
    categories = list(column["categories"])
    other = len(categories)
    gap = other + 1 if column["indicator"] else other
    places = dict.fromkeys(sorted(load("cells").MISSING), gap) | {category: place for place, category in enumerate(categories)}
    codes = graph.add("LabelEncoder", column["name"], keys_strings=list(places), values_int64s=list(places.values()), default_int64=other)
    return graph.add("OneHot", codes, graph.index(max(other, gap) + 1), graph.constant(np.array([0, 1], dtype=np.float32)), axis=-1)
