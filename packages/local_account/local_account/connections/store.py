"""The connections of one account, by ARN. Input and output: `Connection`s. Used by everything in this folder."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from local_account.context import Context
from local_account.errors import ServiceError

#: The service's two names. Both APIs show every connection; what one makes has its name in the ARN (Developer Tools console user guide,
#: "Identity and access management for AWS CodeStar Notifications and AWS CodeConnections").
SERVICES = ("codeconnections", "codestar-connections")
#: API reference, Connection: one that the API or CloudFormation made is PENDING until a person completes it.
PENDING, AVAILABLE = "PENDING", "AVAILABLE"


@dataclass
class Connection:
    """`provider` is botocore's ProviderType, such as GitHub."""

    arn: str
    name: str
    provider: str
    status: str = PENDING
    tags: dict[str, str] = field(default_factory=dict)


class Connections:
    """Thread-safe."""

    def __init__(self) -> None:
        self._by_arn: dict[str, Connection] = {}
        self._lock = threading.Lock()

    def add(self, connection: Connection) -> None:
        """Raises ServiceError for a name that another one has: API reference, "Connection names must be unique in an AWS account"."""
        with self._lock:
            if any(other.name == connection.name for other in self._by_arn.values()):
                raise ServiceError("ValidationException", f"A connection with the name {connection.name} already exists; choose another.")
            self._by_arn[connection.arn] = connection

    def get(self, arn: str) -> Connection:
        """Raises ServiceError for one that is not there."""
        found = self._by_arn.get(arn)
        if found is None:
            raise ServiceError("ResourceNotFoundException", f"Connection not found: {arn}")
        return found

    def remove(self, arn: str) -> None:
        with self._lock:
            self.get(arn)
            del self._by_arn[arn]

    def every(self) -> list[Connection]:
        """In the order in which they were made."""
        with self._lock:
            return list(self._by_arn.values())

    def is_available(self, arn: str) -> bool:
        found = self._by_arn.get(arn)
        return found is not None and found.status == AVAILABLE


def connections_of(context: Context) -> Connections:
    """The connections of an account; the same object at every call."""
    return context.part(Connections, Connections)
