"""Completes a connection, in the place of the person who authorises AWS's app at the provider: `GET` and `PUT /_local/handshake`.

    python -m local_account.handshake github

In AWS this is a page of the console that leads to the provider's own (Developer Tools console user guide, "Update a pending connection");
no API does it, so it has its own path here. In: JSON with `connection`, a name or an ARN. Out: JSON with every connection in the shape of
ListConnections. The run's secret is the password (HTTP basic authentication). Next: `local_account/handshake.py`, the command.
"""

from __future__ import annotations

import json
from typing import Any

from local_account import codecommit
from local_account.connections.operations import described
from local_account.connections.store import AVAILABLE, Connection, connections_of
from local_account.context import Context
from local_account.errors import ServiceError
from local_account.response import Response
from local_account.signatures import Request

PATH = "/_local/handshake"


def serve_handshake(context: Context, request: Request) -> Response:
    """Answer a request for `PATH`. Raises ServiceError (400) for a connection that is not there."""
    refused = codecommit.refusal(context, request)
    if refused is not None:
        return refused
    if request.method == "PUT":
        complete(context, _named(request.body))
    elif request.method != "GET":
        raise ServiceError("MethodNotAllowed", f"{PATH} answers GET and PUT, not {request.method}.", 405)
    connections = [described(place, connection) for place in context.places.all() for connection in connections_of(place).every()]
    return Response(200, json.dumps({"Connections": connections}).encode(), {"content-type": "application/json"})


def complete(context: Context, name: str) -> Connection:
    """Make a connection AVAILABLE. `name` may be its ARN. Raises ServiceError (400)."""
    every = [connection for place in context.places.all() for connection in connections_of(place).every()]
    found = next((connection for connection in every if name in (connection.name, connection.arn)), None)
    if found is None:
        known = ", ".join(connection.name for connection in every) or "none; make one with `aws codeconnections create-connection`"
        raise ServiceError("ResourceNotFoundException", f"There is no connection {name!r}; connections: {known}.")
    found.status = AVAILABLE
    return found


def _named(body: bytes) -> str:
    try:
        given: Any = json.loads(body)
    except ValueError:
        given = None
    if not isinstance(given, dict) or set(given) != {"connection"} or not isinstance(given["connection"], str):
        raise ServiceError("ValidationException", f'{PATH} takes a JSON object with "connection", the name or ARN of one.')
    return given["connection"]
