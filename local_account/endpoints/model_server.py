"""One instance of an endpoint: an HTTP server in a process of its own, as the container is on a SageMaker instance.

`GET /ping` answers 200 once the model is loaded; `POST /invocations` answers a prediction. In: a listening socket, the model
directory, the container's environment. It is started by `warm_server.py`; `serving_contract.py` decides what a request answers.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from local_account.endpoints import serving_contract
from local_account.endpoints.serving_contract import Transformer

#: SAGEMAKER_MAX_REQUEST_SIZE of the container.
MAX_REQUEST_BYTES = 6 * 1024 * 1024


class ModelServer(ThreadingHTTPServer):
    """Connections are kept alive on a thread each; the model itself answers one request at a time, like one worker of the container."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, transformer: Transformer) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.transformer = transformer
        self.worker = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one packet: two would meet Nagle's algorithm and cost 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: ModelServer

    def do_GET(self) -> None:
        if self.path == "/ping":
            self._reply(200, "text/plain", b"")
        else:
            self._reply(404, "text/plain", b"only /ping and /invocations are served\n")

    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("content-length", ""))
        except ValueError:
            self.close_connection = True
            return self._reply(411, "text/plain", b"the request has no Content-Length\n")
        if length > MAX_REQUEST_BYTES:
            self.close_connection = True
            return self._reply(413, "text/plain", f"the request has {length} bytes; at most {MAX_REQUEST_BYTES}\n".encode())
        body = self.rfile.read(length)
        if self.path != "/invocations":
            return self._reply(404, "text/plain", b"only /ping and /invocations are served\n")
        with self.server.worker:
            answer = self.server.transformer.respond(body, self.headers.get("content-type"), self.headers.get("accept"))
        return self._reply(answer.status, answer.content_type, answer.body)

    def _reply(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet: a line for each request would be most of the log; errors print their own traceback."""


def serve(listener: socket.socket, model_directory: Path, environment: Mapping[str, str]) -> None:
    """Load the model and serve until the process ends. Raises what loading raises."""
    os.environ.update(environment)
    os.chdir(model_directory)
    transformer = serving_contract.load(model_directory, environment)
    print(f"serving {environment.get('SAGEMAKER_PROGRAM')} on port {listener.getsockname()[1]}", flush=True)
    ModelServer(listener, transformer).serve_forever()


def redirect_output(log_file: Path) -> None:
    """Send everything the process prints to its own log."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab", buffering=0) as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
