"""Adds operations to a moto service, or replaces the ones that only pretend.

An operation is a function `(context, parameters) -> result`: the request's place and JSON members in, the answer's out.
It raises `ServiceError` to answer an AWS error. Works for moto services that speak AWS JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from local_account.context import Context
from local_account.errors import ServiceError

Operation = Callable[[Context, dict[str, Any]], Mapping[str, Any]]


def install_operations(context: Context, response_class: Any, operations: Mapping[str, Operation]) -> None:
    """Put `operations` (snake-case name -> function) on moto's response class, which answers for every account and region of the process.

    A later process' replace an earlier one's.
    """
    for name, operation in operations.items():
        setattr(response_class, name, _method(context, operation))


def _method(context: Context, operation: Operation) -> Callable[[Any], Any]:
    def call(response: Any) -> Any:
        try:
            place = context.places.at(response.current_account, response.region)
            result = operation(place, json.loads(response.body or "{}"))
        except ServiceError as error:
            body = json.dumps({"__type": error.code, "message": error.message})
            return error.status, {"status": error.status, "x-amzn-errortype": error.code}, body
        return json.dumps(result, default=seconds)

    return call


def seconds(value: object) -> float:
    """AWS JSON writes a time as seconds since 1970."""
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} is not part of AWS JSON")
