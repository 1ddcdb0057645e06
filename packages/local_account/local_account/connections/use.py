"""Whether a role may use a connection, for which repository, and for what: `UseConnection`, which is no operation of an API.

Input: a role and what it does at the provider. Output: the connection, or ServiceError. Documented: the permission, its condition keys and
their values (Developer Tools console user guide, "AWS CodeConnections permissions reference"), and that a policy's resource has the
connection's own ARN. Inferred: which of the two names of the permission counts. AWS's guides write `codeconnections:UseConnection`; the
CDK's source action grants `codestar-connections:UseConnection` on any connection, and works. So one of the two is enough here, and a
statement that denies either denies. Words: what the service answers, quoted in many a troubleshooting page.
Used by `codepipeline/actions/connection.py` and `codebuild/source.py`.
"""

from __future__ import annotations

from local_account.connections.store import AVAILABLE, SERVICES, Connection, connections_of
from local_account.errors import ServiceError
from local_account.roles import Role

_READ_ONLY = "read_only"


def require_use(role: Role, arn: str, full_name: str, provider_action: str, branch: str = "") -> Connection:
    """The connection, if the role may do `provider_action` through it (GetBranch, GitPull, ...) and its handshake is done.

    Raises ServiceError: AccessDeniedException, ResourceNotFoundException, or ResourceUnavailableException while it is PENDING.
    """
    owner, _, name = full_name.rpartition("/")
    values = {
        "fullrepositoryid": full_name,
        "ownerid": owner,
        "repositoryname": name,
        "branchname": branch or None,
        "provideraction": provider_action,
        "providerpermissionsrequired": _READ_ONLY,
    }
    keys = {f"{service}:{key}": value for service in SERVICES for key, value in values.items() if value}
    decision = role.asks([f"{service}:UseConnection" for service in SERVICES], arn, keys)
    if not decision.allowed:
        why = f"it lacks {SERVICES[0]}:UseConnection for {provider_action} of {full_name}"
        if decision.explicit:
            why = f"a policy denies {SERVICES[0]}:UseConnection for {provider_action} of {full_name}"
        message = f"Unable to use Connection: {arn}. The provided role does not have sufficient permissions: {role.arn}: {why}."
        raise ServiceError("AccessDeniedException", message)
    connection = connections_of(role.context).get(arn)
    if connection.status != AVAILABLE:
        how = f"a person completes it, here with `python -m local_account.handshake {connection.name}`"
        raise ServiceError("ResourceUnavailableException", f"Unable to use Connection: {arn}. It is {connection.status} until {how}.")
    return connection
