"""An ONNX graph while it is made: operators are added one after the other, and each gives the name of its result.

Used by the other files of this folder. What an operator does: "ONNX Operators" and "ai.onnx.ml" of the ONNX documentation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

#: The operators' versions. No newer than is needed, because devices keep the runtime that they have: ONNX Runtime 1.12 (2022) and later.
OPSET, ML_OPSET, IR_VERSION = 17, 3, 8
ML = "ai.onnx.ml"
FLOAT, DOUBLE, INT64, STRING = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.STRING


class Graph:
    """Nodes and constants. `taken`: names that belong to the inputs and outputs."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._taken = set(taken)

    def add(self, operator: str, *inputs: str, result: str | None = None, **attributes: Any) -> str:
        """`result`: the name of an output of the file, else one of the graph's own. Attributes as the operator has them."""
        name = result or self._free(operator)
        domain = ML if operator in ("TreeEnsembleRegressor", "LabelEncoder") else ""
        self.nodes.append(helper.make_node(operator, list(inputs), [name], domain=domain, **attributes))
        return name

    def constant(self, values: NDArray[Any]) -> str:
        name = self._free("constant")
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def indices(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def index(self, value: int) -> str:
        """Of no dimension, as axes and depths are given."""
        return self.constant(np.array(value, dtype=np.int64))

    def cast(self, name: str, kind: int) -> str:
        return self.add("Cast", name, to=kind)

    def joined(self, columns: list[str]) -> str:
        """Matrices side by side."""
        return columns[0] if len(columns) == 1 else self.add("Concat", *columns, axis=1)

    def as_column(self, name: str) -> str:
        """rows -> rows x 1."""
        return self.add("Unsqueeze", name, self.indices(1))

    def _free(self, kind: str) -> str:
        count = len(self._taken)
        while (name := f"{kind}_{count}") in self._taken:
            count += 1
        self._taken.add(name)
        return name
