"""Adds operations to a moto service, or replaces the ones that only pretend.

An operation is a function `(context, parameters) -> result`: the request's place and JSON members in, the answer's out, which may have more
than the operation's model has. It raises `ServiceError` to answer an AWS error. Works for moto services that speak AWS JSON.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from local_account.api.reading import model
from local_account.context import Context
from local_account.errors import ServiceError

Operation = Callable[[Context, dict[str, Any]], Mapping[str, Any]]


def install_operations(context: Context, response_class: Any, operations: Mapping[str, Operation]) -> None:
    """Put `operations` (snake-case name -> function) on moto's response class, which answers for every account and region of the process.

    A later process' replace an earlier one's.
    """
    for name, operation in operations.items():
        setattr(response_class, name, _method(context, name, operation))


def _method(context: Context, name: str, operation: Operation) -> Callable[[Any], Any]:
    def call(response: Any) -> Any:
        try:
            place = context.places.at(response.current_account, response.region)
            result = operation(place, json.loads(response.body or "{}"))
        except ServiceError as error:
            body = json.dumps({"__type": error.code, "message": error.message})
            return error.status, {"status": error.status, "x-amzn-errortype": error.code}, body
        return json.dumps(as_shape(_answer_shape(response.service_name, name), result), default=seconds)

    return call


@functools.cache
def _answer_shape(service: str, name: str) -> Any:
    from botocore import xform_name

    operation = next(operation for operation in model(service).operation_names if xform_name(operation) == name)
    return model(service).operation_model(operation).output_shape


def as_shape(shape: Any, value: Any) -> Any:
    """`value` without what botocore's `shape` does not have, and without None. No shape has no members."""
    if shape is None:
        return {}
    if shape.type_name == "structure" and isinstance(value, Mapping):
        return {name: as_shape(member, value[name]) for name, member in shape.members.items() if value.get(name) is not None}
    if shape.type_name == "list" and isinstance(value, list | tuple):
        return [as_shape(shape.member, item) for item in value]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {key: as_shape(shape.value, item) for key, item in value.items() if item is not None}
    return value


def seconds(value: object) -> float:
    """AWS JSON writes a time as seconds since 1970."""
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} is not part of AWS JSON")
