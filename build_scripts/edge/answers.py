"""What the file answers: the members of an endpoint's answer (pipelines/tabular/steps/inference.py), as outputs of the graph.

Of a regression the score; of classes also the decided one and the probability of each. The decision is that of steps/decisions.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import ValueInfoProto, helper

from build_scripts.edge.graph import DOUBLE, INT64, STRING, Graph

#: Of every input and output: how many rows are asked is open.
ROWS = "rows"


def names(features: Sequence[str], *, has_classes: bool) -> list[str]:
    """Of the outputs. A column may be called score: the output has an underscore more, because a graph has each name once."""
    wanted = ["score", "predicted_label", "probabilities"] if has_classes else ["score"]
    return [name if name not in features else _other(name, features) for name in wanted]


def _other(name: str, features: Sequence[str]) -> str:
    while name in features:
        name += "_"
    return name


def add(graph: Graph, scores: str, outputs: Sequence[str], classes: Sequence[str] | None, threshold: float | None) -> list[ValueInfoProto]:
    """`scores`: float64, as the model gives them. `outputs`: by `names`. `threshold`: of two classes. Returns the typed outputs."""
    score = helper.make_tensor_value_info(outputs[0], DOUBLE, [ROWS])
    if classes is None:
        graph.add("Identity", scores, result=outputs[0])
        return [score]
    if threshold is not None:
        decided = _two_classes(graph, scores, outputs, threshold)
    else:
        decided = graph.add("ArgMax", scores, axis=1, keepdims=0)
        graph.add("ReduceMax", scores, result=outputs[0], axes=[1], keepdims=0)
        graph.add("Identity", scores, result=outputs[2])
    graph.add("Gather", graph.constant(np.array(classes, dtype=object)), decided, result=outputs[1], axis=0)
    label = helper.make_tensor_value_info(outputs[1], STRING, [ROWS])
    return [score, label, helper.make_tensor_value_info(outputs[2], DOUBLE, [ROWS, len(classes)])]


def _two_classes(graph: Graph, scores: str, outputs: Sequence[str], threshold: float) -> str:
    """The index of the decided class: the positive one, which is the last, from the threshold on."""
    graph.add("Identity", scores, result=outputs[0])
    negative = graph.add("Sub", graph.constant(np.array(1.0)), scores)
    graph.add("Concat", graph.as_column(negative), graph.as_column(scores), result=outputs[2], axis=1)
    return graph.cast(graph.add("GreaterOrEqual", scores, graph.constant(np.array(threshold))), INT64)
