"""Checks requests against botocore's own model of SageMaker, also those that a pipeline makes on a user's behalf."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from local_account.errors import ServiceError


@lru_cache(maxsize=1)
def _service_model() -> Any:
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")


def check(operation: str, request: Mapping[str, Any]) -> None:
    """Raises a ValidationException that names every missing, unknown or mistyped member of `request`."""
    from botocore.validate import ParamValidator

    shape = _service_model().operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise ServiceError("ValidationException", f"{operation}: {report.generate_report()}".replace("\n", "; "))


def as_modelled(operation: str, request: Any) -> Any:
    """`request` with numbers and booleans given as text where the API needs text, and the reverse.

    SageMaker Pipelines does this too: an evaluated parameter may be an integer where the API has a string.
    """
    return _coerce(request, _service_model().operation_model(operation).input_shape)


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
