"""The hosts of a training job, and the group in which they train one model together (XGBoost's own collective).

In: what SageMaker tells each container (SageMaker guide, "How Amazon SageMaker AI Provides Training Information": resourceconfig.json,
which the toolkit hands on as `SM_HOSTS`, `SM_CURRENT_HOST` and `SM_NETWORK_INTERFACE_NAME`). Out: this host's place among them, and a
block in which sums and trees are everybody's. The first host is the tracker, as in AWS's own container (sagemaker-xgboost-container,
`distributed.py`). Bounded everywhere: a host that does not come, dies or falls silent ends the others. Used by `train.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from failure import BadInput
from numpy.typing import NDArray

#: Hosts of a job do not start at once.
JOIN_SECONDS = 600
#: A host that says nothing for so long is lost. The others wait for the slowest one at each level of each tree.
SILENT_SECONDS = 300
#: Before a host says that another one is lost: SageMaker ends a job when its first container fails, and that should be the other one.
PAUSE_SECONDS = 3
#: Below the ports that systems give to outgoing connections.
FIRST_PORT, PORTS = 10_000, 20_000


@dataclass(frozen=True)
class Hosts:
    """`names` in an order that all hosts agree on; `interface` is the network over which they reach each other."""

    names: tuple[str, ...]
    current: str
    interface: str = "eth0"
    job: str = ""

    @property
    def count(self) -> int:
        return len(self.names)

    @property
    def rank(self) -> int:
        return self.names.index(self.current)

    @property
    def is_first(self) -> bool:
        return self.rank == 0


def of_job(environment: Mapping[str, str] = os.environ) -> Hosts:
    current = environment.get("SM_CURRENT_HOST") or "algo-1"
    names = json.loads(environment.get("SM_HOSTS") or json.dumps([current]))
    ordered = tuple(sorted(names, key=lambda name: (len(name), name)))  # algo-2 before algo-10
    return Hosts(ordered, current, environment.get("SM_NETWORK_INTERFACE_NAME") or "eth0", environment.get("TRAINING_JOB_NAME", ""))


@contextlib.contextmanager
def together(hosts: Hosts) -> Iterator[None]:
    """What is trained inside is one model of all hosts. Raises BadInput where one of them is lost."""
    if hosts.count == 1:
        yield
        return
    from light_xgboost import xgboost

    tracker = None
    try:
        deadline = time.monotonic() + JOIN_SECONDS
        address = _address(hosts, deadline)
        tracker = _tracker(hosts, address, deadline) if hosts.is_first else None
        _join(hosts, address, deadline)
        try:
            yield
        except BaseException:
            _quietly(xgboost.collective.finalize)  # or the process crashes at its end
            raise
        xgboost.collective.finalize()  # waits for the others
        if tracker is not None:
            tracker.wait_for(timeout=SILENT_SECONDS)
    except xgboost.core.XGBoostError as error:
        raise _lost(hosts, error) from error
    finally:
        if tracker is not None:
            _quietly(tracker.free)


def _lost(hosts: Hosts, error: Exception) -> Exception:
    """One line about the group, or the error itself where it is about something else. XGBoost's errors name its source files."""
    if "/collective/" not in str(error):
        return error
    time.sleep(PAUSE_SECONDS)
    causes = [line.split("]: ")[-1] for line in str(error).splitlines() if line.startswith("- [")]
    return BadInput(f"{hosts.current}: training stopped, because one of {', '.join(hosts.names)} is lost ({(causes or ['no reason'])[-1]})")


def _quietly(close: Callable[[], None]) -> None:
    """Closes what may be broken already."""
    from light_xgboost import xgboost

    with contextlib.suppress(xgboost.core.XGBoostError), warnings.catch_warnings(action="ignore"):
        close()


def of_first(value: Any) -> Any:
    """The first host's value on all hosts; outside of `together` the value itself."""
    collective = _collective()
    return value if collective is None else collective.broadcast([value], 0)[0]  # in a list, since None is no value to XGBoost


def total(values: NDArray[Any]) -> NDArray[Any]:
    """The sum over all hosts, the same bits on each; outside of `together` the values themselves."""
    collective = _collective()
    return values if collective is None else collective.allreduce(values, collective.Op.SUM)


def _collective() -> Any:
    """XGBoost's, where this host is in a group: a job of one host need not import it."""
    if "xgboost" not in sys.modules:
        return None
    from xgboost import collective

    return collective if collective.is_distributed() else None


def _address(hosts: Hosts, deadline: float) -> str:
    """Of the first host. On a loopback all hosts are one machine, which has no names for them."""
    if hosts.interface == "lo":
        return "127.0.0.1"
    while True:
        try:
            return socket.gethostbyname(hosts.names[0])
        except OSError as error:  # a host has its name some time after it starts
            if time.monotonic() > deadline:
                raise BadInput(f"{hosts.current}: {hosts.names[0]} has no address after {JOIN_SECONDS} s ({error})") from None
            time.sleep(1)


def _port(hosts: Hosts) -> int:
    """The same on all hosts, and another one for each job, since jobs may share a machine."""
    return FIRST_PORT + zlib.crc32(hosts.job.encode()) % PORTS


def _tracker(hosts: Hosts, address: str, deadline: float) -> Any:
    """Waits for its port, which a job of the same name may have left a minute ago. Raises XGBoostError after that."""
    from xgboost.core import XGBoostError
    from xgboost.tracker import RabitTracker

    while True:
        try:
            tracker = RabitTracker(n_workers=hosts.count, host_ip=address, port=_port(hosts), sortby="task", timeout=JOIN_SECONDS)
            tracker.start()
            return tracker
        except XGBoostError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _join(hosts: Hosts, address: str, deadline: float) -> None:
    """XGBoost gives up at once where the first host does not listen yet, so it is asked again. Raises XGBoostError after that."""
    from xgboost import collective
    from xgboost.core import XGBoostError

    place = {"dmlc_tracker_uri": address, "dmlc_tracker_port": _port(hosts), "dmlc_task_id": f"{hosts.rank:06d}"}
    while True:
        try:
            with warnings.catch_warnings(action="ignore"):  # one for each time that nobody listens yet
                collective.init(**place, dmlc_timeout=SILENT_SECONDS, dmlc_retry=1)  # ranks follow the order of the names
            return
        except XGBoostError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
