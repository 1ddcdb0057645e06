"""Holds requests and answers to botocore's own model of SageMaker, also those that a pipeline makes on a user's behalf.

`check` is called at each door: by `api.py` for what clients send, by `pipelines/steps.py` for what steps ask for. What is behind
the doors can rely on types, required members and enums, and that no member arrives that would be dropped: `api/members.py`, `refused.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from local_account.api import members
from local_account.api.reading import Call
from local_account.errors import ServiceError
from local_account.sagemaker import refused


@lru_cache(maxsize=1)
def service_model() -> Any:
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")


def check(operation: str, request: Mapping[str, Any]) -> None:
    """Raises a ValidationException that names every missing, unknown or mistyped member of `request` and every value that no enum has,
    or NotImplemented for a member that the local account does not act on.
    """
    from botocore.validate import ParamValidator

    shape = service_model().operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise ServiceError("ValidationException", f"{operation}: {report.generate_report()}".replace("\n", "; "))
    wrong = list(_outside_enums(request, shape, ""))
    if wrong:
        count = f"{len(wrong)} validation error{'s' if len(wrong) > 1 else ''} detected"
        raise ServiceError("ValidationException", f"{count}: {'; '.join(wrong)}")
    refuse(operation, request)


def refuse(operation: str, request: Mapping[str, Any]) -> None:
    """Raises NotImplemented that names the first member of `request` that is not acted on. What the model does not have is left aside."""
    known = as_shape(service_model().operation_model(operation).input_shape, request)
    members.require_emulated(Call("sagemaker", operation, known))
    refused.refuse(operation, known)


def _outside_enums(value: Any, shape: Any, path: str) -> Iterator[str]:
    """What AWS says of values that are not in their enum, such as `productionVariants.1.member.instanceType`."""
    if shape.type_name == "structure":
        for name, item in value.items():
            member = f"{name[:1].lower()}{name[1:]}"
            yield from _outside_enums(item, shape.members[name], f"{path}.{member}" if path else member)
    elif shape.type_name == "list":
        for position, item in enumerate(value, start=1):
            yield from _outside_enums(item, shape.member, f"{path}.{position}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _outside_enums(item, shape.value, f"{path}.{key}.member")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        allowed = f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
        yield f"Value '{value}' at '{path}' failed to satisfy constraint: {allowed}"


def as_modelled(operation: str, request: Any) -> Any:
    """`request` with numbers and booleans given as text where the API needs text, and the reverse.

    SageMaker Pipelines does this too: an evaluated parameter may be an integer where the API has a string.
    """
    return _coerce(request, service_model().operation_model(operation).input_shape)


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


def answered(operation: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The members of `answer` that the operation's model has: a List operation may return whole descriptions for its summaries."""
    shape = service_model().operation_model(operation).output_shape
    return dict(as_shape(shape, answer)) if shape is not None else {}


def as_shape(shape: Any, value: Any) -> Any:
    """`value` without what `shape` does not have, and without None."""
    if shape.type_name == "structure" and isinstance(value, Mapping):
        return {name: as_shape(member, value[name]) for name, member in shape.members.items() if value.get(name) is not None}
    if shape.type_name == "list" and isinstance(value, list | tuple):
        return [as_shape(shape.member, item) for item in value]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {key: as_shape(shape.value, item) for key, item in value.items() if item is not None}
    return value
