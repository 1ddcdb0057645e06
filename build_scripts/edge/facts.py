"""What an exported file says of itself, in its metadata: which version it is of, what it takes and answers, and what runs it.

They are in the file and not in the registry, because UpdateModelPackage, which could add them there, would put whoever exports in the
place of whoever approved (docs/decisions/0150-one-file-for-the-edge.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import onnx
import onnxruntime

from build_scripts.edge import answers
from build_scripts.edge.graph import IR_VERSION, ML_OPSET, OPSET
from build_scripts.registry import Version
from build_scripts.version_contract import Contract

#: How NumPy and ONNX Runtime call the types of the inputs.
NUMBER, TEXT = "float64", "string"


def facts(version: Version, served: Any, contract: Contract) -> dict[str, str]:
    """Texts by name, as `ModelProto.metadata_props` holds them; lists and tables as JSON."""
    of_version = {name: str(version.facts.get(name, "")) for name in ("model-sha256", "code-sha256", "git-commit")}
    threshold = "" if len(contract.classes) != 2 else repr(served.threshold)
    return {
        "model": contract.model,
        "model-package-arn": version.arn,
        **of_version,
        "algorithm": served.version["algorithm"],
        "opset": str(OPSET),
        "opset-ai.onnx.ml": str(ML_OPSET),
        "ir-version": str(IR_VERSION),
        "made-with": f"onnx {onnx.__version__}",
        "compared-with": f"onnxruntime {onnxruntime.__version__}",
        "inputs": json.dumps(list(_inputs(served, contract)), ensure_ascii=False),
        "outputs": json.dumps(answers.names(contract.features, has_classes=bool(contract.classes))),
        "classes": json.dumps(list(contract.classes), ensure_ascii=False),
        "decision-threshold": threshold,
    }


def _inputs(served: Any, contract: Contract) -> Iterator[dict[str, Any]]:
    """Each with its type, what the contract allows (an endpoint refuses the rest; the file cannot), and the categories that it knows."""
    declared = {column["name"]: column for kind in ("numeric", "categorical") for column in contract.described.get(kind, ())}
    known = {column["name"]: column["categories"] for column in served.state["categorical"]}
    for name in contract.features:
        allowed = {key: declared.get(name, {}).get(key) for key in ("minimum", "maximum", "values")}
        kinds = {"type": TEXT, "categories": known[name]} if name in known else {"type": NUMBER}
        yield {"name": name, **kinds, **{key: value for key, value in allowed.items() if value is not None}}
