"""A linear model as operators, in float64: from the prepared matrix to values or probabilities (steps/algorithms/linear.py)."""

from __future__ import annotations

from typing import Any

import numpy as np

from build_scripts.edge.graph import DOUBLE, Graph


def scores(graph: Graph, matrix: str, model: Any) -> str:
    """Values or probabilities of the positive class (rows), or rows x classes."""
    products = graph.add("MatMul", graph.cast(matrix, DOUBLE), graph.constant(model.coefficients))
    summed = graph.add("Add", products, graph.constant(model.intercepts))
    if model.problem == "multiclass":
        return _softmax(graph, summed)
    only = graph.add("Squeeze", summed, graph.indices(1))
    if model.problem == "regression":
        return graph.add("Exp", only) if model.is_exponential else only
    return _sigmoid(graph, only)


def _sigmoid(graph: Graph, values: str) -> str:
    one = graph.constant(np.array(1.0))
    return graph.add("Div", one, graph.add("Add", one, graph.add("Exp", graph.add("Neg", values))))


def _softmax(graph: Graph, values: str) -> str:
    raised = graph.add("Exp", graph.add("Sub", values, graph.add("ReduceMax", values, axes=[1], keepdims=1)))
    return graph.add("Div", raised, graph.add("ReduceSum", raised, graph.indices(1), keepdims=1))
