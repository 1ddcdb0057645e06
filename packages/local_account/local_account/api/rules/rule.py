"""The rules of all services by operation, how they are asked, and what several of them need."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_account.api.reading import Call
from local_account.context import Context
from local_account.errors import ServiceError

#: Raises ServiceError for a request that the service would refuse.
Rule = Callable[[Context, Mapping[str, Any]], None]

_RULES: dict[tuple[str, str], list[Rule]] = {}


def rule(service: str, *operations: str) -> Callable[[Rule], Rule]:
    """Registers a rule of these operations; rules of an operation are asked in the order in which they are written."""

    def register(function: Rule) -> Rule:
        for operation in operations:
            _RULES.setdefault((service, operation), []).append(function)
        return function

    return register


def registered(service: str, operation: str) -> Sequence[Rule]:
    return _RULES.get((service, operation), ())


def has_rules(call: Call) -> bool:
    return bool(registered(call.service, call.operation))


def require(context: Context, call: Call) -> None:
    """Raises ServiceError for what a rule of the operation refuses. May ask the account itself, so not on its event loop."""
    for each in registered(call.service, call.operation):
        each(context, call.parameters)


def require_json(text: Any, error: ServiceError) -> Any:
    """The value that a text is in JSON. Raises `error` if it is none."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, TypeError, RecursionError):
        raise error from None


def json_of(text: Any, error: ServiceError) -> Any:
    """The document that a text is, which is an object. Raises `error` if it is none."""
    document = require_json(text, error)
    if not isinstance(document, dict):
        raise error
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def is_there(ask: Callable[..., Any], **request: Any) -> bool:
    """Whether an operation that describes something finds it."""
    from botocore.exceptions import ClientError

    try:
        ask(**request)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404):
            return False
        raise
    return True
