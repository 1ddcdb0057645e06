"""Servers of one version, each in processes of its own: the image's with one worker, and an instance of the local account.

Input: a folder with what is in /opt/ml. Output: a `Server` that answers pings, until the block ends.
Used by `stack.py` and benchmarks/lean_image.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from local_account.endpoints import router_key
from pipelines.xgboost_image import PROGRAM_ENVIRONMENT

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONNECTIONS = 4
SPEAKING = {"MODEL_VERSION": "1", "METRICS_NAMESPACE": "mlops/abalone/Monitoring", "METRICS_ENDPOINT": "mlops--abalone--production"}


@dataclass
class Server:
    """A server that runs: its port, its first process, what it is asked, and what its answers need."""

    port: int
    process: subprocess.Popen[bytes]
    bodies: str
    headers: Sequence[str] = ()

    def processes(self) -> dict[str, float]:
        """Processor seconds so far, by what the process is."""
        spent = {"nginx": 0.0, "worker": 0.0}
        first = psutil.Process(self.process.pid)
        for process in (first, *first.children(recursive=True)):
            times = process.cpu_times()
            spent["nginx" if process.name() == "nginx" else "worker"] += times.user + times.system
        return spent

    def measure(self, seconds: float) -> dict[str, float]:
        """Requests a second, and microseconds of processor time of a request."""
        before = self.processes()
        command = [sys.executable, "-m", "benchmarks.serving.client", str(self.port), str(CONNECTIONS), str(seconds), *self.headers]
        asked = subprocess.run(command, input=self.bodies, capture_output=True, text=True, check=False, cwd=ROOT)
        if asked.returncode:
            raise SystemExit(asked.stderr)
        found, after = json.loads(asked.stdout), self.processes()
        spent = {name: 1e6 * (after[name] - before[name]) / found["requests"] for name in after}
        return {"requests_per_second": found["requests"] / found["seconds"], **spent}


def container(folder: Path, python: Path, *, program: bool) -> dict[str, str]:
    """The variables of the container: what SageMaker and the image set, and what the stack and the registration add."""
    (folder / "ml" / "code").mkdir(parents=True)
    (folder / "installed").mkdir()
    model = folder / "ml" / "model"
    own = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": str(model / "code"), **PROGRAM_ENVIRONMENT, **SPEAKING}
    return {
        "PATH": f"{python}:{os.environ['PATH']}",
        "SAGEMAKER_BASE_DIR": str(folder / "ml"),
        "SM_MODEL_DIR": str(model),
        "SAGEMAKER_SERVING_MODULE": "sagemaker_xgboost_container.serving:main",
        "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        "OMP_NUM_THREADS": "1",
        "PIP_TARGET": str(folder / "installed"),  # the image installs the program among its packages
        "PYTHONPATH": str(folder / "installed"),
        "PYTHONWARNINGS": "ignore",
        **(own if program else {}),
    }


@contextlib.contextmanager
def started(folder: Path, variables: Mapping[str, str], bodies: str) -> Iterator[Server]:
    port = free_port()
    # nginx's `listen`: the image's own is every address.
    environ = {**variables, "SAGEMAKER_BIND_TO_PORT": f"127.0.0.1:{port}"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["python", str(HERE / "image_server.py"), str(folder)], env=environ, cwd=folder, stdout=log, stderr=subprocess.STDOUT,
            executable=shutil.which("python", path=environ["PATH"]),
        )  # fmt: skip
    with running(Server(port, process, bodies), folder / "log") as server:
        yield server


@contextlib.contextmanager
def local_instance(folder: Path, bodies: str) -> Iterator[Server]:
    """The instance of an endpoint that `launcher.py` starts."""
    address, key = folder.with_suffix(".address"), "key"
    environ = {**SPEAKING, "SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code", **PROGRAM_ENVIRONMENT}
    specification = {
        "directory": str(folder), "code": str(folder / "code"), "environment": environ, "address": str(address),
        "router_key": key, "has_network": False, "loads_later": False, "image": None,
    }  # fmt: skip
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(specification), encoding="utf-8")
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    with folder.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local_account.endpoints.model_server", str(file)], env=variables, cwd=ROOT, stdout=log, stderr=log
        )
    while not address.exists() and process.poll() is None:
        time.sleep(0.05)
    server = Server(int(address.read_text(encoding="utf-8").split()[1]), process, bodies, [f"{router_key.HEADER}: {key}"])
    with running(server, folder.with_suffix(".log")):
        yield server


@contextlib.contextmanager
def running(server: Server, log: Path) -> Iterator[Server]:
    """From when it answers pings until the end, when its first process is told to stop the others."""
    headers = dict(header.split(": ") for header in server.headers)
    try:
        for _ in range(600):
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{server.port}/ping", headers=headers), timeout=2)
                break
            if server.process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            raise SystemExit(f"error: the server does not answer: {_told(log)}")
        if server.process.poll() is not None:
            raise SystemExit(f"error: the server ended: {_told(log)}")
        yield server
    finally:
        children = psutil.Process(server.process.pid).children(recursive=True) if server.process.poll() is None else []
        server.process.terminate()
        _, alive = psutil.wait_procs(children, timeout=5)
        for process in alive:
            process.kill()
        server.process.wait(timeout=10)


def _told(log: Path) -> str:
    """The end of a log, without what nginx says of each request."""
    return "\n".join([line for line in log.read_text(encoding="utf-8").splitlines() if "/ping" not in line][-30:])


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
