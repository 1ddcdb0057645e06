"""Says what each role of the account was granted and what it used: `GET /_local/permissions`, and a file when the account stops.

    curl --user :$AWS_SECRET_ACCESS_KEY $AWS_ENDPOINT_URL/_local/permissions

Out: JSON. `roles`, each with its policies and, for each statement, what it allowed and what nobody asked for (`authorization/usage.py`);
`requests`, everything that was asked (`authorization/record.py`). AWS answers a part of this with IAM's "last accessed" and CloudTrail.
The run's secret is the password (HTTP basic authentication). Next: `demo/permissions_page.py`, which shows it.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from local_account.authorization.record import Asked
from local_account.authorization.usage import Grant, Role, as_list, measured, statements_of
from local_account.context import Context
from local_account.response import Response
from local_account.signatures import Request

_log = logging.getLogger(__name__)

PATH = "/_local/permissions"
FILE = "permissions.json"


def serve_permissions(context: Context, request: Request) -> Response:
    """Answer a request for `PATH`."""
    if request.method != "GET":
        return Response(405, f"{PATH} answers GET, not {request.method}.\n".encode(), {"content-type": "text/plain"})
    return Response(200, json.dumps(report(context)).encode(), {"content-type": "application/json"})


def write(context: Context) -> None:
    """Leave the report in the state directory. It is an extra: what hinders it is logged, and hinders nothing else."""
    try:
        path = context.settings.state_directory / FILE
        path.write_text(json.dumps(report(context), indent=1), encoding="utf-8")
    except OSError:
        _log.exception("%s is not written", FILE)


def report(context: Context) -> dict[str, Any]:
    """The document, of what is plain text and numbers only. `read` makes objects of it again."""
    requests = context.authorizer.record.requests()
    accounts = [context.places.at(account_id, context.settings.region) for account_id in context.settings.account_ids]
    roles = [role for account in accounts for role in _roles_of(account)]
    used = context.keyring.here(lambda: measured(roles, requests, context.settings.region))
    return {
        "account": context.settings.account_id,
        "region": context.settings.region,
        "roles": [
            {**dataclasses.asdict(use.role), "grants": [{**dataclasses.asdict(grant), "services": grant.services} for grant in use.grants]}
            for use in used
        ],
        "requests": [dataclasses.asdict(asked) for asked in requests],
    }


def read(document: Mapping[str, Any]) -> tuple[list[tuple[Role, list[Grant]]], list[Asked]]:
    """Roles with their grants, and the requests, of a report."""
    roles = []
    for entry in document["roles"]:
        role = Role(**{field.name: entry[field.name] for field in dataclasses.fields(Role)})
        names = [field.name for field in dataclasses.fields(Grant)]
        roles.append((role, [Grant(**{name: grant[name] for name in names}) for grant in entry["grants"]]))
    return roles, [Asked(**entry) for entry in document["requests"]]


def _roles_of(account: Context) -> list[Role]:
    made_by = _made_by(account)
    return account.keyring.here(lambda: list(_roles(made_by)))


def _made_by(account: Context) -> dict[str, tuple[str, str]]:
    """Stack and logical id of each role of an account, by its name: roles are of no region, stacks are."""
    regions = [place for place in account.places.all() if place.settings.account_id == account.settings.account_id]
    found = [item for place in regions for item in place.keyring.here(lambda: list(_roles_of_stacks()))]
    return {physical: (stack, logical_id) for stack, logical_id, physical in found}


def _roles(made_by: Mapping[str, tuple[str, str]]) -> Iterator[Role]:
    """Every role of the account at hand with policies of its own, by stack and name. One with AWS's alone has nothing to narrow."""
    from ministack.services import iam

    for name in sorted(iam._roles, key=lambda name: (made_by.get(name, ("", "")), name)):
        role = iam._roles[name]
        documents = {policy: _document(text) for policy, text in (role.get("InlinePolicies") or {}).items()}
        if documents:
            yield Role(role["Arn"], *made_by.get(name, ("", "")), _trusted(_document(role["AssumeRolePolicyDocument"])), documents)


def _roles_of_stacks() -> Iterator[tuple[str, str, str]]:
    from ministack.services.cloudformation import _stacks

    for name, stack in list(_stacks.items()):
        for logical_id, resource in (stack.get("_resources") or {}).items():
            if resource.get("ResourceType") == "AWS::IAM::Role":
                yield name, logical_id, str(resource.get("PhysicalResourceId", ""))


def _document(given: Any) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    document: Mapping[str, Any] = json.loads(given if given.lstrip().startswith("{") else unquote(given))
    return document


def _trusted(trust: Mapping[str, Any]) -> list[str]:
    """The services, or accounts, that a trust policy names."""
    principals = [item.get("Principal") for item in statements_of(trust)]
    named = [as_list(value) for principal in principals if isinstance(principal, Mapping) for value in principal.values()]
    return list(dict.fromkeys(name for names in named for name in names))
