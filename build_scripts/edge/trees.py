"""XGBoost's trees as operators, with the same bits: from the prepared matrix to values or probabilities.

Input: a booster (pipelines/tabular/steps/trees.py). XGBoost compares in single precision (`value < threshold` goes left) and adds the
leaves to the base score one after the other, in single precision too. The order matters: added otherwise, the sum of some hundred leaves
differs by more than 1e-6. So each tree has a target of its own, and a running sum adds them.
The document that `Booster.save_raw("json")` gives: "Introduction to Model IO" of XGBoost's documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build_scripts.command_line import ProblemError
from build_scripts.edge.graph import DOUBLE, FLOAT, Graph

Floats32 = NDArray[np.float32]
Tree = Mapping[str, Any]

BINARY, MULTICLASS = "binary:logistic", "multi:softprob"
#: The sum itself, and its exponential.
SUMS, EXPONENTIALS = ("reg:squarederror", "reg:quantileerror"), ("count:poisson", "reg:gamma")
#: -x is cut here, before its exponential is infinite: `Sigmoid` of XGBoost's common/math.h.
LARGEST_EXPONENT = 88.7


def scores(graph: Graph, matrix: str, booster: Any) -> str:
    """Float64: values or probabilities of the positive class (rows), or rows x classes. Raises ProblemError for trees of another kind."""
    learner = json.loads(booster.save_raw("json"))["learner"]
    objective = learner["objective"]["name"]
    _require_known(learner, objective)
    margins = _margins(graph, matrix, _by_class(learner["gradient_booster"]["model"]), _base(learner, objective))
    if objective == MULTICLASS:
        return graph.cast(_softmax(graph, margins), DOUBLE)
    only = graph.add("Squeeze", margins, graph.indices(1))
    if objective in EXPONENTIALS:
        return graph.cast(_exponential(graph, only), DOUBLE)
    return graph.cast(only if objective in SUMS else _sigmoid(graph, only), DOUBLE)


def _require_known(learner: Mapping[str, Any], objective: str) -> None:
    model = learner["gradient_booster"]
    trees = model.get("model", {}).get("trees", ())
    problem = None
    if model["name"] != "gbtree":
        problem = f"its booster is {model['name']}; allowed: gbtree"
    elif objective not in (known := (*SUMS, *EXPONENTIALS, BINARY, MULTICLASS)):
        problem = f"its objective is {objective}; allowed: {', '.join(known)}"
    elif any(any(tree["split_type"]) or int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees):
        problem = "its trees split by sets of categories, or have several values in a leaf"
    if problem:
        raise ProblemError(f"these trees cannot be exported: {problem} (build_scripts/edge/trees.py)")


def _by_class(model: Mapping[str, Any]) -> list[list[Tree]]:
    """The trees of each class, in the order in which they are added; of one score all of them."""
    of_class: dict[int, list[Tree]] = {}
    for tree, index in zip(model["trees"], model["tree_info"], strict=True):
        of_class.setdefault(index, []).append(tree)
    return [of_class[index] for index in sorted(of_class)]


def _base(learner: Mapping[str, Any], objective: str) -> Floats32:
    """Where each class's sum begins. It is kept as an answer: a probability, an expected count; since XGBoost 3.1 there is one a class."""
    parameters = learner["learner_model_param"]
    kept = np.atleast_1d(np.array(json.loads(parameters["base_score"]), dtype=np.float32))
    if objective == BINARY:
        kept = -np.log((np.float32(1) / kept - np.float32(1)).astype(np.float64)).astype(np.float32)
    if objective in EXPONENTIALS:
        kept = np.log(kept.astype(np.float64)).astype(np.float32)
    return np.broadcast_to(kept, (max(1, int(parameters["num_class"])),))


def _margins(graph: Graph, matrix: str, classes: Sequence[Sequence[Tree]], base: Floats32) -> str:
    """rows x classes, float32. Every tree has a target of its own; a class's first is of one leaf, which holds where its sum begins."""
    each = 1 + max(map(len, classes))
    placed = (
        (index * each + place, tree)
        for index, (begin, trees) in enumerate(zip(base.tolist(), classes, strict=True))
        for place, tree in enumerate([_leaf(begin), *trees])
    )
    leaves = graph.add(
        "TreeEnsembleRegressor",
        matrix,
        n_targets=len(classes) * each,
        aggregate_function="SUM",
        post_transform="NONE",
        **_attributes(placed),
    )
    apart = graph.add("Reshape", leaves, graph.indices(-1, len(classes), each))
    return graph.add("Gather", graph.add("CumSum", apart, graph.index(2)), graph.index(each - 1), axis=2)


def _leaf(value: float) -> Tree:
    """A tree that says the same of every row. (ONNX Runtime gives a target without a tree 0, whatever its base value is.)"""
    return {"left_children": [-1], "right_children": [-1], "split_conditions": [value]}


def _attributes(placed: Iterator[tuple[int, Tree]]) -> dict[str, Any]:
    """The trees as the lists that the operator takes. `placed`: each with its target, which also numbers it."""
    names = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids", "missing_value_tracks_true")
    nodes: dict[str, list[Any]] = {f"nodes_{name}": [] for name in names}
    leaves: dict[str, list[Any]] = {f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
    for target, tree in placed:
        for node in _reached(tree):
            left, right, value = (tree[name][node] for name in ("left_children", "right_children", "split_conditions"))
            is_leaf = left < 0
            if is_leaf:
                row: tuple[Any, ...] = (target, node, 0, "LEAF", 0.0, 0, 0, 0)
                for name, held in zip(leaves, (target, node, target, value), strict=True):
                    leaves[name].append(held)
            else:
                row = (target, node, tree["split_indices"][node], "BRANCH_LT", value, left, right, int(tree["default_left"][node]))
            for name, held in zip(nodes, row, strict=True):
                nodes[name].append(held)
    return {**nodes, **leaves}


def _reached(tree: Tree) -> Iterator[int]:
    """The nodes from the root on; those that pruning has cut off are kept in the document, too."""
    waiting = [0]
    while waiting:
        node = waiting.pop()
        yield node
        if tree["left_children"][node] >= 0:
            waiting += [tree["right_children"][node], tree["left_children"][node]]


def _sigmoid(graph: Graph, margins: str) -> str:
    """1 / (exp(-x) + 1) in single precision, as XGBoost's: the operator of this name is an approximation."""
    opposite = graph.add("Min", graph.add("Neg", margins), graph.constant(np.array(LARGEST_EXPONENT, dtype=np.float32)))
    one = graph.constant(np.array(1, dtype=np.float32))
    return graph.add("Div", one, graph.add("Add", _exponential(graph, opposite), one))


def _softmax(graph: Graph, margins: str) -> str:
    """Single precision but for the sum, as `Softmax` of XGBoost's common/math.h."""
    largest = graph.add("ReduceMax", margins, axes=[1], keepdims=1)
    raised = _exponential(graph, graph.add("Sub", margins, largest))
    total = graph.add("ReduceSum", graph.cast(raised, DOUBLE), graph.indices(1), keepdims=1)
    return graph.add("Div", raised, graph.cast(total, FLOAT))


def _exponential(graph: Graph, values: str) -> str:
    """Rounded to the nearest float32: that of double precision, because the operator's own is coarser in single."""
    return graph.cast(graph.add("Exp", graph.cast(values, DOUBLE)), FLOAT)
