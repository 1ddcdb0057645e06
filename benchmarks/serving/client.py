"""Asks one HTTP server for one-row predictions as fast as it answers, on a few connections that stay open.

    python -m benchmarks.serving.client PORT CONNECTIONS SECONDS < bodies

Out: how many were answered, in how many seconds. Ends with an error if any answer is no 200.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator

HEADERS = "POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/csv\r\nAccept: text/csv\r\n{}Content-Length: {}\r\n\r\n{}"


class Connection:
    """nginx closes one after a thousand requests (`keepalive_requests`); then it is opened again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, request: bytes) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        head, _, body = self._until(b"\r\n\r\n").partition(b"\r\n\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:])}
        missing = int(fields[b"content-length"]) - len(body)
        while missing > 0:
            missing -= len(self._received())
        if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")):
            raise SystemExit(f"error: the server answered {head.splitlines()[0].decode()}")
        if fields.get(b"connection", b"").lower() == b"close":
            self._socket.close()
            self._socket = None

    def _until(self, end: bytes) -> bytes:
        read = b""
        while end not in read:
            read += self._received()
        return read

    def _received(self) -> bytes:
        assert self._socket is not None
        read = self._socket.recv(65536)
        if not read:
            raise SystemExit("error: the server closed the connection")
        return read


def main(port: str, connections: str, seconds: str, *more_headers: str) -> None:
    more = "".join(f"{header}\r\n" for header in more_headers)
    requests = [HEADERS.format(more, len(line.strip()), line.strip()).encode() for line in sys.stdin]
    counts: list[int] = []
    begun = time.perf_counter()
    end = begun + float(seconds)

    def ask(turn: Iterator[bytes]) -> None:
        connection, count = Connection(int(port)), 0
        while time.perf_counter() < end:
            connection.ask(next(turn))
            count += 1
        counts.append(count)

    starts = range(0, len(requests), max(1, len(requests) // int(connections)))
    threads = [
        threading.Thread(target=ask, args=(itertools.cycle(requests[start:] + requests[:start]),))
        for start in [*starts][: int(connections)]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) < len(threads):
        raise SystemExit(1)
    print(json.dumps({"requests": sum(counts), "seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main(*sys.argv[1:])
