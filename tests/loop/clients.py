"""Clients of an endpoint that ask it all the time, and what each of their requests got: an answer of which version, or a failure.

In: an endpoint and the row that is asked. Out: `Request`s. Each client sends its next request a moment after the last one has ended.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_CLIENTS = 4


@dataclass(frozen=True)
class Request:
    """Seconds of one clock. `version`: the one that answered; empty for a request that failed, for which `error` says why."""

    sent: float
    ended: float
    version: str = ""
    error: str = ""

    @property
    def seconds(self) -> float:
        return self.ended - self.sent


class Clients:
    """Ask within a `with` block. `pause_seconds`: of each client between its requests; all of them send some twenty a second.

    More would show no more (benchmarks/updates counts ten thousand), and each request takes its 10 ms from what is under test.
    """

    pause_seconds = 0.2

    def __init__(self, runtime: Any, endpoint: str, row: bytes, **more: str) -> None:
        """`more`: of InvokeEndpoint, such as which component of a fleet is asked."""
        self._runtime, self._asked = runtime, {"EndpointName": endpoint, "ContentType": "text/csv", "Body": row, **more}
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True, name=f"client-{number}") for number in range(_CLIENTS)]
        self._requests: list[Request] = []

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=30)

    @property
    def requests(self) -> list[Request]:
        """Those that have ended, in the order in which they did."""
        with self._lock:
            return list(self._requests)

    def since(self, moment: float) -> list[Request]:
        """Those that were sent after a moment."""
        return [request for request in self.requests if request.sent >= moment]

    def wait_for(self, what: str, wanted: Callable[[Request], bool], since: float, seconds: float = 60.0) -> Request:
        """The first request that was sent after a moment and is as wanted."""
        deadline = time.monotonic() + seconds
        while True:
            found = next(filter(wanted, self.since(since)), None)
            if found is not None:
                return found
            assert time.monotonic() < deadline, f"{what} did not come within {seconds:.0f} s; last: {self.requests[-3:]}"
            time.sleep(0.02)

    def _run(self) -> None:
        while not self._stop.is_set():
            request = self._one()
            with self._lock:
                self._requests.append(request)
            self._stop.wait(self.pause_seconds)

    def _one(self) -> Request:
        sent = time.monotonic()
        try:
            answer = self._runtime.invoke_endpoint(**self._asked)
            answer["Body"].read()
        except Exception as error:  # whatever a client gets instead of an answer
            return Request(sent, time.monotonic(), error=f"{type(error).__name__}: {error}")
        named = re.search(r"model-version=([\w.-]+)", answer["ContentType"])
        return Request(sent, time.monotonic(), version=named.group(1) if named else "?")


def failed(requests: Sequence[Request]) -> list[Request]:
    return [request for request in requests if request.error]
