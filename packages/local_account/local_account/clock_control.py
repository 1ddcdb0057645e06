"""Reads and sets the account's clock from outside: `GET` and `PUT /_local/clock`. AWS has nothing like it, so it has its own path.

    curl --user :$AWS_SECRET_ACCESS_KEY -X PUT -d '{"speed": 60}' $AWS_ENDPOINT_URL/_local/clock

In: JSON with one or more of `speed` (simulated seconds per real second), `now` (ISO 8601 with offset, not in the past) and
`requests_keep_pace` (true: in metrics each request counts as `speed` requests, so that ten a second are ten a simulated second).
Out: JSON with all of them as they are then. The run's secret is the password (HTTP basic authentication).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from local_account import codecommit
from local_account.context import Context
from local_account.errors import ServiceError
from local_account.response import Response
from local_account.signatures import Request

PATH = "/_local/clock"
_MAXIMUM_SPEED = 3600.0


def serve_clock(context: Context, request: Request) -> Response:
    """Answer a request for `PATH`. Raises ServiceError (400) for values that are not allowed."""
    refused = codecommit.refusal(context, request)
    if refused is not None:
        return refused
    if request.method == "PUT":
        _change(context, request.body)
    elif request.method != "GET":
        raise ServiceError("MethodNotAllowed", f"{PATH} answers GET and PUT, not {request.method}.", 405)
    clock = context.clock
    body = {"now": clock.now().isoformat(), "speed": clock.speed, "requests_keep_pace": clock.requests_keep_pace}
    return Response(200, json.dumps(body).encode(), {"content-type": "application/json"})


def _change(context: Context, body: bytes) -> None:
    try:
        wanted: Any = json.loads(body)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict) or not wanted or set(wanted) - {"speed", "now", "requests_keep_pace"}:
        raise ServiceError("ValidationException", f'{PATH} takes a JSON object with "speed", "now" or "requests_keep_pace".')
    keep_pace = wanted.get("requests_keep_pace", context.clock.requests_keep_pace)
    if not isinstance(keep_pace, bool):
        raise ServiceError("ValidationException", f"requests_keep_pace is {keep_pace!r}; allowed: true, false")
    speed = wanted.get("speed")
    if speed is not None and not (isinstance(speed, int | float) and 0 < speed <= _MAXIMUM_SPEED):
        raise ServiceError("ValidationException", f"speed is {speed!r}; allowed: more than 0, at most {_MAXIMUM_SPEED:.0f}")
    try:
        now = datetime.fromisoformat(wanted["now"]).astimezone(UTC) if "now" in wanted else None
        context.clock.change(speed=speed, now=now)
    except (TypeError, ValueError) as error:
        raise ServiceError("ValidationException", f"now: {error}") from error
    context.clock.requests_keep_pace = keep_pace
