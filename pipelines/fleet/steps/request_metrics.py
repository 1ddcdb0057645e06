"""Says of one model of a multi-model container how long its requests took and which failed: SageMaker has no metrics of one of them.

In: each request. Out: every ten seconds a line in CloudWatch's embedded metric format with up to a hundred values of `ServerErrors` (1 for
a request that failed, 0 for others) and of `RequestMilliseconds`, by endpoint and version as the version's own live metrics are: so the
average is the rate of errors, and CloudWatch has percentiles. Source: "Embedded metric format specification" of the CloudWatch user guide
("an array of up to 100 values"). Alarms: infra/serving/member_alarms.py.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping

NAMESPACE, ENDPOINT, VERSION = "METRICS_NAMESPACE", "METRICS_ENDPOINT", "MODEL_VERSION"
SECONDS = 10.0
MOST_VALUES = 100
_METRICS = [{"Name": "ServerErrors", "Unit": "Count"}, {"Name": "RequestMilliseconds", "Unit": "Milliseconds"}]


class RequestMetrics:
    """Of one process. `begin` starts the thread that speaks."""

    def __init__(self, place: Mapping[str, str], write: Callable[[str], object] | None = None) -> None:
        """`place`: the variables that say how the metrics are called; without them nothing is said."""
        self._place = {name: place.get(name, "") for name in (NAMESPACE, ENDPOINT, VERSION)}
        self._write = write or _write
        self._ended: list[tuple[int, float]] = []

    def begin(self) -> None:
        """The image's server loads a model and then forks: the thread that speaks has to be the child's."""
        threading.Thread(target=self._speak_regularly, daemon=True, name="request-metrics").start()
        os.register_at_fork(after_in_child=self._begin_in_child)
        atexit.register(self.say)

    def _begin_in_child(self) -> None:
        threading.Thread(target=self._speak_regularly, daemon=True, name="request-metrics").start()

    def ended(self, milliseconds: float, *, failed: bool) -> None:
        self._ended.append((int(failed), round(milliseconds, 2)))

    def say(self) -> None:
        """Write what ended since the last time; nothing where nothing did."""
        while told := self._ended[:MOST_VALUES]:
            del self._ended[: len(told)]
            if all(self._place.values()):
                self._write(self._line(told))

    def _line(self, told: list[tuple[int, float]]) -> str:
        directive = {"Namespace": self._place[NAMESPACE], "Dimensions": [["EndpointName", "ModelVersion"]], "Metrics": _METRICS}
        line = {
            "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
            "EndpointName": self._place[ENDPOINT],
            "ModelVersion": self._place[VERSION],
            "ServerErrors": [failed for failed, _ in told],
            "RequestMilliseconds": [milliseconds for _, milliseconds in told],
        }
        return json.dumps(line, separators=(",", ":"))

    def _speak_regularly(self) -> None:
        while True:
            time.sleep(SECONDS)
            self.say()


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
