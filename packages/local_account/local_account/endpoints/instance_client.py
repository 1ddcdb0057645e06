"""HTTP/1.1 to one instance, over connections that stay open: the few lines of the protocol that `model_server.py` speaks.

A general client costs the gateway's event loop several times more per request, and outlives it (docs/decisions/0025).
In: headers and body of a request. Out: `Reply`. Used by `runtime.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_account.endpoints.router_key import HEADER


class InstanceGoneError(ConnectionError):
    """The instance ended, or closed the connection, while it had the request."""


class NotConnectedError(InstanceGoneError):
    """The instance accepts no connection; it has not seen the request."""


@dataclass(frozen=True)
class Reply:
    """`seconds`: how long it took, where that is measured."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0.0


#: Where an instance listens: a port of this machine, or a socket in a folder of the account's user.
Address = int | Path


class InstanceClient:
    """Connections to one instance, used one request at a time each. Belongs to one event loop."""

    def __init__(self, address: Address, key: str) -> None:
        self._address, self._key = address, key
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> Reply:
        """Send one request. Raises InstanceGoneError, or TimeoutError after `timeout_seconds`."""
        lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}", f"{HEADER}: {self._key}"]
        lines += [f"{name}: {value}" for name, value in headers.items() if "\n" not in value and "\r" not in value]
        request = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        try:
            async with asyncio.timeout(timeout_seconds):
                writer.write(request)
                await writer.drain()
                reply = await _read(reader)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            writer.close()
            if isinstance(error, TimeoutError):
                raise
            raise InstanceGoneError(str(error)) from error
        except asyncio.CancelledError:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return reply

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            if isinstance(self._address, Path):
                return await asyncio.open_unix_connection(self._address)
            return await asyncio.open_connection("127.0.0.1", self._address)
        except OSError as error:
            raise NotConnectedError(str(error)) from error


async def _read(reader: asyncio.StreamReader) -> Reply:
    head = await reader.readuntil(b"\r\n\r\n")
    status_line, *lines = head[:-4].decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Reply(int(status_line.split()[1]), headers, body)
