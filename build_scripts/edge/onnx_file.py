"""One file of a version: the fitted preparation, the model and the decision as an ONNX graph, with the version's facts.

Input: an unpacked version (`Served` of pipelines/tabular/steps/served.py). Output: the file's bytes. Next: `comparison.py` asks it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import checker, helper

from build_scripts.command_line import ProblemError
from build_scripts.edge import answers, linear, trees
from build_scripts.edge.graph import DOUBLE, IR_VERSION, ML, ML_OPSET, OPSET, STRING, Graph
from build_scripts.edge.preparation import prepared
from build_scripts.step_modules import load


def made(served: Any, facts: Mapping[str, str]) -> bytes:
    """`facts`: kept in the file's metadata, by name. Raises ProblemError for a model that has no form in ONNX here."""
    preparer, classes = served.preparer, served.about["classes"]
    outputs = answers.names(served.features, has_classes=classes is not None)
    graph = Graph([*served.features, *outputs])
    scores = _scores(graph, prepared(graph, served.state), served.model, served.version["algorithm"])
    given = [helper.make_tensor_value_info(name, DOUBLE, [answers.ROWS]) for name in preparer.numeric]
    given += [helper.make_tensor_value_info(name, STRING, [answers.ROWS]) for name in preparer.categorical]
    threshold = served.threshold if served.about["problem"] == "binary" else None
    answered = answers.add(graph, scores, outputs, classes, threshold)
    model = helper.make_model(
        helper.make_graph(graph.nodes, served.state["model"], given, answered, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)],
        ir_version=IR_VERSION,
        producer_name="build_scripts.export",
    )
    helper.set_model_props(model, dict(facts))
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _scores(graph: Graph, matrix: str, model: Any, algorithm: str) -> str:
    """To add an algorithm with a model of its own: a file beside `linear.py`, and a line here."""
    if isinstance(model, load("trees").Trees):
        return trees.scores(graph, matrix, model.booster)
    if isinstance(model, load("algorithms.linear").Linear):
        return linear.scores(graph, matrix, model)
    if isinstance(model, load("blend").Blend):
        return _blended(graph, matrix, model)
    raise ProblemError(
        f"algorithm {algorithm!r} has no form in ONNX; exportable: models that are Trees or Linear of "
        "pipelines/tabular/steps, and blends of those; add its operators in build_scripts/edge/"
    )


def _blended(graph: Graph, matrix: str, model: Any) -> str:
    """The weighted mean, added in the order of the members as steps/blend.py does it."""
    said = [
        graph.add("Mul", graph.constant(np.array(member.weight)), _scores(graph, matrix, member.model, member.algorithm))
        for member in model.members
    ]
    return functools.reduce(lambda summed, each: graph.add("Add", summed, each), said)
