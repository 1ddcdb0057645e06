"""Output parameters of Lambda steps: what a definition declares, and what the function's answer makes of it. Pure.

Sources: the definition's schema 2020-12-01 (LambdaStep); the SDK's documentation of LambdaStep, by which output parameters are not
nested and what is nested becomes one text; OutputParameter of the SageMaker API for the limits. Used by `steps.py` and `schema.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: Members of a Lambda step that other steps do not have.
MEMBERS = ("FunctionArn", "OutputParameters")
_TYPES: Mapping[str, tuple[type, ...]] = {"Integer": (int,), "Float": (int, float), "Boolean": (bool,)}
_FUNCTION_ARN = re.compile(r"arn:aws[a-z\-]*:lambda:[a-z0-9\-]*:[0-9]{12}:function:.+")
_MOST_OUTPUTS, _LONGEST_VALUE = 50, 1024


class OutputError(ValueError):
    """The function's answer is not what the step declares. The message says how."""


def problems(document: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a Lambda step's own members."""
    arn, outputs = document.get("FunctionArn"), document.get("OutputParameters") or []
    if not isinstance(arn, str) or not _FUNCTION_ARN.fullmatch(arn):
        yield f"FunctionArn is {arn!r}; allowed: the ARN of a Lambda function"
    if not isinstance(outputs, list) or len(outputs) > _MOST_OUTPUTS:
        yield f"OutputParameters is {str(outputs)[:60]!r}; allowed: a list of at most {_MOST_OUTPUTS}"
        return
    for output in outputs:
        if not isinstance(output, dict) or set(output) != {"OutputName", "OutputType"} or not isinstance(output["OutputName"], str):
            yield f"OutputParameters has {output!r}; allowed: objects with the texts OutputName and OutputType"
        elif output["OutputType"] not in (kinds := ("String", *_TYPES)):
            yield f"OutputParameters has OutputType {output['OutputType']!r}; allowed: {', '.join(kinds)}"


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
