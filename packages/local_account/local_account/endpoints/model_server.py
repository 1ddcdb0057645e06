"""One instance of an endpoint: an HTTP server in a process of its own, as the container is on a SageMaker instance.

`GET /ping` answers 200 once the model is loaded; `POST /invocations` answers a prediction; nobody but the endpoint's router is answered
(`router_key.py`). In: a specification file (see `main`) that `launcher.py` writes; it starts this as
`python -m local_account.endpoints.model_server FILE`. `serving_contract.py` decides what a request answers;
`local_account/sagemaker/program.py` whether the image could start at all.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn, Protocol

from local_account.endpoints import multi_model_contract, router_key, serving_contract
from local_account.endpoints.serving_contract import Answer
from local_account.sagemaker import program

#: As `MULTI_MODEL` of package.py, which a container has not.
MULTI_MODEL = "SAGEMAKER_MULTI_MODEL"


class Answering(Protocol):
    """What is served."""

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer: ...


class ModelServer(ThreadingHTTPServer):
    """Connections are kept alive on a thread each; the model itself answers one request at a time, like one worker of the container."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, served: Answering, key: str) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.served, self.key = served, key
        self.worker = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one packet: two would meet Nagle's algorithm and cost 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: ModelServer

    def do_GET(self) -> None:
        if headers := self._headers_of_the_router():
            self._answer(headers, b"")

    def do_POST(self) -> None:
        headers = self._headers_of_the_router()
        if headers is None:
            return None
        try:
            length = int(self.headers.get("content-length", ""))
        except ValueError:
            self.close_connection = True
            return self._reply(411, {"content-type": "text/plain"}, b"the request has no Content-Length\n")
        return self._answer(headers, self.rfile.read(length))

    def _headers_of_the_router(self) -> dict[str, str] | None:
        """What the container gets to see of the headers; None, with an answer and without reading on, for anybody but the router."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        if router_key.is_from_the_router(headers, self.server.key):
            del headers[router_key.HEADER]
            return headers
        self.close_connection = True
        self._reply(
            403,
            {"content-type": "text/plain", "connection": "close"},
            b"an instance answers its endpoint's router only; use InvokeEndpoint\n",
        )
        return None

    def _answer(self, headers: Mapping[str, str], body: bytes) -> None:
        with self.server.worker:
            answer = self.server.served.answer(self.command, self.path, headers, body)
        self._reply(answer.status, answer.headers, answer.body)

    def _reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet: a line for each request would be most of the log; errors print their own traceback."""


def main(specification_file: str) -> None:
    """Serve what the specification names: `directory` of the model, its `code`, `environment` of the container, where to write the
    `address`, the `router_key`, and whether a multi-model container starts, which `loads_later`.
    """
    specification = json.loads(Path(specification_file).read_text(encoding="utf-8"))
    if specification["image"]:
        _become(specification)
    directory, code, environment = Path(specification["directory"]), Path(specification["code"]), specification["environment"]
    try:
        program.require_installable(code, environment, has_network=specification["has_network"])
    except program.NotInstalledError as failed:
        sys.exit(failed.log)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)  # connections wait here while the model loads
    _announce(Path(specification["address"]), str(listener.getsockname()[1]))
    leave_the_project()
    # As gunicorn's workers do: the program's exit handlers run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.environ.update(environment)
    os.chdir(directory)
    served = _served(directory, code, environment, loads_later=specification["loads_later"])
    print(f"serving {environment['SAGEMAKER_PROGRAM']} on port {listener.getsockname()[1]}", flush=True)
    ModelServer(listener, served, specification["router_key"]).serve_forever()


def _served(directory: Path, code: Path, environment: Mapping[str, str], *, loads_later: bool) -> Answering:
    if loads_later:
        return multi_model_contract.start(code, environment)
    if MULTI_MODEL in environment:
        return multi_model_contract.Worker(directory, code, os.environ)
    return serving_contract.load(directory, code, environment)


def _become(specification: Mapping[str, Any]) -> NoReturn:
    """The entry point of an image of the account's own takes the place of this process, and listens on a socket that is its user's alone.

    SERVING_SOCKET is the images' own word for that (images/lean of the template); SageMaker has containers listen on port 8080.
    """
    image, address = specification["image"], Path(specification["address"])
    listens = Path(tempfile.mkdtemp(prefix="serves-"), "socket")
    print(image["said"], flush=True)
    _announce(address, str(listens))
    one = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "SERVING_SOCKET": str(listens)}  # of several instances, each is a worker
    os.environ.pop("PYTHONPATH", None)
    os.chdir(specification["directory"])
    os.execve(image["command"][0], image["command"], {**os.environ, **image["environment"], **specification["environment"], **one})  # noqa: S606


def _announce(address: Path, listens: str) -> None:
    """Write process id, and port or socket, so that a reader never sees half of it."""
    unfinished = address.with_suffix(".tmp")
    unfinished.write_text(f"{os.getpid()} {listens}", encoding="utf-8")
    unfinished.replace(address)


def leave_the_project() -> None:
    """The container does not have this project's modules: code that imports them must fail here too."""
    project = str(Path(__file__).resolve().parents[2])
    sys.path[:] = [path for path in sys.path if path and str(Path(path).resolve()) != project]
    os.environ.pop("PYTHONPATH", None)


if __name__ == "__main__":
    main(sys.argv[1])
