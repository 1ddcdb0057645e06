"""Reads the body of a request, hashed as it comes and no longer than its service allows, and gets rid of one that nobody wants.

Who asks is checked by the headers first (`gateway.py`, `signatures.py`), so that a stranger's body never fills the memory.
In: ASGI's `receive`. Out: the body with its SHA-256. Next: `signatures.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from local_account.errors import ServiceError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_MIB = 1024**2
#: The largest request that AWS takes, in bytes, by the name that a service signs with. Sources: S3 user guide, "Uploading objects"
#: (one PUT or part); Lambda's own message for CreateFunction, 50 MB of ZIP in base64; CodeCommit user guide, "Quotas" (a file).
_LARGEST = {"s3": 5 * 1024 * _MIB, "lambda": 69_905_067, "git": 2 * 1024 * _MIB}
#: DynamoDB's BatchWriteItem, the largest request of the services that speak JSON or queries (its API reference).
_LARGEST_OF_OTHERS = 16 * _MIB
#: CloudFormation user guide, "Custom resource response objects": more is not accepted.
SIGNAL_BYTES = 4096
#: A refused request's body is read to its end up to here: a client that still sends would not see its answer otherwise.
_FORGOTTEN_BYTES = _MIB


@dataclass(frozen=True)
class Body:
    content: bytes
    sha256: str


def limit_of(service: str) -> int:
    """The largest body, in bytes, that a service takes."""
    return _LARGEST.get(service, _LARGEST_OF_OTHERS)


class Incoming:
    """The body that comes with one request."""

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        self._receive, self._announced = receive, _announced(headers)
        self._over = False

    async def read(self, limit: int) -> Body:
        """The whole body. Raises ServiceError (413) before it is read if it says that it is longer than `limit`, or once it is."""
        if self._announced > limit:
            raise _too_large(limit)
        content, digest = bytearray(), hashlib.sha256()
        while not self._over:
            chunk = await self._next()
            if len(content) + len(chunk) > limit:
                raise _too_large(limit)
            digest.update(chunk)
            content += chunk
        return Body(bytes(content), digest.hexdigest())

    async def forget(self) -> None:
        """Read what is left of a short body without keeping it; a longer one, or one that does not say, ends with its connection."""
        while 0 < self._announced <= _FORGOTTEN_BYTES and not self._over:
            await self._next()

    async def _next(self) -> bytes:
        event = await self._receive()
        self._over = event["type"] != "http.request" or not event.get("more_body")
        chunk: bytes = event.get("body", b"")
        return chunk


def _announced(headers: Mapping[str, str]) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() else 0


def _too_large(limit: int) -> ServiceError:
    return ServiceError("RequestEntityTooLargeException", f"The request is longer than the {limit:,} bytes that its service allows.", 413)
