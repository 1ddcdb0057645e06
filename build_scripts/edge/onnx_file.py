"""One file of a version: the fitted preparation, the model and the decision as an ONNX graph, with the version's facts.

Input: an unpacked version (`Served` of pipelines/tabular/steps/served.py). Output: the file's bytes. Next: `comparison.py` asks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    scores = _scores(graph, prepared(graph, served.state), served)
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


def _scores(graph: Graph, matrix: str, served: Any) -> str:
    """To add an algorithm with a model of its own: a file beside `linear.py`, and a line here."""
    if isinstance(served.model, load("trees").Trees):
        return trees.scores(graph, matrix, served.model.booster)
    if isinstance(served.model, load("algorithms.linear").Linear):
        return linear.scores(graph, matrix, served.model)
    raise ProblemError(
        f"algorithm {served.version['algorithm']!r} has no form in ONNX; exportable: models that are Trees or Linear of "
        "pipelines/tabular/steps; add its operators in build_scripts/edge/"
    )
