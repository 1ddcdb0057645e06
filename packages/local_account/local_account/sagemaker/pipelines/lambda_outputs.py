"""Output parameters of Lambda steps: what a definition declares, and what the function's answer makes of it. Pure.

Sources: the definition's schema 2020-12-01 (LambdaStep); the SDK's documentation of LambdaStep, by which output parameters are not
nested and what is nested becomes one text; OutputParameter of the SageMaker API for the limits. `schema.py` holds the declaration to its
form. Used by `steps.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {"Integer": (int,), "Float": (int, float), "Boolean": (bool,)}
_LONGEST_VALUE = 1024


class OutputError(ValueError):
    """The function's answer is not what the step declares. The message says how."""


def names(document: Mapping[str, Any]) -> list[str]:
    return [str(output.get("OutputName")) for output in document.get("OutputParameters") or []]


def values(declared: Sequence[Mapping[str, Any]], answer: Any) -> dict[str, Any]:
    """The declared outputs out of the function's answer, each of its type. Raises OutputError."""
    given = answer if isinstance(answer, dict) else {}
    missing = [output["OutputName"] for output in declared if output["OutputName"] not in given]
    if missing:
        raise OutputError(f"the answer {json.dumps(answer)[:200]} has no {', '.join(missing)}")
    return {output["OutputName"]: _typed(output["OutputName"], output["OutputType"], given[output["OutputName"]]) for output in declared}


def as_text(value: Any) -> str:
    """How a value is shown, and what one that is no text becomes where text is declared."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _typed(name: str, kind: str, value: Any) -> Any:
    if kind == "String":
        text = as_text(value)
        if len(text) > _LONGEST_VALUE:
            raise OutputError(f"the output {name} has {len(text)} characters; allowed: {_LONGEST_VALUE}")
        return text
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "Boolean"):
        raise OutputError(f"the output {name} is {value!r}; declared: {kind}")
    return value
