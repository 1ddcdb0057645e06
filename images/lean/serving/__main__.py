"""The image's entry point: `python -m serving serve`, as SageMaker starts a container ("docker run <image> serve").

One worker process for each core, or as many as SAGEMAKER_MODEL_SERVER_WORKERS says, as in the managed image. Each answers one request at a
time and has a model of its own. SIGTERM lets them finish what they have. A worker that dies ends the server with exit code 1, and SageMaker
starts the container again.
"""

from __future__ import annotations

import os
from pathlib import Path

from granian.constants import HTTPModes, Interfaces
from granian.server import Server

PORT = 8080
#: SageMaker's router is outside of the container.
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104
#: SageMaker waits 30 seconds between SIGTERM and SIGKILL ("How containers are stopped", same page of the guide).
SECONDS_TO_END = 25


def server(address: str = EVERY_ADDRESS) -> Server:
    """As the container's environment says."""
    variables = os.environ
    socket = variables.get("SERVING_SOCKET")  # a path, for who starts the entry point without a container around it
    return Server(
        "serving.application:make",
        factory=True,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        address=address,
        port=int(variables.get("SAGEMAKER_BIND_TO_PORT", PORT)),
        uds=Path(socket) if socket else None,
        workers=int(variables.get("SAGEMAKER_MODEL_SERVER_WORKERS") or len(os.sched_getaffinity(0))),
        blocking_threads=1,
        workers_kill_timeout=SECONDS_TO_END,
        log_access=False,
    )


if __name__ == "__main__":
    server().serve()
