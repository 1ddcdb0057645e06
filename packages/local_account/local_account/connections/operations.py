"""The API of CodeConnections, and of CodeStar Connections, its old name: connections and their tags.

Input: a `Call` that the port has checked against botocore's model. Output: `Response` in AWS JSON, or ServiceError. Hosts, repository
links and sync configurations are not here, and so none of the providers that need a host (GitHub Enterprise Server, GitLab self-managed).
https://docs.aws.amazon.com/codeconnections/latest/APIReference/API_Operations.html. Next: `handshake.py`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local_account.api.reading import Call
from local_account.connections.store import Connection, connections_of
from local_account.context import Context
from local_account.errors import NotEmulatedError, ServiceError
from local_account.response import Response

_DEFAULT_PAGE = 100  # botocore's model, MaxResults: at most so many
_MOST_TAGS = 200  # of one connection, as botocore's `TagList` has it


def begin(context: Context) -> None:
    """Let policies see the tags of connections, beside those of other services."""
    elsewhere = context.existing.tags_elsewhere

    def tags(arn: str) -> Iterable[Mapping[str, str]]:
        found = next((connection for connection in connections_of(context).every() if connection.arn == arn), None)
        return elsewhere(arn) if found is None else _pairs(found)

    context.existing.tags_elsewhere = tags


def answer(context: Context, call: Call) -> Response:
    """Raises ServiceError for what the service would refuse."""
    if call.operation not in _OPERATIONS:
        raise NotEmulatedError(call.service, call.operation)
    body = json.dumps(_OPERATIONS[call.operation](context, call)).encode()
    return Response(200, body, {"content-type": "application/x-amz-json-1.0"})


def _create_connection(context: Context, call: Call) -> Mapping[str, Any]:
    request = call.parameters
    if not request.get("ProviderType"):  # or a HostArn, which this account has not
        raise ServiceError("ValidationException", "CreateConnection needs a ProviderType: Bitbucket, GitHub or GitLab.")
    arn = context.arn(call.service, f"connection/{uuid.uuid4()}")
    connection = Connection(arn, request["ConnectionName"], request["ProviderType"])
    _tag(connection, request.get("Tags") or [])
    connections_of(context).add(connection)
    return {"ConnectionArn": arn, **({"Tags": _pairs(connection)} if connection.tags else {})}


def _get_connection(context: Context, call: Call) -> Mapping[str, Any]:
    return {"Connection": described(context, connections_of(context).get(call.parameters["ConnectionArn"]))}


def _list_connections(context: Context, call: Call) -> Mapping[str, Any]:
    request = call.parameters
    wanted = request.get("ProviderTypeFilter")
    found = [connection for connection in connections_of(context).every() if wanted in (None, connection.provider)]
    first, size = int(request.get("NextToken") or 0), int(request.get("MaxResults") or _DEFAULT_PAGE)
    page = [described(context, connection) for connection in found[first : first + size]]
    return {"Connections": page, **({"NextToken": str(first + size)} if first + size < len(found) else {})}


def _delete_connection(context: Context, call: Call) -> Mapping[str, Any]:
    connections_of(context).remove(call.parameters["ConnectionArn"])
    return {}


def described(context: Context, connection: Connection) -> dict[str, str]:
    """A connection in the API's shape."""
    return {
        "ConnectionName": connection.name,
        "ConnectionArn": connection.arn,
        "ProviderType": connection.provider,
        "OwnerAccountId": context.settings.account_id,
        "ConnectionStatus": connection.status,
    }


# ------------------------------------------------------------------------------------------ the tags


def _list_tags_for_resource(context: Context, call: Call) -> Mapping[str, Any]:
    return {"Tags": _pairs(connections_of(context).get(call.parameters["ResourceArn"]))}


def _tag_resource(context: Context, call: Call) -> Mapping[str, Any]:
    _tag(connections_of(context).get(call.parameters["ResourceArn"]), call.parameters["Tags"])
    return {}


def _untag_resource(context: Context, call: Call) -> Mapping[str, Any]:
    connection = connections_of(context).get(call.parameters["ResourceArn"])
    connection.tags = {key: value for key, value in connection.tags.items() if key not in call.parameters["TagKeys"]}
    return {}


def _tag(connection: Connection, tags: Iterable[Mapping[str, str]]) -> None:
    wanted = {**connection.tags, **{tag["Key"]: tag["Value"] for tag in tags}}
    if len(wanted) > _MOST_TAGS:
        raise ServiceError("LimitExceededException", f"{connection.name} would have {len(wanted)} tags; allowed: {_MOST_TAGS}.")
    connection.tags = wanted


def _pairs(connection: Connection) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in connection.tags.items()]


_OPERATIONS: Mapping[str, Callable[[Context, Call], Mapping[str, Any]]] = {
    "CreateConnection": _create_connection,
    "GetConnection": _get_connection,
    "ListConnections": _list_connections,
    "DeleteConnection": _delete_connection,
    "ListTagsForResource": _list_tags_for_resource,
    "TagResource": _tag_resource,
    "UntagResource": _untag_resource,
}
