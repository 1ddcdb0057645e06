"""Holds requests and answers to botocore's own model of SageMaker, also those that a pipeline makes on a user's behalf.

What clients send is checked at the port (`gateway.py`); `check` does the same for what a pipeline's steps ask for (`pipelines/steps.py`).
What is behind these doors can rely on types, required members, enums, lengths and patterns, and that no member arrives that would be
dropped: `api/validation.py`, `api/members.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.api import members, validation
from local_account.api.reading import Call, input_shape, model
from local_account.moto_operations import as_shape


def check(operation: str, request: Mapping[str, Any]) -> None:
    """Raises ServiceError as the port does for a request that AWS's model does not allow, or that asks for what is not acted on."""
    validation.require_allowed(Call("sagemaker", operation, request))


def refuse(operation: str, request: Mapping[str, Any]) -> None:
    """Raises NotImplemented that names the first member of `request` that is not acted on. What the model does not have is left aside."""
    known = Call("sagemaker", operation, as_shape(input_shape("sagemaker", operation), request))
    members.require_emulated(known)
    members.require_emulated_values(known)


def as_modelled(operation: str, request: Any) -> Any:
    """`request` with numbers and booleans given as text where the API needs text, and the reverse.

    SageMaker Pipelines does this too: an evaluated parameter may be an integer where the API has a string.
    """
    return _coerce(request, input_shape("sagemaker", operation))


def _coerce(value: Any, shape: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, dict):
        return {key: _coerce(item, shape.members[key]) if key in shape.members else item for key, item in value.items() if item is not None}
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _coerce(item, shape.value) for key, item in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_coerce(item, shape.member) for item in value]
    if shape.type_name == "string" and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if shape.type_name in ("integer", "long") and isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    return value


def given(operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a request that have a value: null on the wire is none."""
    return dict(as_shape(input_shape("sagemaker", operation), request))


def answered(operation: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The members of `answer` that the operation's model has: a List operation may return whole descriptions for its summaries."""
    return dict(as_shape(model("sagemaker").operation_model(operation).output_shape, answer))
